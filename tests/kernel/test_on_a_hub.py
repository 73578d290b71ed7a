"""A machine that others look after: defaults for all of its users, a shared store, folders that cannot be written."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from flux_magic.client.async_client import AsyncClient
from tests.support.kernel import Kernel, run_kernel

README = Path(__file__).parents[2] / "README.md"
CELL = "%%flux --seed 42 --size 256x256 --output fox\na red fox"


@pytest.fixture
def teachers(tmp_path: Path, space: str) -> Path:
    """Return a folder with the teacher's image, as a store keeps it."""
    folder = tmp_path / "class"
    asyncio.run(AsyncClient(space=space, store=folder).generate("a red fox", seed=42, steps=4, width=256, height=256))
    return folder


def configured(folder: Path, text: str) -> str:
    """IPython's folder, with a configuration such as a hub has in /etc/ipython; an administrator writes it once."""
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(text)
    return str(folder / "ipython")


def shown(kernel: Kernel, name: str) -> str:
    return kernel.run_ok(f"print(repr({name}))").stdout.strip()


def test_a_class_replays_the_teachers_images_with_the_defaults_of_its_hub(
    teachers: Path, tmp_path: Path, space: str
) -> None:
    """Return nothing is loaded or set in the notebook; there is no Space, the folder is read-only, and so is the
    home.
    """
    [readme] = re.findall(r"```python\n(c = get_config.*?)```", README.read_text(), re.DOTALL)
    assert "/srv/flux" in readme
    site = configured(
        tmp_path,
        readme.replace("/srv/flux", str(teachers)) + f"c.FluxMagics.space = {space!r}\nc.FluxMagics.replay = 'only'\n",
    )
    before = sorted(teachers.rglob("*"))
    with run_kernel(Path("/proc"), IPYTHONDIR=site, FLUX_MAGIC_REPLAY="", FLUX_MAGIC_STORE="/proc/no/store") as pupil:
        cell = pupil.run_ok(CELL)
        assert len(cell.get_shown("image/png")) == 1
        assert shown(pupil, "fox.replayed") == "True"
        missing = pupil.run("%%flux --seed 43 --size 256x256\na red fox")
        assert "not in flux_images, nor in the shared store, nor in the store" in missing.error
        assert missing.error.endswith("Do the Space, the steps and the size match the original?")
        assert len(pupil.run_ok("%flux_history --last 1").get_shown("text/html")) == 1
        pupil.run_ok("%config FluxMagics.replay = 'auto'")
        made = pupil.run_ok("%%flux --seed 43 --size 256x256\na red fox")
        assert len(made.get_shown("image/png")) == 1
        assert [note.startswith("note: cannot keep the image in") for note in made.notes] == [True]
        refused = pupil.run("%flux --seed 42 --size 256x256 --save fox.png a red fox")
        assert "cannot write fox.png" in refused.error
        assert not refused.outputs, "it is known before an image is asked for"
        assert pupil.run_ok("%config FluxMagics.shared_store").get_shown("text/plain") == [repr(str(teachers))]
    assert sorted(teachers.rglob("*")) == before


def test_what_a_user_configures_goes_before_what_the_hub_does(tmp_path: Path, space: str) -> None:
    site = configured(
        tmp_path,
        "c.InteractiveShellApp.extensions = ['flux_magic']\nc.FluxMagics.steps = 3\nc.FluxMagics.width = 256\n"
        "c.FluxMagics.seed = '4'\nc.FluxMagics.sharedstore = '/srv'\n",
    )
    with run_kernel(IPYTHONDIR=site, FLUX_MAGIC_SPACE=space) as kernel:
        noted = kernel.run_ok("%config FluxMagics.steps = 1").stdout
        assert noted.count("\n") == noted.count("note: FluxMagics.") == 2, (
            "what a kernel says as it starts, nobody sees"
        )
        assert "seed is left out of the configuration: seed is '4': give a whole number" in noted
        assert "sharedstore is left out of the configuration: there is no such setting: did you mean shared" in noted
        assert kernel.run_ok("1").stderr == ""
        kernel.run_ok("%flux --output fox --height 256 a red fox")
        assert shown(kernel, "(fox.steps, fox.width)") == "(1, 256)"
        kernel.run_ok("import flux_magic\nowl = flux_magic.generate('an owl', height=256)")
        assert shown(kernel, "(owl.steps, owl.width)") == "(1, 256)"

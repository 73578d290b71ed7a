"""Capsules: packed, the same bytes each time and no secret in them; checked, and each alteration named alone."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import PIL
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rocrate.rocrate import ROCrate

from flux_magic.capsules import archive, manifest
from flux_magic.capsules.check import check
from flux_magic.capsules.pack import SecretsFound
from flux_magic.capsules.secrets import Secret, find_secrets
from tests.support.capsules import (
    FOX,
    NAME,
    PAPER,
    cell,
    edit_json,
    flip_pixel,
    get_input,
    keep_apart,
    make_capsule,
    pack,
    printed,
    write_cells,
    write_notebook,
)
from tests.support.limits import PROGRAM

ROOT = Path(__file__).parents[2]
PACK = """
import os, pathlib, sys
from tests.support.capsules import pack
os.umask(0o077)
sys.exit(pack(*map(pathlib.Path, sys.argv[1:])))
"""


@pytest.fixture(scope="module")
def capsule(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a capsule whose images are signed."""
    with keep_apart(folder := tmp_path_factory.mktemp("capsules")):
        yield make_capsule(folder)


@pytest.fixture
def unpacked(capsule: Path, tmp_path: Path) -> Path:
    archive.unpack(capsule, tmp_path / "in")
    return tmp_path / "in"


def test_the_same_input_gives_the_same_bytes_elsewhere_and_only_what_the_notebook_needs(
    capsule: Path, tmp_path: Path
) -> None:
    shutil.copytree(capsule.parent / "paper", tmp_path / "else wo")
    for at, path in enumerate((tmp_path / "else wo").rglob("*")):
        os.utime(path, (1e9, 1e9 + at))
    other = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "C", "HOME": str(tmp_path / "home")}
    subprocess.run(
        [sys.executable, "-c", PACK, f"{PAPER}", str(tmp_path / "again.zip")],
        cwd=tmp_path / "else wo",
        env={**os.environ, **other, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=PROGRAM,
    )
    assert (tmp_path / "again.zip").read_bytes() == capsule.read_bytes()
    names = archive.unpack(capsule, tmp_path / "in")
    assert sum(name.endswith(".webp") for name in names) == 6  # of all that the course has
    assert sum(name.startswith("flux_images/inputs/") for name in names) == 1
    assert "pages/fox in winter.html" in names
    listed = (tmp_path / "in" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert f"pillow=={PIL.__version__}" in listed
    assert listed[0].startswith("./wheels/flux_magic-")
    assert (tmp_path / "in" / "runtime.txt").read_text() == f"python-3.{sys.version_info.minor}\n"


def test_the_metadata_is_a_crate_in_which_an_image_says_what_made_it_from_what(unpacked: Path) -> None:
    crate = ROCrate(unpacked)
    root = crate.root_dataset
    assert (root["name"], root["datePublished"]) == ("A fox in *winter*", "2026-11-02")
    assert root["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    assert [(one.id, one["name"]) for one in root["author"]] == [
        ("https://orcid.org/0000-0002-1825-0097", "Ann Fox"),
        ("#author-2", "Bo"),
    ]
    files = {name for name in archive.list_files(unpacked) if name not in {"ro-crate-metadata.json", "SHA256SUMS"}}
    assert {one.id.replace("%20", " ") for one in crate.data_entities} == files
    half = next(one for one in crate.data_entities if "make-it-winter-7-6d06a95ef120" in one.id and ".webp" in one.id)
    assert half.type == ["File", "ImageObject"]
    values = {one["name"]: one["value"] for one in half["additionalProperty"]}
    assert values["prompt"] == "make it winter"
    assert (values["seed"], values["model"]) == (7, "flux_magic stand-in")
    assert half["identifier"] == f"sha256:{values['digest']}"
    assert {one.id.partition("/")[2][:20] for one in half["isBasedOn"]} == {f"{FOX}.webp"[:20], "inputs/ca/cad2d17200"}
    action = next(one for one in crate.get_by_type("CreateAction") if one["result"] == half)
    assert action["instrument"]["name"] == "flux_magic stand-in"


SECRETS = [
    pytest.param("x = 1", "", id="none"),
    pytest.param("login('hf_abcdefghijklmnop')", "cell 7, its source: a token, hf_…", id="token"),
    pytest.param("%env OPENAI=sk-abcdefghijklmnopqrstuvwx", "a token, sk-…", id="another's token"),
    pytest.param('api_key = "0123456789abc"', "a secret by its name, api_key = ", id="by its name"),
    pytest.param('token = ""  # yours', "", id="no token"),
    pytest.param("url = 'https://ann:pass word@x.org'", "", id="no address"),
    pytest.param("url = 'https://ann:secret@example.org/a'", "a password in an address, https://***@", id="password"),
    pytest.param("use('the-own-secret-value')", "the value of MY_API_KEY in your environment", id="own"),
    pytest.param("open('/home/ann/fox.png')", "a path of a home, /home/ann/fox.png", id="a home"),
    pytest.param(r"open('C:\\Users\\ann\\fox.png')", "a path of a home, C:", id="a home on Windows"),
    pytest.param("open('C:/Users/ann/fox.png')", "a path of a home, C:/Users/ann", id="a home with slashes"),
    pytest.param("open('/mnt/c/Users/ann/fox.png')", "a path of a home, /mnt/c/Users/ann", id="a home in WSL"),
    pytest.param("see file:///root/fox.png", "a path of a home, /root/fox.png", id="the home of root"),
    pytest.param("https://example.org/home/ann/fox.png", "", id="home of a server"),
    pytest.param("Authorization: Bearer abcdefghijklmn.opqr", "a token, Bea…", id="header"),
    pytest.param("%env AWS_SECRET_ACCESS_KEY=abcdefghijklm1/nop", "AWS_SECRET_ACCESS_KEY=…", id="shell"),
    pytest.param("%env MY_TOKEN abcdefghijklm1", "a secret by its name, MY_TOKEN …", id="magic"),
    pytest.param("AKIAABCDEFGHIJKLMNOP", "a token, AKI…", id="AWS"),
    pytest.param("gho_abcdefghijklmnopqrstuvwxyz", "a token, gho…", id="GitHub"),
    pytest.param("tokenizer = 'a/b-tokenizer'; TOKEN = os.environ['A1']", "", id="no secrets"),
    pytest.param("open('/home/jovyan/work/fox.png')", "", id="the home of a container"),
]


@pytest.mark.parametrize(("source", "named"), SECRETS)
def test_a_secret_is_named_with_its_cell_and_not_shown(
    source: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "the-own-secret-value")
    found = [str(one) for one in find_secrets({"paper.ipynb, cell 7, its source": source})]
    assert bool(found) is bool(named)
    assert all(one.startswith("paper.ipynb, cell 7, its source: ") and named in one for one in found)
    assert not any(secret in str(found) for secret in ("efghij", "56789abc", ":secret", "own-secret"))


def test_nothing_is_written_if_there_is_a_secret_and_paths_are_packed_only_if_allowed(
    capsule: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(capsule.parent / "paper", tmp_path / "in")
    notebook, home = tmp_path / "in" / Path(NAME).name, Path.home()
    write_notebook(notebook, cell("where()", printed(f"{home}/fox.png\n")), cell("go('hf_abcdefghijklmnop')"))
    assert pack(notebook, tmp_path / "out.zip") == 1
    assert capsys.readouterr().err.splitlines() == [
        f"fox in winter.ipynb, cell 7, its output: a path of a home, {home}/fox.png",
        "fox in winter.ipynb, cell 8, its source: a token, hf_…",
        "flux-magic: nothing is packed: 2 things should not be shared",
        SecretsFound([Secret("", "")]).hint,
    ]
    write_notebook(notebook, cell("where()", printed(f"{home}/fox.png\n")))
    assert pack(notebook, tmp_path / "out.zip") == 1
    assert [one.name for one in tmp_path.iterdir()] == ["in"]
    assert pack(notebook, tmp_path / "out.zip", "--allow-paths") == 0


def test_a_secret_in_the_metadata_of_an_image_is_found_wherever_the_image_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "fox.png", pnginfo=tell(made_by="hf_abcdefghijklmnop"))
    image = Image.new("RGB", (8, 8))
    image.getexif()[0x010E] = "/home/ann/fox"
    image.save(out := io.BytesIO(), "JPEG", exif=image.getexif())
    shown = {"image/jpeg": base64.b64encode(out.getvalue()).decode()}
    notebook = tmp_path / "paper.ipynb"
    output = {"output_type": "display_data", "data": shown, "metadata": {}}
    write_cells(notebook, cell("draw(image='fox.png')", output))
    assert pack(notebook, tmp_path / "out.zip") == 1
    assert capsys.readouterr().err.splitlines()[:2] == [
        "paper.ipynb, cell 1, its output: a path of a home, /home/ann/fox",
        "fox.png: a token, hf_…",
    ]
    assert pack(notebook, tmp_path / "out.zip", "--allow-secrets") == 1
    assert not (tmp_path / "out.zip").exists()
    assert pack(notebook, tmp_path / "out.zip", "--allow-secrets", "--allow-paths") == 0
    assert "fox.png" in archive.unpack(tmp_path / "out.zip", tmp_path / "in")


def tell(**strings: str) -> PngInfo:
    told = PngInfo()
    for name, value in strings.items():
        told.add_text(name, value, zip=True)
    return told


def alter_pixel(notebook: Any) -> None:
    data = notebook["cells"][3]["outputs"][0]["data"]
    image = Image.open(io.BytesIO(base64.b64decode("".join(data["image/png"]))))
    image.putpixel((5, 5), (1, 2, 3))
    image.save(out := io.BytesIO(), "PNG")
    data["image/png"] = base64.b64encode(out.getvalue()).decode()


def flip(path: Path, at: int = -60) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


ALTERED: list[Any] = [
    pytest.param(lambda _: None, {}, {}, id="nothing"),
    pytest.param(
        lambda at: flip_pixel(at / "flux_images" / f"{FOX}.webp"),
        {f"flux_images/{FOX}.webp": "altered since it was made.*altered after signing"},
        {f"flux_images/{FOX}.webp": "altered since it was made.*altered after signing"},
        id="pixel of a file",
    ),
    pytest.param(
        lambda at: edit_json(at / PAPER, alter_pixel),
        {f"{PAPER}, cell 3": "its output changed; altered since it was made"},
        {f"{PAPER}, cell 3": "altered since it was made"},
        id="pixel in the notebook",
    ),
    pytest.param(
        lambda at: edit_json(at / "flux_images" / f"{FOX}.json", lambda one: one["run"].update(seed=43)),
        {f"flux_images/{FOX}.json": "the record was edited: .*seed"},
        {f"flux_images/{FOX}.webp": "the record was edited: .*seed"},
        id="record",
    ),
    pytest.param(
        lambda at: edit_json(at / PAPER, lambda one: one["cells"][3].update(source="%%flux\na blue fox")),
        {f"{PAPER}, cell 3": "its source changed"},
        {},  # what it shows is compared when it is run
        id="cell",
    ),
    pytest.param(
        lambda at: edit_json(at / PAPER, lambda one: one["cells"][0].update(source="# A dog")),
        {f"{PAPER}, Markdown cell 1": "its source changed"},
        {},
        id="words",
    ),
    pytest.param(
        lambda at: edit_json(at / PAPER, lambda one: one["cells"].pop(4)),
        {f"{PAPER}, cell 3": "a cell was removed after it"},
        {},
        id="cell that is gone",
    ),
    pytest.param(
        lambda at: edit_json(at / PAPER, lambda one: one["metadata"].update(a=1)),
        {PAPER: "not in a cell"},
        {},
        id="metadata",
    ),
    pytest.param(
        lambda at: flip(get_input(at)),
        {"flux_images/inputs/ca/cad2d172": "^$"},
        {"flux_images/inputs/ca/cad2d172": "not the image that went in"},
        id="ingredient",
    ),
    pytest.param(
        lambda at: edit_json(at / "capsule.json", lambda one: one["notebooks"][0]["cells"][3].update(source="0")),
        {"capsule.json": "^$"},
        {},
        id="list of cells",
    ),
    pytest.param(lambda at: (at / "README.md").unlink(), {"README.md": "^$"}, {}, id="file that is gone"),
    pytest.param(lambda at: (at / "more.py").touch(), {"more.py": "^$"}, {}, id="file that was added"),
]


@pytest.mark.parametrize("is_sealed", [pytest.param(True, id="sums as packed"), pytest.param(False, id="new sums")])
@pytest.mark.parametrize(("alter", "named", "named_by_content"), ALTERED)
def test_what_was_altered_is_named_and_nothing_else(
    alter: Callable[[Path], object], named: Any, named_by_content: Any, unpacked: Path, *, is_sealed: bool
) -> None:
    alter(unpacked)
    told = manifest.read_manifest(unpacked)
    if not is_sealed:  # whoever alters a capsule can compute its sums as well
        sums = {PAPER: manifest.sum_cells((unpacked / PAPER).read_bytes())}
        told = manifest.Manifest(told.title, told.python, told.source, sums)
        (unpacked / manifest.MANIFEST).write_bytes(told.as_bytes())
        manifest.write_sums(unpacked)
    checked = check(unpacked, told)
    found = {one.label: one.why for one in checked.findings}
    found |= {one.label: one.why for one in checked.images.verdicts if one.status.value != "pass"}
    expected = named if is_sealed else named_by_content
    assert checked.images.problems == ()
    assert len(found) == len(expected)
    for (label, why), (start, pattern) in zip(sorted(found.items()), sorted(expected.items()), strict=True):
        assert label.startswith(start)
        assert re.search(pattern, why), why
    assert checked.passed is (not expected)

"""The README's code runs, as it is there: in a script, and in a notebook in each of the ways that it names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import IPython
import nbformat
import pytest
from nbclient import NotebookClient

import flux_magic
from flux_magic.cli import main
from flux_magic.providers import local
from tests.support.kernel import Kernel, run_kernel
from tests.support.limits import PROGRAM

ROOT = Path(__file__).parents[2]
FENCED = re.findall(r"^```(.*?)\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
PYTHON = [block for language, block in FENCED if language == "python"]
CELLS = [block for language, block in FENCED if not language]
SHELL = [
    line.partition(" #")[0].strip() for language, block in FENCED if language == "sh" for line in block.splitlines()
]
HUB = [block for block in PYTHON if "get_config" in block]  # tests/kernel/test_on_a_hub.py
MAGIC = [block for block in PYTHON if "%" in block and block not in HUB]
BLOCKS = [block for block in PYTHON if block not in MAGIC + HUB]
EXAMPLES = [block for block in BLOCKS if "create_async_generator" in block]
OTHERS = [block for block in BLOCKS if block not in EXAMPLES]
LAST = "asyncio.run(main())\n"


def pointed_at(space: str) -> str:
    """There is no internet in a test: the provider's endpoint is moved, as a user would for another Space."""
    return (
        "from flux_magic.providers import BlackForestLabs_Flux1Schnell\n"
        f"BlackForestLabs_Flux1Schnell.api_endpoint = '{space}/call/infer'\n"
    )


def test_every_block_of_the_readme_is_run_by_a_test() -> None:
    assert [len(blocks) for blocks in (EXAMPLES, OTHERS, MAGIC, HUB, CELLS)] == [2, 6, 2, 1, 2]
    assert len(FENCED) == 13 + 6, "there are six for the shell"
    assert all(example.endswith(LAST) for example in EXAMPLES)
    assert {language for language, _ in FENCED} == {"python", "sh", ""}


def test_the_cells_show_an_image_and_a_sheet(kernel: Kernel) -> None:
    kernel.run_ok("%config FluxMagics.width = 256\n%config FluxMagics.height = 256")
    first, sheet = (kernel.run_ok(cell) for cell in CELLS)
    kernel.run_ok("%config FluxMagics.width = None\n%config FluxMagics.height = None")
    assert len(first.get_shown("image/png")) == 1
    assert len(sheet.get_shown("image/jpeg")) == 1
    assert kernel.run_ok("print(len(foxes))").stdout == "12\n"


def test_the_commands_of_the_package_run(
    space: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLUX_MAGIC_SPACE", space)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    cells = ["%load_ext flux_magic", "%flux --size 256x256 --seed 1 --output fox a red fox"]
    cells += ["fox.save('pictures/fox.jpg')\nfox.save('fox.png')"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(made, resources={"metadata": {"path": str(tmp_path)}}, kernel_name="python3").execute()
    nbformat.write(made, "my_notebook.ipynb")
    saved = flux_magic.recall("fox.png").record
    assert saved is not None
    digest = saved.files[0].digest[:12]
    names = {
        "*.ipynb": "my_notebook.ipynb",
        "*.jpg": "fox.jpg",
        "paper.ipynb": "my_notebook.ipynb",
        "1a2b3c4d5e6f": digest,
    }
    typed = [line for line in SHELL if line.startswith("flux-magic ")]
    for name, there in names.items():
        typed = [line.replace(name, there) for line in typed]
    # tests/packaging/test_capsule_elsewhere.py and tests/wire/test_capsule_live.py have these two.
    commands = [shlex.split(line)[1:] for line in typed if not line.endswith(("--env", "--live"))]
    try:
        assert [main(command) for command in commands] == [0] * 15, capsys.readouterr()
    finally:
        local.shared.close()
    assert {path.name for path in tmp_path.iterdir()} >= {"report.html", "flux_images", "my_notebook.html", "talk"}


def test_what_the_shell_is_told_is_there() -> None:
    """Return the tests of the wheel install it, and CI runs `make test`; here the names are looked up."""
    others = [line for line in SHELL if not line.startswith("flux-magic ")]
    targets = set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text()))
    assert {line.removeprefix("make ") for line in others if line.startswith("make ")} <= targets
    [install] = [line for line in others if line.startswith("pip install ")]
    assert install == 'pip install -e ".[local,panel]" jupyterlab'
    assert "jupyter lab" in others
    assert "jupyter nbconvert --to html --template flux_magic my_notebook.ipynb" in others  # tests/unit/test_page.py
    assert len(others) == 5


def test_the_python_passes_a_strict_type_checker(tmp_path: Path) -> None:
    blocks = [block for block in EXAMPLES + OTHERS if "%" not in block]
    paths = [tmp_path / f"block_{number}.py" for number in range(len(blocks))]
    for path, block in zip(paths, blocks, strict=True):
        path.write_text(block)
    options = ["--strict", "--config-file", "pyproject.toml", "--cache-dir", str(ROOT / ".mypy_cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *paths], cwd=ROOT, capture_output=True, text=True, timeout=PROGRAM
    )
    assert done.returncode == 0, done.stdout


def script(code: str, folder: Path) -> str:
    path = folder / "example.py"
    path.write_text(code)
    strict = ("-W", "error", *(("-W", "ignore::DeprecationWarning") if IPython.version_info < (8,) else ()))
    done = subprocess.run([sys.executable, *strict, path], cwd=folder, capture_output=True, text=True, timeout=PROGRAM)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_usage_example_runs_as_a_script(example: str, space: str, tmp_path: Path) -> None:
    said = script(pointed_at(space) + example, tmp_path)
    assert re.match(rf"\['{space}/gradio_api/file=\S+\.webp'\]", said)
    assert example == EXAMPLES[0] or said.endswith(" 42\n"), "the seed that was given is the one reported"


def test_the_python_examples_run_in_a_script(tmp_path: Path) -> None:
    """In one: each would start a local Space of its own."""
    said = script("\nprint('--')\n".join(OTHERS), tmp_path)
    for part in said.split("--\n"):
        assert re.fullmatch(
            r"[0-9a-f]{64}\n([0-5]\n){0,6}|\[42, 43\]\n|7 done\n|8\n|made with seed 7\ncompared \[1, 2, 4\]\n", part
        )


def test_the_magic_examples_run_in_cells(kernel: Kernel) -> None:
    for block in MAGIC:
        cell = kernel.run_ok(block)
    assert cell.outputs[0]["data"]["text/plain"].startswith("Panel(prompt='a red fox in the morning mist'")


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("last", ["await main()\n", "import flux_magic\nflux_magic.run(main())\n"])
def test_a_usage_example_runs_in_a_cell(kernel: Kernel, example: str, last: str, space: str) -> None:
    kernel.run_ok(pointed_at(space))
    assert ".webp" in kernel.run_ok(example.replace(LAST, last)).stdout


@pytest.mark.thorough
def test_the_usage_examples_run_as_they_are_under_the_nest_runner(space: str) -> None:
    with run_kernel() as nested:
        nested.run_ok("%load_ext flux_magic\n%config FluxMagics.runner = 'nest'")
        nested.run_ok(pointed_at(space))
        for example in EXAMPLES:
            assert ".webp" in nested.run_ok(example).stdout

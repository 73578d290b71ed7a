"""The README's code runs, as it stands there: in a script, and in a notebook in each of the ways that it names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.kernel import Kernel, running_kernel

README = Path(__file__).parents[2] / "README.md"
PYTHON = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
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


def test_the_readme_has_the_two_usage_examples_and_four_of_python() -> None:
    assert len(EXAMPLES) == 2
    assert len(OTHERS) == 4
    assert all(example.endswith(LAST) for example in EXAMPLES)


def script(code: str, folder: Path) -> str:
    path = folder / "example.py"
    path.write_text(code)
    done = subprocess.run([sys.executable, "-W", "error", path], cwd=folder, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_usage_example_runs_as_a_script(example: str, space: str, tmp_path: Path) -> None:
    said = script(pointed_at(space) + example, tmp_path)
    assert re.match(rf"\['{space}/gradio_api/file=\S+\.webp'\]", said)


def test_the_seed_that_was_given_is_the_one_reported(space: str, tmp_path: Path) -> None:
    assert script(pointed_at(space) + EXAMPLES[1], tmp_path).endswith(" 42\n")


@pytest.mark.parametrize("block", OTHERS)
def test_the_python_examples_run_as_scripts(block: str, tmp_path: Path) -> None:
    said = script(block, tmp_path)
    assert re.fullmatch(r"[0-9a-f]{64}\n([0-5]\n){0,6}|\[42, 43\]\n|made with seed 7\ncompared 3\n", said)


def test_the_magic_examples_run_in_cells(kernel: Kernel) -> None:
    for block in MAGIC:
        cell = kernel.ok(block)
    assert cell.outputs[0]["data"]["text/plain"].startswith("Panel(prompt='a red fox in the morning mist'")


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("last", ["await main()\n", "import flux_magic\nflux_magic.run(main())\n"])
def test_a_usage_example_runs_in_a_cell(kernel: Kernel, example: str, last: str, space: str) -> None:
    kernel.ok(pointed_at(space))
    assert ".webp" in kernel.ok(example.replace(LAST, last)).stdout


def test_the_usage_examples_run_as_they_are_under_the_nest_runner(space: str) -> None:
    with running_kernel() as nested:
        nested.ok("%load_ext flux_magic\n%config FluxMagics.runner = 'nest'")
        nested.ok(pointed_at(space))
        for example in EXAMPLES:
            assert ".webp" in nested.ok(example).stdout

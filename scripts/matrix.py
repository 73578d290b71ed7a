"""The tests on the stacks that people have, each in an environment of its own: build/matrix.md is the table.

    python scripts/matrix.py                                 # all
    python scripts/matrix.py colab lowest
    python scripts/matrix.py --parts=unit,few lowest newest

A stack whose Python is not installed is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

UV: Final = Path(".venv/bin/uv")
LOGS: Final = Path("build/matrix")
PACKAGE: Final = ".[local,page,panel,verify,pandas,figure,sign,pack]"
JSONSCHEMA: Final = "jsonschema==4.24.*"
"""Later ones take seconds to import, as constraints.txt says."""
TOOLS: Final = (
    *("hypothesis", "nbclient", "nbconvert", "nbformat", "nbval", "papermill", "pytest"),
    *("pytest-random-order", "pytest-xdist"),
)
NOTEBOOKS: Final = ("01_quickstart.ipynb", "02_panel.ipynb")
SHOWN: Final = ("ipython", "ipykernel", "ipywidgets", "jupyterlab", "gradio", "aiohttp", "pillow")
PARTS: Final = {
    "unit": ("--numprocesses=auto", "--dist=loadfile", "tests/unit"),
    "kernel": ("--numprocesses=auto", "--dist=loadfile", "tests/kernel"),
    "few": ("--numprocesses=auto", "--dist=loadfile", "tests/kernel/test_magic.py", "tests/kernel/test_sweeps.py"),
    "notebooks": ("--nbval", "--nbval-cell-timeout=120", "{notebooks}"),
    # What compares an image's bytes wants one Pillow on both sides; another writes the same pixels otherwise.
    "wire": ("--numprocesses=auto", "--dist=loadfile", "--ignore=tests/wire/test_verify_images.py", "tests/wire"),
}
# What older libraries warn of among themselves is no error.
WARNINGS: Final = (
    "--override-ini=filterwarnings=error\nignore::DeprecationWarning\nignore::FutureWarning\nignore::ResourceWarning\n"
    "ignore::pytest.PytestUnraisableExceptionWarning\nerror:::flux_magic"
)
COLAB: Final = (
    *("ipython==7.34.*", "ipykernel==6.17.*", "ipywidgets==7.7.*", "traitlets==5.7.1", "jupyter-client==6.1.12"),
    *("tornado==6.3.*", "pandas==2.2.*", "pillow==11.*", "gradio==5.50.*"),
)
BINDER_LOCK: Final = "repo2docker/buildpacks/conda/environment.py-3.11-linux-64.lock"
BINDER: Final = (
    "ipykernel",
    "ipython",
    "ipywidgets",
    "jupyterlab",
    "jupyter_client",
    "nbclient",
    "notebook",
    "tornado",
)


@dataclass(frozen=True)
class Stack:
    """An environment: its Python, what it has beside the package, and which parts of the tests run in it.

    Attributes:
        options: of `uv pip install`, for the package and `packages`; the tools come after, in their newest versions.
        space_only: it only serves the local Space, and the tests run in the project's own environment.
    """

    name: str
    python: str
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    parts: tuple[str, ...] = ("unit", "kernel", "notebooks")
    space_only: bool = False

    @property
    def folder(self) -> Path:
        return Path(f".venv-{self.name}")

    @property
    def interpreter(self) -> Path:
        return self.folder.absolute() / "bin" / "python"


def read_locked() -> tuple[str, ...]:
    """Return what repo2docker puts into a Binder image, by its own lock file."""
    (lock,) = Path(".venv").glob(f"lib/*/site-packages/{BINDER_LOCK}")
    found = dict(re.findall(r"/([a-z_]+)-(\d[\d.]*)-[^/]*$", lock.read_text().replace("#", "\n"), re.MULTILINE))
    return tuple(f"{name}=={found[name]}" for name in BINDER)


def list_stacks() -> list[Stack]:
    """Return all stacks."""
    pinned = ("--constraint", "constraints.txt")
    gradio4 = "gradio==4.44.* huggingface_hub<0.26 pydantic==2.10.6 fastapi==0.115.6 starlette==0.41.3 pillow<11"
    served = Stack("gradio5", "3.11", ("gradio==5.50.*",), parts=("wire",), space_only=True)
    return [
        Stack("colab", "3.11", COLAB),
        Stack("colab-3.10", "3.10", COLAB, parts=("kernel", "notebooks")),
        Stack("binder", "3.11", read_locked(), parts=("kernel", "notebooks")),
        Stack("ipykernel6", "3.11", ("ipykernel==6.31.*", "ipython==8.*"), parts=("kernel", "notebooks")),
        Stack("lowest", "3.10", options=("--resolution", "lowest-direct")),
        Stack("newest", "3.13"),
        *(Stack(f"python{version}", version, options=pinned) for version in ("3.10", "3.11", "3.12", "3.13")),
        served,
        # Gradio 4.44 starts only with these.
        replace(served, name="gradio4", packages=tuple(gradio4.split())),
    ]


def find_python(version: str) -> str | None:
    """Return a Python of this version that runs: pyenv's stand-in on the path may not, where its own folder has one."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin")
    for folder in (*os.get_exec_path(), *map(str, kept)):
        found = shutil.which(f"python{version}", path=folder)
        if found and subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return found
    return None


def set_up(stack: Stack, python: str) -> None:
    """Create its environment, or update it."""
    install = [str(UV), "pip", "install", "--quiet", "--python", str(stack.interpreter)]
    if not stack.interpreter.exists():
        subprocess.run([UV, "venv", "--quiet", "--python", python, stack.folder], check=True)
    own = () if stack.space_only else ("--editable", PACKAGE, JSONSCHEMA)
    subprocess.run([*install, *stack.options, *own, *stack.packages], check=True)
    if not stack.space_only:
        # What the stack has stays as it is: a tool that wants another version says so by an error.
        kept = LOGS / f"{stack.name}.txt"
        frozen = subprocess.run([UV, "pip", "freeze", "--python", stack.interpreter], capture_output=True, check=True)
        kept.write_text("\n".join(line for line in frozen.stdout.decode().splitlines() if "==" in line))
        subprocess.run([*install, "--constraint", kept, *TOOLS], check=True)


def describe_versions(stack: Stack) -> str:
    """Return the versions that matter."""
    command = [str(UV), "pip", "list", "--format", "json", "--python", str(stack.interpreter)]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    found = {package["name"]: package["version"] for package in listed}
    return ", ".join(f"{name} {found[name]}" for name in SHOWN if name in found)


def run(stack: Stack, part: str) -> tuple[str, bool]:
    """Run a part of the tests there; returns its line for the table, and True if all passed."""
    notebooks = LOGS / stack.name
    shutil.rmtree(notebooks, ignore_errors=True)
    notebooks.mkdir()
    for name in NOTEBOOKS:
        shutil.copy(f"notebooks/{name}", notebooks)
    arguments = [argument.format(notebooks=notebooks) for argument in PARTS[part]]
    python = Path(".venv/bin/python").absolute() if stack.space_only else stack.interpreter
    # A kernel, and a Space, are started by the name of Python, so the stack's own has to come first.
    environment = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "FLUX_MAGIC_SPACE_PYTHON": str(stack.interpreter),
        "FLUX_MAGIC_STORE": str((notebooks / "store").absolute()),
    }
    log, begin = LOGS / f"{stack.name}-{part}.log", time.monotonic()
    with log.open("w") as file:
        command: list[str | Path] = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", WARNINGS, *arguments]
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False)
    counted = re.search(r"(\d+ [a-z]+(?:, \d+ [a-z]+)*) in [\d.]+s", log.read_text()[-300:])
    said = counted[1] if counted else f"stopped; see {log}"
    return f"{part}: {said}, {time.monotonic() - begin:.0f} s", done.returncode == 0


def build_row(stack: Stack) -> tuple[str, bool]:
    """Return a line of the table, and True if all passed."""
    python = find_python(stack.python)
    if python is None:
        return f"| {stack.name} | Python {stack.python} | left out: not installed | |", True
    begin = time.monotonic()
    set_up(stack, python)
    prepared = time.monotonic() - begin
    results = [run(stack, part) for part in stack.parts]
    said = "; ".join(text for text, _ in results)
    well = all(passed for _, passed in results)
    has = f"Python {stack.python}, {describe_versions(stack)}"
    return f"| {stack.name} | {has} | {said}{'' if well else ' **failed**'} | {prepared:.0f} s |", well


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Return the stacks and the parts of the tests that the command line names; it may name neither."""
    known = [stack.name for stack in list_stacks()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="STACK", help=f"of {', '.join(known)} (all)")
    parser.add_argument("--parts", type=lambda text: text.split(","), help=f"of {', '.join(PARTS)} (each stack's own)")
    options = parser.parse_args(arguments)
    for given, there_are in ((options.names, known), (options.parts or [], list(PARTS))):
        if unknown := [name for name in given if name not in there_are]:
            parser.error(f"there is no {', '.join(unknown)}: choose of {', '.join(there_are)}")
    options.names = options.names or known
    return options


def main(arguments: list[str]) -> int:
    """Run the stacks that are asked for; the exit code is 1 where something failed."""
    if not UV.exists():
        print("the stacks are made by uv, which could not be installed: see .venv/uv.log", file=sys.stderr)
        return 1
    options = parse_options(arguments)
    known = {stack.name: stack for stack in list_stacks()}
    LOGS.mkdir(parents=True, exist_ok=True)
    lines, all_well = ["| stack | what it has | what ran | set up |", "|---|---|---|---|"], True
    for name in options.names:
        stack = known[name]
        line, well = build_row(replace(stack, parts=tuple(options.parts or stack.parts)))
        lines.append(line)
        all_well &= well
        print(line, flush=True)
        Path("build/matrix.md").write_text("\n".join(lines) + "\n")
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

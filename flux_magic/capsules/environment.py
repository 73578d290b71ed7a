"""An environment with the versions that a capsule lists, made by uv or pip, and how the present one differs from it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..errors import CapsuleError, InvalidRequest
from ..types import fit_one_line
from .manifest import REQUIREMENTS, Manifest

_SECONDS: Final = 3600
_EXACT: Final = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")


def make(folder: Path, manifest: Manifest, target: Path, tool: str = "auto") -> str:
    """Make an environment for a capsule, and return its Python.

    Args:
        folder: of the unpacked capsule, whose requirements.txt is installed. Where the packages are from is for uv and
            pip to say, by their own configuration: a machine without a network needs a folder of wheels there.
        manifest: of the capsule.
        target: the folder of the environment, which does not exist yet.
        tool: `uv`, `pip`, or `auto` for uv if it is installed.

    Raises InvalidRequest if the tool is not installed, and CapsuleError if it fails.
    """
    uv = _find_uv()
    if tool == "uv" and not uv:
        raise InvalidRequest("uv is not installed: --env pip does without it")
    python = target / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    version = ".".join(manifest.python.split(".")[:2])
    if uv and tool != "pip":
        _run([*uv, "venv", "--quiet", "--python", version, str(target)], folder)
        _run([*uv, "pip", "install", "--quiet", "--python", str(python), "-r", REQUIREMENTS], folder)
    else:
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        base = sys.executable if version == here else shutil.which(f"python{version}") or sys.executable
        _run([base, "-m", "venv", str(target)], folder)
        _run([str(python), "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], folder)
    return str(python)


def note_python(python: str, manifest: Manifest) -> list[str]:
    """Return a note if an environment has another Python than a capsule lists, as pip makes it with the present one."""
    asked = [python, "-c", "import platform; print(platform.python_version())"]
    version = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return [] if version == manifest.python else [f"the environment has Python {version}, not {manifest.python}"]


def _find_uv() -> list[str]:
    """Return the command that runs uv: a program, or a module of this environment; empty without either."""
    if path := shutil.which("uv"):
        return [path]
    return [sys.executable, "-m", "uv"] if find_spec("uv") else []


def _run(arguments: list[str], folder: Path) -> None:
    try:
        subprocess.run(  # noqa: S603 - the user's own uv or pip
            arguments, cwd=folder, check=True, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip() or error.stdout.strip() or "it says nothing").splitlines()
        why = next((line for line in reversed(said) if line.startswith("ERROR")), " ".join(said))  # pip's, or uv's
        raise CapsuleError(f"no environment: {Path(arguments[0]).name} failed: {fit_one_line(why, 400)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CapsuleError(f"no environment: {fit_one_line(str(error))}") from error


def list_other_versions(folder: Path, manifest: Manifest) -> list[str]:
    """Return in what this environment differs from the one that a capsule lists: `pillow 12.3.0, here 11.0.0`."""
    wanted = {"Python": manifest.python, **_read_requirements(folder)}
    here = {name: _find_version(name) for name in wanted}
    return [
        f"{name} {version}, here {here[name] or 'none'}" for name, version in wanted.items() if version != here[name]
    ]


def _read_requirements(folder: Path) -> Mapping[str, str]:
    try:
        lines = (folder / REQUIREMENTS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {match[1]: match[2] for line in lines if (match := _EXACT.fullmatch(line.strip()))}


def _find_version(name: str) -> str:
    if name == "Python":
        return ".".join(map(str, sys.version_info[:3]))
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""

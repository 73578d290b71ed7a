"""A capsule is checked on another machine: unpacked, compared, run again from its own store, and reported."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from ..client.progress import show_count
from ..errors import CapsuleError, InvalidRequest
from ..verify.live import check as check_live
from ..verify.report import Report
from . import environment, rerun
from .archive import unpack
from .check import Finding, check, shorten
from .manifest import Manifest, read_manifest
from .report import Reproduction

_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of a check that the user chooses.

    Attributes:
        static: run nothing.
        env: make an environment by `uv`, `pip` or `auto` (either); "" uses the present one.
        live: ask the models as well.
        space: the Space that is asked, in place of the images' own.
        provider: the engine that is asked for the images that it made.
    """

    static: bool = False
    env: str = ""
    live: bool = False
    space: str | None = None
    provider: str | None = None


def reproduce(path: Path, plan: Plan) -> Reproduction:
    """Check a capsule, and return the findings. All is unpacked into a temporary folder, which is then deleted.

    Nothing is run, and no model asked, if anything was altered since the capsule was packed.

    Raises CapsuleError for what is no capsule, and InvalidRequest and MissingExtra for what cannot be done here.
    """
    if not path.is_file():
        raise InvalidRequest(f"{path.as_posix()} is not a file: give the zip file of a capsule")
    if not plan.static:
        rerun.check_installed()
    with tempfile.TemporaryDirectory(prefix="flux_magic-") as made:
        folder = Path(made).resolve() / "capsule"
        folder.mkdir()
        unpack(path, folder)
        try:
            manifest = read_manifest(folder)
            checked = check(folder, manifest)
        except CapsuleError as error:
            raise CapsuleError(f"{path.as_posix()}: {error.message}") from error
        if plan.static or checked.findings:
            why = "--static" if plan.static else "the capsule was altered"
            return Reproduction(path.name, manifest, checked, not_run=why)
        cells, notes = _run_again(folder, manifest, plan, Path(made).resolve())
        live = _ask_models(folder, manifest, plan) if plan.live else None
        return Reproduction(path.name, manifest, checked, cells, live=live, notes=notes)


def _run_again(
    folder: Path, manifest: Manifest, plan: Plan, beside: Path
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Run the notebooks, here or in an environment of their own; return the findings and notes."""
    if plan.env:
        python = environment.make(folder, manifest, beside / "environment", plan.env)
        notes = environment.note_python(python, manifest)
    else:
        python, notes = sys.executable, _note_versions(environment.list_other_versions(folder, manifest))
    total = sum(len(cells) for cells in manifest.notebooks.values())
    (beside / "home").mkdir()
    with show_count("cells") as on_done:
        done = count(1)
        found = rerun.rerun(
            folder,
            list(manifest.notebooks),
            python=python,
            home=beside / "home",
            told=lambda name: on_done(min(next(done), total), total, name),
        )
    return tuple(found), tuple(notes)


def _note_versions(others: list[str]) -> list[str]:
    if not others:
        return []
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return [f"other versions than the capsule lists, and --env has those: {'; '.join(others[:_MOST_NAMED])}{more}"]


def _ask_models(folder: Path, manifest: Manifest, plan: Plan) -> Report:
    paths = [folder / name for name in manifest.notebooks]
    with show_count("regenerated") as told:
        report = asyncio.run(check_live(paths, space=plan.space, provider=plan.provider, told=told))
    return shorten(report, folder)

"""The check of an unpacked capsule that runs nothing: files, cells and images, each named if it was altered."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from ..errors import CapsuleError, NotAnImage, StoreError
from ..images.codecs import compute_digest
from ..records.inputs import KeptInput, is_kept_name, read_kept
from ..records.listing import is_record_name
from ..records.store import BESIDE
from ..verify.report import Report
from ..verify.static import check_static
from ..verify.verdict import Outcome, Status, Verdict
from .archive import list_files
from .cells import Cell, read_cells
from .manifest import MANIFEST, Manifest, compare_sums

ALTERED: Final = "altered"
MISSING: Final = "missing"
SAVED: Final = "as saved"
DIFFERS: Final = "differs"
UNCOMPARED: Final = "not compared"
_OF_SHEET: Final = " of the sheet"

_MOST_PAIRS: Final = 4_000_000
"""Cells of two notebooks are not matched if there are more pairs of them, which takes long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of a file or a cell.

    Attributes:
        label: its place: `flux_images/a-fox.png`, or `paper.ipynb, cell 3`.
        state: `altered`, `missing` or `not packed` of a file; of a cell also `as saved`, `differs`, `not compared`.
        why: the reason in words; may be empty.
    """

    label: str
    state: str
    why: str = ""

    @property
    def passed(self) -> bool:
        """True if it is as it should be, as far as it was compared."""
        return self.state in {SAVED, UNCOMPARED}


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of the check that runs nothing.

    Attributes:
        files: how many files the capsule has.
        findings: what is not as it was packed.
        images: the verdicts on the images that none of the findings names.
    """

    files: int
    findings: tuple[Finding, ...]
    images: Report

    @property
    def passed(self) -> bool:
        """True if all is as it was packed, and every image is what its record says."""
        images = self.images
        return not self.findings and not images.problems and all(one.status is Status.PASS for one in images.verdicts)


def check(folder: Path, manifest: Manifest) -> Checked:
    """Compare an unpacked capsule with its sums, and its images with their records and signatures.

    What follows from an altered file is not named beside it: a changed record, for example, makes its image seem wrong.
    Raises CapsuleError if the capsule has no sums.
    """
    changed = compare_sums(folder)
    findings: list[Finding] = []
    for name, sums in manifest.notebooks.items():
        state = changed.pop(name, "")
        if state or MANIFEST not in changed:  # else the sums of its cells are those that were altered
            findings += _compare_notebook(folder, name, sums, state=state)
    report = _check_images(folder, manifest, is_changed=bool(changed))
    by_label = {one.label: one for one in report.verdicts}
    for name, state in changed.items():
        findings.append(Finding(name, state, _explain(name, by_label) if state == ALTERED else ""))
    findings += _check_inputs(folder, changed)
    named = {one.label for one in findings}
    images = [one for one in report.verdicts if not _is_named(one, named, changed)]
    problems = [line for line in report.problems if not any(line.startswith(f"{label}:") for label in named)]
    findings = [_add_reason(one, by_label) for one in findings]
    return Checked(
        len(list_files(folder)), tuple(findings), replace(report, verdicts=tuple(images), problems=(*problems,))
    )


def _check_inputs(folder: Path, changed: dict[str, str]) -> Iterator[Finding]:
    """Yield the images that went into others and are not those that their names say, whatever the sums are."""
    for name in list_files(folder):
        path = folder / name
        if is_kept_name(path.name) and name not in changed:
            digest, _, sha256 = path.stem.partition("-")
            try:
                data = read_kept(KeptInput(digest, path, sha256))
                is_same = path.suffix == ".jpg" or compute_digest(data) == digest  # decoders of JPEG differ
            except (NotAnImage, StoreError):
                is_same = False
            if not is_same:
                yield Finding(name, ALTERED, "it is not the image that went in")


def _compare_notebook(folder: Path, name: str, sums: list[dict[str, str]], *, state: str) -> list[Finding]:
    """Return the cells of a notebook that are not as they were packed; the whole, if it is in no cell."""
    if state == MISSING or not (folder / name).is_file():
        return [Finding(name, MISSING)]
    try:
        cells = read_cells((folder / name).read_bytes())
    except CapsuleError as error:
        return [Finding(name, ALTERED, error.message)]
    found = [Finding(f"{name}, {where}", ALTERED, why) for where, why in _compare_cells(cells, sums)]
    if state and not found:
        found = [Finding(name, ALTERED, "not in a cell: in its metadata, or in how it is written")]
    return found


def _compare_cells(cells: list[Cell], sums: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    now = [cell.compute_sums() for cell in cells]
    if len(now) == len(sums):
        for cell, mine, known in zip(cells, now, sums, strict=True):
            if parts := [part for part in ("source", "outputs") if mine[part] != known[part]]:
                yield cell.name, f"its {' and its '.join(parts).replace('outputs', 'output')} changed"
        return
    if len(now) * len(sums) > _MOST_PAIRS:
        yield "its cells", f"there are {len(now):,}, and {len(sums):,} were packed"
        return
    old, new = ([one["source"] for one in each] for each in (sums, now))
    for kind, start, end, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind in {"insert", "replace"}:
            yield from ((cell.name, "it was added or changed") for cell in cells[first:last])
        elif kind == "delete":
            where = cells[first - 1].name if first else "its beginning"
            yield where, f"{'a cell was' if end - start == 1 else f'{end - start} cells were'} removed after it"


def _check_images(folder: Path, manifest: Manifest, *, is_changed: bool) -> Report:
    """Return the verdicts on the images of the notebooks and of the folders beside them."""
    places = [folder / name for name in manifest.notebooks]
    paths = [path for path in (*places, *sorted({path.parent / BESIDE for path in places})) if path.exists()]
    report = shorten(check_static(paths), folder)
    kept = tuple(one for one in report.verdicts if _OF_SHEET not in one.label or _is_lost(one, is_changed=is_changed))
    return replace(report, verdicts=kept)


def shorten(report: Report, folder: Path) -> Report:
    """Return a report whose places are named from a capsule's folder on."""
    start = f"{folder.as_posix()}/"
    verdicts = tuple(replace(one, label=one.label.replace(start, "")) for one in report.verdicts)
    return replace(report, verdicts=verdicts, problems=tuple(line.replace(start, "") for line in report.problems))


def _is_lost(one: Verdict, *, is_changed: bool) -> bool:
    """Return True for an image of a sheet without a file of its own, which would be checked by itself."""
    return one.static is Outcome.UNTOLD and not is_changed


def _explain(name: str, by_label: dict[str, Verdict]) -> str:
    """Return what the images say of an altered file: of an image itself, or of the record beside it."""
    if verdict := by_label.get(name):
        is_sound = verdict.status is Status.PASS
        return f"the image is {verdict.called}: its pixels did not change" if is_sound else verdict.why
    if is_record_name(PurePosixPath(name).name):
        beside = (one for label, one in by_label.items() if _get_record(label) == name)
        return next((one.why for one in beside if one.static.is_broken), "the record of an image")
    return ""


def _get_record(label: str) -> str:
    """Return the name of the record beside an image's file; the second of several ends in `.2`."""
    path = PurePosixPath(label)
    stem = path.stem.rpartition(".")[0] if path.stem.rpartition(".")[2].isdecimal() and "." in path.stem else path.stem
    return path.with_name(f"{stem}.json").as_posix()


def _is_named(one: Verdict, named: set[str], changed: dict[str, str]) -> bool:
    """Return True if a finding names the image, the cell that shows it, or the record beside it."""
    shown = one.label.partition(", image ")[0]
    return one.status is not Status.PASS and bool({one.label, shown, _get_record(one.label)} & (named | changed.keys()))


def _add_reason(one: Finding, by_label: dict[str, Verdict]) -> Finding:
    """Return a cell's finding with what became of its images."""
    broken = (
        verdict
        for label, verdict in by_label.items()
        if label.partition(", image ")[0] == one.label and ", cell " in label
    )
    why = [verdict.why for verdict in broken if verdict.status is not Status.PASS]
    return replace(one, why="; ".join(dict.fromkeys([one.why, *why]))) if why else one

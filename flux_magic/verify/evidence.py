"""The evidence about one image: what the notebook, the image and a file beside it say, and their contradictions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..errors import NotAnImage, RecordError, format_count
from ..images import codecs, metadata
from ..records import embedding
from ..records import record as records
from ..records.record import Carried, load_json, parse_carried
from ..records.sidecar import find_carried_beside
from ..types import Circumstances, Record, fit_one_line
from .discover import Subject

_LINE: Final = re.compile(r"<flux \d+×\d+ seed=(?P<seed>\d+) steps=(?P<steps>\d+) sha256:(?P<digest>[0-9a-f]{6,64})>")
_PARAMETERS: Final = re.compile(r"Steps: (?P<steps>\d+), .*?\bSeed: (?P<seed>\d+)")
_COMPARED: Final = (
    *("seed", "steps", "prompt", "width", "height", "model", "provider", "space"),
    *("parameters", "images", "sent"),
)
"""Fields, besides `files`, in which two records of one image have to agree. The circumstances are left out, as
tidying tools strip them, and so are the requested values, which differ for an image from a store.
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one image.

    Attributes:
        data: its bytes; None if none are embedded.
        carried: the record to check, and the description of this copy.
        place: the image's place among the record's files, from 0.
        holder: what holds that record: `notebook`, `image` or `file beside it`.
        other: another record of the image, if any.
        other_holder: what holds that other record.
        signed: the record that was signed with the image, if it has one that is intact.
        texts: other sources of seed and steps: for each source their values by name.
    """

    data: bytes | None
    carried: Carried
    place: int
    holder: str
    other: Carried | None
    other_holder: str
    texts: Mapping[str, Mapping[str, str]]
    signed: Carried | None = None


def gather(subject: Subject, signed: Carried | None = None) -> Evidence | None:
    """Return the evidence about an image; None if it has no record anywhere. `signed` is the one in its credentials.

    Raises RecordError for a record that cannot be read, NotAnImage for a file that cannot, and OSError.
    """
    data = subject.data
    beside = (
        find_carried_beside(subject.source, data) if isinstance(subject.source, Path) and data is not None else None
    )
    found = _read_inside(data, forgiving=subject.where == "notebook" or beside is not None)
    line = _find_values(_LINE, subject.line)
    carriers: list[tuple[str, Carried]] = []
    if subject.told is not None:
        holder = "notebook" if subject.where == "notebook" else "sheet"
        carriers.append((holder, _read_told(subject.told, line.get("digest"), data)))
    if found.record:
        with suppress(RecordError) if carriers else nullcontext():  # the notebook's record is the one that counts
            carriers.append(("image", _read_carried(load_json(found.record))))
    if beside is not None:
        carriers.append(("file beside it", beside))
    if signed is not None and not carriers:
        carriers.append(("signature", signed))
    if not carriers:
        return None
    (holder, carried), *others = carriers
    other_holder, other = others[0] if others else ("", None)
    carried = _complete(carried, other)
    texts = {
        "notebook's line": line,
        "image's parameters": _find_values(_PARAMETERS, found.parameters.rpartition("\n")[2]),
    }
    place = _find_place(carried, line.get("digest"), data)
    return Evidence(data, carried, place, holder, other, other_holder, texts, signed)


def _read_inside(data: bytes | None, *, forgiving: bool) -> metadata.Found:
    try:
        return metadata.Found() if data is None else metadata.read(data)
    except NotAnImage:
        if forgiving:  # the image's state is reported with the record found elsewhere
            return metadata.Found()
        raise


def _read_carried(value: Any) -> Carried:
    """Parse a record, with a message of its own for a missing seed, which tools remove most often."""
    try:
        return parse_carried(value)
    except RecordError:
        record = value.get("record") if isinstance(value, dict) else None
        run = record.get("run", record) if isinstance(record, dict) else None
        if isinstance(run, dict) and "prompt" in run and "seed" not in run:
            raise RecordError("its record has no seed") from None
        raise


def _read_told(value: Any, line: str | None, data: bytes | None) -> Carried:
    """Return the record in a notebook's metadata; for version 0 only a checksum describes the copy."""
    carried = _read_carried(value)
    old = value.get("embedded")
    if data is not None and isinstance(old, dict) and old.get("sha256") == embedding.compute_sha256(data):
        with suppress(NotAnImage):
            return Carried(
                carried.record, embedding.describe_copy(data, carried.record, _find_place(carried, line, data))
            )
    return carried


def _complete(carried: Carried, other: Carried | None) -> Carried:
    """Restore what a tool removed from a record, if another carrier still has it and agrees in everything else."""
    if other is None or _list_differences(carried.record, other.record):
        return carried
    stripped = carried.record.circumstances == Circumstances()
    record = replace(carried.record, circumstances=other.record.circumstances) if stripped else carried.record
    return Carried(record, carried.copy or other.copy)


def _find_values(pattern: re.Pattern[str], text: str) -> Mapping[str, str]:
    match = pattern.search(text)
    return match.groupdict() if match else {}


def _find_place(carried: Carried, line: str | None, data: bytes | None) -> int:
    """Return the image's place among the record's files: by its copy, else by the digest of the line or the pixels."""
    if carried.copy is not None:
        return carried.copy.file
    digests = [file.digest for file in carried.record.files]
    digest = line or ""
    if not line and data is not None and len(digests) > 1:
        with suppress(NotAnImage):
            digest = codecs.compute_digest(data)
    return next((place for place, known in enumerate(digests) if digest and known.startswith(digest)), 0)


def find_contradiction(seen: Evidence) -> str:
    """Describe the contradiction between two sources about the image; empty if they agree."""
    record = seen.carried.record
    if seen.other is not None and (names := _list_differences(record, seen.other.record)):
        return _describe_difference(seen.holder, record, seen.other_holder, seen.other.record, names)
    if seen.signed is not None and (names := _list_differences(record, seen.signed.record)):
        return _describe_difference(seen.holder, record, "signature", seen.signed.record, names)
    if _is_copy_another(seen.carried):
        return "its copy has other pixels than the delivered image"
    for teller, values in seen.texts.items():
        for name in ("seed", "steps"):
            if values.get(name, str(getattr(record, name))) != str(getattr(record, name)):
                return f"the record says {name} {getattr(record, name)}, the {teller} {values[name]}"
        if not any(file.digest.startswith(values.get("digest", "")) for file in record.files):
            return f"the {teller} describes other pixels than the record"
    return records.find_contradiction(record)


def find_sheet_contradiction(inside: Sequence[Any], shown: Sequence[Any]) -> str:
    """Describe the contradiction between the records in a sheet and those of the notebook; empty if they agree.

    A record that cannot be read contradicts none: that is reported with its image.
    """
    if len(inside) != len(shown):
        return f"the notebook has {format_count(len(shown), 'record')}, the sheet {len(inside)}"
    for number, pair in enumerate(zip(shown, inside, strict=True), 1):
        with suppress(RecordError):
            ours, theirs = (parse_carried(told).record for told in pair)
            if names := _list_differences(ours, theirs):
                return f"image {number}: {_describe_difference('notebook', ours, 'sheet', theirs, names)}"
    return ""


def is_another(seen: Evidence) -> bool:
    """Return True if the image carries a record of its own and still matches it."""
    if seen.other is None or seen.data is None:
        return False
    return bool(embedding.is_untouched(seen.data, seen.other))


def _list_differences(one: Record, other: Record) -> list[str]:
    names = [name for name in _COMPARED if getattr(one, name) != getattr(other, name)]
    return names or (["files"] if one.files != other.files else [])


def _describe_difference(first: str, one: Record, second: str, other: Record, names: list[str]) -> str:
    """Describe the first two fields in which the two records differ."""
    if names == ["files"]:
        return f"the {first} describes other files than the {second}"
    ours, theirs = (list(_name_values(record, names[:2])) for record in (one, other))
    if len(names) == 1:
        theirs = [theirs[0].partition(" ")[2]]
    return f"the {first} says {' and '.join(ours)}, the {second} {' and '.join(theirs)}"


def _name_values(record: Record, names: list[str]) -> Iterator[str]:
    for name in names:
        value = getattr(record, name)
        yield f"{name} {fit_one_line(repr(value), 40) if name == 'prompt' else fit_one_line(str(value), 80)}"


def _is_copy_another(carried: Carried) -> bool:
    """Return True if a lossless copy has other pixels than the delivered file."""
    copy = carried.copy
    if copy is None:
        return False
    delivered = carried.record.files[copy.file]
    return copy.digest != delivered.digest and codecs.is_exact(delivered.media_type, copy.media_type)

"""All that is said of one picture, by the notebook, in the picture and beside it; and where that contradicts itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..errors import NotAnImage, RecordError
from ..images import codecs, metadata
from ..records import embedding
from ..records import record as records
from ..records.record import Carried, carried_from, loads
from ..records.sidecar import carried_beside
from ..types import Circumstances, Record, one_line
from .discover import Subject

_LINE: Final = re.compile(r"<flux \d+×\d+ seed=(?P<seed>\d+) steps=(?P<steps>\d+) sha256:(?P<digest>[0-9a-f]{6,64})>")
_PARAMETERS: Final = re.compile(r"Steps: (?P<steps>\d+), .*?\bSeed: (?P<seed>\d+)")
_COMPARED: Final = ("seed", "steps", "prompt", "width", "height", "model", "provider", "space", "parameters", "sent")
"""What two records of one picture have to agree on, and `files`: not the circumstances, which tidying tools strip,
and not what was requested, which differs for a picture that came from a store."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one picture.

    Attributes:
        data: its bytes; None where none are embedded.
        carried: the record to be checked, and what this copy was.
        place: the picture's among the record's files, from 0.
        holder: what holds that record: `notebook`, `picture` or `file beside it`.
        other: what else carries one.
        other_holder: what that is.
        texts: what else tells seed and steps: their values by name, by what it is.
    """

    data: bytes | None
    carried: Carried
    place: int
    holder: str
    other: Carried | None
    other_holder: str
    texts: Mapping[str, Mapping[str, str]]


def gather(subject: Subject) -> Evidence | None:
    """What is said of a picture; None where nobody holds a record of it.

    Raises RecordError for a record that cannot be read, NotAnImage for a file that cannot, and OSError.
    """
    data = subject.data
    beside = carried_beside(subject.source, data) if isinstance(subject.source, Path) and data is not None else None
    found = _inside(data, forgiving=subject.where == "notebook" or beside is not None)
    line = _values(_LINE, subject.line)
    carriers: list[tuple[str, Carried]] = []
    if subject.told is not None:
        holder = "notebook" if subject.where == "notebook" else "sheet"
        carriers.append((holder, _told(subject.told, line.get("digest"), data)))
    if found.record:
        with suppress(RecordError) if carriers else nullcontext():  # the notebook's is the one that counts
            carriers.append(("picture", _read(loads(found.record))))
    if beside is not None:
        carriers.append(("file beside it", beside))
    if not carriers:
        return None
    (holder, carried), *others = carriers
    other_holder, other = others[0] if others else ("", None)
    carried = _completed(carried, other)
    texts = {
        "notebook's line": line,
        "picture's parameters": _values(_PARAMETERS, found.parameters.rpartition("\n")[2]),
    }
    place = _place(carried, line.get("digest"), data)
    return Evidence(data, carried, place, holder, other, other_holder, texts)


def _inside(data: bytes | None, *, forgiving: bool) -> metadata.Found:
    try:
        return metadata.Found() if data is None else metadata.read(data)
    except NotAnImage:
        if forgiving:  # what became of it is told with the record that there is
            return metadata.Found()
        raise


def _read(value: Any) -> Carried:
    """As `carried_from`, with a word of its own for what is removed the most."""
    try:
        return carried_from(value)
    except RecordError:
        record = value.get("record") if isinstance(value, dict) else None
        run = record.get("run", record) if isinstance(record, dict) else None
        if isinstance(run, dict) and "prompt" in run and "seed" not in run:
            raise RecordError("its record has no seed") from None
        raise


def _told(value: Any, line: str | None, data: bytes | None) -> Carried:
    """What a notebook's metadata hold; where version 0 was written, no more than a checksum tells of the copy."""
    carried = _read(value)
    old = value.get("embedded")
    if data is not None and isinstance(old, dict) and old.get("sha256") == embedding.sha256(data):
        with suppress(NotAnImage):
            return Carried(carried.record, embedding.copy_of(data, carried.record, _place(carried, line, data)))
    return carried


def _completed(carried: Carried, other: Carried | None) -> Carried:
    """The record with what a tool took out of it, where another carrier still has that and says the same."""
    if other is None or _difference(carried.record, other.record):
        return carried
    stripped = carried.record.circumstances == Circumstances()
    record = replace(carried.record, circumstances=other.record.circumstances) if stripped else carried.record
    return Carried(record, carried.copy or other.copy)


def _values(pattern: re.Pattern[str], text: str) -> Mapping[str, str]:
    match = pattern.search(text)
    return match.groupdict() if match else {}


def _place(carried: Carried, line: str | None, data: bytes | None) -> int:
    """The picture's place among the record's files: by its copy, else by the digest of the line, or of its pixels."""
    if carried.copy is not None:
        return carried.copy.file
    digests = [file.digest for file in carried.record.files]
    digest = line or ""
    if not line and data is not None and len(digests) > 1:
        with suppress(NotAnImage):
            digest = codecs.digest_of(data)
    return next((place for place, known in enumerate(digests) if digest and known.startswith(digest)), 0)


def contradiction(seen: Evidence) -> str:
    """Where two that tell of the picture contradict each other, in words; empty where they do not."""
    record = seen.carried.record
    if seen.other is not None and (names := _difference(record, seen.other.record)):
        return _said(seen.holder, record, seen.other_holder, seen.other.record, names)
    if _copy_is_another(seen.carried):
        return "its copy has other pixels than were delivered"
    for teller, values in seen.texts.items():
        for name in ("seed", "steps"):
            if values.get(name, str(getattr(record, name))) != str(getattr(record, name)):
                return f"the record says {name} {getattr(record, name)}, the {teller} {values[name]}"
        if not any(file.digest.startswith(values.get("digest", "")) for file in record.files):
            return f"the {teller} speaks of other pixels than the record"
    return records.contradiction(record)


def is_another(seen: Evidence) -> bool:
    """Whether the picture carries a record of its own, and is still what that one says."""
    if seen.other is None or seen.data is None:
        return False
    return bool(embedding.is_untouched(seen.data, seen.other))


def _difference(one: Record, other: Record) -> list[str]:
    names = [name for name in _COMPARED if getattr(one, name) != getattr(other, name)]
    return names or (["files"] if one.files != other.files else [])


def _said(first: str, one: Record, second: str, other: Record, names: list[str]) -> str:
    """What both say of the first two things that they do not agree on."""
    if names == ["files"]:
        return f"the {first} speaks of other files than the {second}"
    ours, theirs = (list(_named(record, names[:2])) for record in (one, other))
    if len(names) == 1:
        theirs = [theirs[0].partition(" ")[2]]
    return f"the {first} says {' and '.join(ours)}, the {second} {' and '.join(theirs)}"


def _named(record: Record, names: list[str]) -> Iterator[str]:
    for name in names:
        value = getattr(record, name)
        yield f"{name} {one_line(repr(value), 40) if name == 'prompt' else one_line(str(value), 80)}"


def _copy_is_another(carried: Carried) -> bool:
    """Whether a copy that was made without any loss has other pixels than what was delivered."""
    copy = carried.copy
    if copy is None:
        return False
    delivered = carried.record.files[copy.file]
    return copy.digest != delivered.digest and codecs.is_exact(delivered.media_type, copy.media_type)

"""A record in a file beside an image whose own bytes stay as they are: `fox.png` and `fox.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import NotAnImage, RecordError, SaveError
from ..images import codecs
from ..types import Record
from . import embedding
from . import record as records
from .files import MOST_RECORD, read_file, write_whole
from .record import Carried


def format_record(record: Record) -> str:
    """Return the content of a record's file: JSON of ASCII characters, by the schema of its version."""
    return json.dumps(record.as_dict(), indent=1, ensure_ascii=True) + "\n"


def find_records_beside(path: Path) -> Iterator[Record]:
    """Give the records beside an image, under its name; a store's second image of a job ends in `.2`.

    A file that holds no record is left out.
    """
    names = [f"{stem}.json" for stem in (path.stem, re.sub(r"\.\d+$", "", path.stem))]
    for name in dict.fromkeys([*names, f"{path.name}.json"]):
        if record := _read(path.with_name(name)):
            yield record


def find_carried_beside(path: Path, data: bytes) -> Carried | None:
    """Return the record beside an image with these bytes, and what this copy was, if that is known.

    Of several it is the one that knows the bytes, else the one that knows the pixels, else the first.
    """
    found = list(find_records_beside(path))
    for record in found:
        for place, file in enumerate(record.files):
            if any(embedding.compute_sha256(one) == file.sha256 for one in embedding.list_readings(data)):
                return Carried(record, embedding.describe_copy(data, record, place, same_pixels=True))
    if len(found) > 1:
        with suppress(NotAnImage):
            digest = codecs.compute_digest(data)
            found.sort(key=lambda record: all(file.digest != digest for file in record.files))
    return Carried(found[0]) if found else None


def choose_place_beside(path: Path, record: Record) -> Path:
    """Return if the record of an image that is saved to `path` goes: `fox.json`, or else `fox.png.json`.

    Only a file that is not there is written, or one that holds the record of the image which is replaced. Raises
    SaveError if both names belong to others.
    """
    for place in (path.with_name(f"{path.stem}.json"), path.with_name(f"{path.name}.json")):
        if not place.exists() and not place.is_symlink():
            return place
        there = _read(place)
        if there and (there.files == record.files or _is_of(there, path)):
            return place
    raise SaveError(
        f"{path.stem}.json and {path.name}.json are there already, and hold no record of {path.name}",
        "Give another path, or leave the record out: --no-metadata, metadata=False.",
    )


def write_beside(place: Path, record: Record, *, overwrite: bool) -> None:
    """Write the record; one of the same files that is there stays, without `overwrite`. Raises OSError."""
    there = _read(place)
    if overwrite or there is None or there.files != record.files:
        write_whole(place, format_record(record).encode())


def _read(place: Path) -> Record | None:
    """Return the record in a file; None for a file that is not there, cannot be read or holds none."""
    with suppress(OSError, RecordError):
        return records.parse_record(records.load_json(read_file(place, MOST_RECORD, within=place.parent)))
    return None


def _is_of(record: Record, path: Path) -> bool:
    """Return True if a record is of the image that is at `path` now."""
    with suppress(OSError):
        data = read_file(path)
        hashes = {embedding.compute_sha256(one) for one in embedding.list_readings(data)}
        return any(file.sha256 in hashes for file in record.files)
    return False

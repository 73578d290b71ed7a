"""Marks of a stored image: its star and its tags, in a file beside the record, which itself never changes.

::

    2026-11/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.json
    2026-11/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.marks.json

Nothing is written into a shared store, or into `flux_images` but by an export. The marks of what is
there go into the folder `marks` of the user's own store, under the record's name. They count before those beside the
record.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import InvalidArgument, InvalidRequest, show_value
from .files import read_file, write_whole

FOLDER: Final = "marks"
"""The folder within a store for the marks of what others keep."""

SUFFIX: Final = ".marks.json"

MOST_TAGS: Final = 50
LONGEST_TAG: Final = 32

_MOST_BYTES: Final = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Marks:
    """A star and tags.

    Attributes:
        starred: True if the image has a star.
        tags: short words, sorted.
    """

    starred: bool = False
    tags: tuple[str, ...] = ()


NONE: Final = Marks()


def get_marks_path(path: Path) -> Path:
    """Return the file of the marks for the record at this path."""
    return path.with_name(path.name.removesuffix(".json") + SUFFIX)


def check_tag(tag: object) -> str:
    """Return a tag in lower case, without the `#` before it; raises InvalidRequest for what is no tag."""
    found = unicodedata.normalize("NFC", tag.strip().removeprefix("#").lower()) if isinstance(tag, str) else ""
    kinds = [unicodedata.category(one)[0] if one not in "-_" else "-" for one in found]
    if not found or len(found) > LONGEST_TAG or kinds[0] not in "LN" or not {*kinds} <= {*"LMN-"}:
        raise InvalidRequest(
            f"{show_value(tag)} is no tag: give one word of 1 to {LONGEST_TAG} letters, digits, - and _, "
            "which begins with a letter or a digit"
        )
    return found


def check_tags(tags: object) -> tuple[str, ...]:
    """Return tags, each once and sorted; raises InvalidRequest, and InvalidArgument for what is no list of them."""
    if not isinstance(tags, Iterable) or isinstance(tags, bytes | dict):
        raise InvalidArgument(f'the tags are {show_value(tags)}: give a list such as ["fox", "winter"]')
    found = sorted({check_tag(tag) for tag in (tags.replace(",", " ").split() if isinstance(tags, str) else tags)})
    if len(found) > MOST_TAGS:
        raise InvalidRequest(f"these are {len(found)} tags: an image has at most {MOST_TAGS}")
    return tuple(found)


def read_marks(path: Path) -> Marks:
    """Return the marks in a file; none if it is not there, or holds none."""
    found = _load(path)
    tags = found.get("tags", [])
    with suppress(InvalidRequest):
        return Marks(found.get("starred") is True, check_tags(tags))
    return Marks(found.get("starred") is True)


def write_marks(path: Path, marks: Marks, *, keeps_none: bool = False) -> None:
    """Write marks into a file, or delete it if there are none, unless it `keeps_none`. Raises OSError."""
    found = {**_load(path), "starred": marks.starred, "tags": [*marks.tags]}
    if marks == NONE and not keeps_none:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(found, indent=1) + "\n").encode(), lasting=True)


def _load(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(read_file(path, _MOST_BYTES, within=path.parent))
        if isinstance(found, dict):
            return found
    return {}

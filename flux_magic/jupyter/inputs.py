"""The images that a cell's `--image` and `--mask` name: the notebook's names, else digests, URLs and files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from ..errors import InvalidRequest, format_count
from ..images.inputs import ROLES

_PLACE: Final = re.compile(r"([^\W\d]\w*)(?:\[\s*(-?\d{1,9})\s*\])?")
"""A name of the notebook, or one of several: `fox`, `foxes[2]`."""


def find_given(options: Mapping[str, Any], names: Mapping[str, object]) -> tuple[dict[str, list[object]], list[str]]:
    """Return what a cell gives to go in, by role, and notes; in a dry run no URL is asked, so it is left out.

    Raises InvalidRequest for a name of the notebook that is no image.
    """
    given: dict[str, list[object]] = {}
    notes = []
    for role in ROLES:
        typed = options.get(role, [])
        for word in [typed] if isinstance(typed, str) else typed:
            if options.get("dry_run") and re.match(r"https?://", word, re.IGNORECASE):
                notes.append(f"a dry run does not ask for the {role} at {word[:80]}, and leaves it out")
            else:
                given.setdefault(role, []).append(_find(role, word, names))
    return given, notes


def _find(role: str, word: str, names: Mapping[str, object]) -> object:
    """Return the image of this name in the notebook; else the word, which is a digest, a URL or a path."""
    match = _PLACE.fullmatch(word)
    if match is None or match[1] not in names:
        if match and not os.path.lexists(word) and not re.fullmatch(r"[0-9a-f]{12,}", word):
            raise InvalidRequest(f"--{role} {word}: there is no {match[1]} in this notebook, and no such file")
        return word
    from ..client.inputs import is_loadable
    from ..results.generations import Generations

    name, place, value = match[1], match[2], names[match[1]]
    flag = f"--{role} {word}"
    if isinstance(value, Generations | list | tuple):
        if place is None and len(value) != 1:
            raise InvalidRequest(f"{flag}: {name} has {len(value)} images: give one of them, as in --{role} {name}[0]")
        value = _take(value, int(place or 0), flag)
    elif place is not None:
        raise InvalidRequest(f"{flag}: {name} is one {type(value).__name__}: leave [{place}] out")
    if is_loadable(value):
        return value
    if os.path.lexists(word):
        return word
    hint = f"; for its file write the path itself, or {name} = Path({name})" if isinstance(value, str) else ""
    raise InvalidRequest(
        f"{flag}: {name} is a {type(value).__name__}, no image: give an image of flux_magic, Pillow or NumPy, bytes, "
        f"a file, a URL, or sha256: and a digest{hint}"
    )


def _take(several: Any, place: int, flag: str) -> object:
    if not -len(several) <= place < len(several):
        are = "is" if len(several) == 1 else "are"
        raise InvalidRequest(f"{flag}: there {are} {format_count(len(several), 'image')}, counted from 0")
    return several[place]

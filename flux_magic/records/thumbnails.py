"""Thumbnails in the user's cache folder, by the digest of their image: `thumbnails/1a/1a2b….jpg`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..images import codecs
from .cache import find_cache
from .files import read_file, write_whole

LONGEST: Final = 256
"""Pixels of the longer side."""

MOST: Final = 80
"""Thumbnails in each of the 256 folders, some 200 MB in all; those not used for the longest time go first."""

_MOST_BYTES: Final = 2**20


def get_thumbnail(digest: str, read: Callable[[], bytes]) -> bytes:
    """Return the thumbnail of the image with this digest, a JPEG; it is made of what `read` returns, and kept.

    Raises NotAnImage, and what `read` raises.
    """
    cache = find_cache()
    path = cache and cache / "thumbnails" / digest[:2] / f"{digest}.jpg"
    if path is not None:
        with suppress(OSError):
            found = read_file(path, _MOST_BYTES)
            if found.startswith(b"\xff\xd8") and found.endswith(b"\xff\xd9"):
                os.utime(path)
                return found
    made = codecs.make_thumbnail(read(), LONGEST)
    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, made)
            _make_room(path.parent)
    return made


def _make_room(folder: Path) -> None:
    with os.scandir(folder) as entries:
        found = [(one.stat().st_mtime, one.path) for one in entries]
    for _, path in sorted(found)[: max(0, len(found) - MOST)]:
        with suppress(OSError):
            Path(path).unlink()

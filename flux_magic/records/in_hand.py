"""Bytes of the images that were made or found last: they are shown without being read again.

Another process may have deleted their files meanwhile. The store has them, too, so only a few megabytes are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

MOST: Final = 8 * 2**20
"""So many bytes are kept, or those of the last job if it has more."""

_lock: Final = threading.Lock()
_kept: Final[dict[str, bytes]] = {}


def hold(files: Mapping[str, bytes]) -> None:
    """Keep the files of a job, by the sha256 of their bytes, in place of the oldest ones."""
    with _lock:
        for sha256, data in files.items():
            _kept.pop(sha256, None)
            _kept[sha256] = data
        room = MOST - sum(map(len, _kept.values()))
        for sha256 in [*_kept]:
            if room >= 0 or sha256 in files:
                break
            room += len(_kept.pop(sha256))


def find(sha256: str) -> bytes | None:
    """Return the bytes that have this sha256; None if they are not kept any more."""
    with _lock:
        return _kept.get(sha256)


def drop(sha256: str) -> None:
    """Keep these bytes no longer."""
    with _lock:
        _kept.pop(sha256, None)

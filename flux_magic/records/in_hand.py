"""Bytes of the images that were made or found last, for the time until they are shown: another process may delete them.

The store has them, too, so only a few megabytes are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MOST: Final = 8 * 2**20
"""So many bytes are kept, or those of the last job if it has more."""

_lock: Final = threading.Lock()
_kept: Final[dict[Path, bytes]] = {}


def hold(files: Mapping[Path, bytes]) -> None:
    """Keep the files of a job, by their paths in the store, in place of the oldest ones."""
    with _lock:
        for path, data in files.items():
            _kept.pop(path, None)
            _kept[path] = data
        room = MOST - sum(map(len, _kept.values()))
        for path in [*_kept]:
            if room >= 0 or path in files:
                break
            room += len(_kept.pop(path))


def find(path: Path) -> bytes | None:
    """Return the bytes of this file; None if they are not kept any more."""
    with _lock:
        return _kept.get(path)


def drop(path: Path) -> None:
    """Keep the bytes of a file no longer."""
    with _lock:
        _kept.pop(path, None)

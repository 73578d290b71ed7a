"""Bytes of the images that were made or found last: they are shown without being read again.

Another process may have deleted their files meanwhile. The store has them, too, so only a few megabytes are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .store import Stored

MOST: Final = 8 * 2**20
"""At most this many bytes are kept, or those of the last job if it has more."""

_lock: Final = threading.Lock()
_kept: Final[dict[Path, tuple[str, bytes]]] = {}
"""The bytes and their sha256, by their path in the store."""


def hold(stored: Stored, files: Sequence[bytes]) -> None:
    """Keep the files of a stored job in place of the oldest ones."""
    with _lock:
        for path, record, data in zip(stored.files, stored.record.files, files, strict=True):
            _kept.pop(path, None)
            _kept[path] = record.sha256, data
        room = MOST - sum(len(data) for _, data in _kept.values())
        for path in [*_kept]:
            if room >= 0 or path in stored.files:
                break
            room += len(_kept.pop(path)[1])


def find(path: Path, sha256: str) -> bytes | None:
    """Return the bytes of this file if they have this sha256; None if they are not kept any more."""
    with _lock:
        kept, data = _kept.get(path, ("", None))
        return data if kept == sha256 else None


def drop(path: Path) -> None:
    """Keep the bytes of a file no longer."""
    with _lock:
        _kept.pop(path, None)

"""The folder of a local Space's images: locked while the Space lives, removed by the next one if it was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "flux-magic-space-"
LOCK = "lock"


@contextlib.contextmanager
def make_own_folder() -> Iterator[Path]:
    """Give a new temporary folder, which is removed at the end."""
    folder, handle = _lock_new_folder()
    try:
        yield folder
    finally:
        _remove(folder, handle)


def remove_dead() -> None:
    """Remove the folders of this user's Spaces that were killed; a Space that lives holds the lock in its folder."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            if _is_own(folder) and (handle := _lock(folder, os.O_RDWR)) is not None:
                _remove(folder, handle)


def _lock_new_folder() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        handle = _lock(folder, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        if handle is not None:
            return folder, handle


def _is_own(folder: Path) -> bool:
    """Return True for a folder, and no link to one, that belongs to this user."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())


def _lock(folder: Path, flags: int) -> int | None:
    """Return the open lock of a folder; None if it has none, if another process holds it, or if it was just removed."""
    path = folder / LOCK
    try:
        handle = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o600)
    except OSError:
        return None
    try:
        _hold(handle)
        if os.path.samestat(os.fstat(handle), path.lstat()):
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def _hold(handle: int) -> None:
    """Lock an open file until it is closed; raise OSError if another process holds it."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove(folder: Path, handle: int) -> None:
    """Remove a locked folder, its lock last: if this is killed half way, the next one goes on."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != LOCK:
                entry.unlink()
    if os.name == "nt":  # an open file cannot be removed there
        os.close(handle)
    with contextlib.suppress(OSError):
        (folder / LOCK).unlink()
        folder.rmdir()
    if os.name != "nt":
        os.close(handle)

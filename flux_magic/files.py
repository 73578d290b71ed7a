"""Paths as people type them, and files that are written whole or not at all: by a rename."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from pathlib import Path


def expand(path: str | os.PathLike[str]) -> str:
    """Return a path with `~`, `$HOME` and `${HOME}` replaced, unless a file has that very name.

    Raises RuntimeError, whose message names it, for a user or a variable that is not known.
    """
    typed = os.fspath(path)
    with contextlib.suppress(OSError, ValueError):
        if "$" in typed and Path(typed).exists():
            return typed
    text = os.path.expandvars(typed)
    if unknown := re.search(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", text):
        raise RuntimeError(f"the environment has no variable {unknown[1] or unknown[2]}")
    found = os.path.expanduser(text)  # noqa: PTH111 - a slash at the end counts
    if text.startswith("~") and found.startswith("~"):
        raise RuntimeError("no such home is known")
    return found


def check_writable(path: Path, *, folder: bool) -> None:
    """Raise OSError if a file, or a `folder` of files, cannot be written at this path; create nothing that stays."""
    import tempfile  # loaded when a folder is looked at

    there = next(one for one in (path, *path.absolute().parents) if _exists(one))
    if there == path and not folder and path.is_file():
        there = path.absolute().parent
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{there} is a file, not a folder")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as exc:
        raise type(exc)(exc.errno, f"no file can be made in {there} ({exc.strerror})") from None


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def write_whole(path: Path, data: bytes, *, lasting: bool = False) -> None:
    """Write a file, or replace the one that is there; with `lasting` a loss of power leaves no half of it either.

    It gets the permissions of any new file. Works on NFS: the file beside it has a name that no other process takes,
    and nothing is locked. Raises OSError.
    """
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise

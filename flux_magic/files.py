"""Paths as people type them, files that are read within bounds, and files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

MOST_RECORD: Final = 16 * 2**20
"""A record's file of more bytes than this is not read."""

MOST_BYTES: Final = 256 * 2**20
"""An image or a notebook of more bytes than this is not read."""

_FLAGS: Final = ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY", "O_NOFOLLOW")
"""Flags of an open that waits for nothing and follows no link, as far as the system has them."""


def expand(path: str | os.PathLike[str]) -> str:
    """Return a path with `~`, `$HOME` and `${HOME}` replaced, unless a file has that very name.

    Raises RuntimeError, whose message says what is wrong, for a user or a variable that is not known, and for a path
    that no file can have.
    """
    typed = os.fspath(path)
    check_name(typed)
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


def check_name(path: str) -> None:
    """Raise RuntimeError, whose message says why, if no file or folder can have this path."""
    if "\0" in path:
        raise RuntimeError("it holds a NUL character, which no path can have")
    try:
        os.fsencode(path)
        os.lstat(path)
    except UnicodeEncodeError:
        raise RuntimeError("it holds a character that no path can have") from None
    except OSError as exc:
        if exc.errno == errno.ENAMETOOLONG:
            raise RuntimeError(f"it is too long: {exc.strerror}") from None


def read_file(path: Path, most: int = MOST_BYTES, *, within: Path | None = None) -> bytes:
    """Return the bytes of a regular file that somebody else may have put there.

    Nothing else is opened, and nothing is waited for. Raises OSError as `locate_file` does.
    """
    real = locate_file(path, most, within=within)
    handle = os.open(real, sum(getattr(os, name, 0) for name in _FLAGS))
    with os.fdopen(handle, "rb") as file:
        return file.read(_regular_size(os.fstat(handle), most))


def locate_file(path: Path, most: int = MOST_BYTES, *, within: Path | None = None) -> str:
    """Return the place of a regular file of at most this many bytes, behind its links.

    A link may not lead out of the folder `within`, if that is given.

    Raises OSError, whose `strerror` says what is wrong.
    """
    try:
        real = os.path.realpath(path, strict=True)
        if within is not None and not Path(real).is_relative_to(os.path.realpath(within)):
            raise OSError(errno.EXDEV, "it is a link to a place outside of its folder")
        _regular_size(os.stat(real), most)  # noqa: PTH116 - opening a device may do something to it
    except ValueError:
        raise OSError(errno.EINVAL, "no file can have this name") from None
    return real


def _regular_size(facts: os.stat_result, most: int) -> int:
    if not stat.S_ISREG(facts.st_mode):
        kind = "a folder" if stat.S_ISDIR(facts.st_mode) else "a device, a pipe or a socket"
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")
    if facts.st_size > most:
        raise OSError(errno.EFBIG, f"it has over {most // 2**20} MiB")
    return facts.st_size


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

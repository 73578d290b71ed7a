"""Paths as users type them, files that are read within limits, and files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

MOST_RECORD: Final = 16 * 2**20
"""A record's file of more bytes than this is not read."""

MOST_BYTES: Final = 256 * 2**20
"""An image or a notebook of more bytes than this is not read."""

_FLAGS: Final = ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY", "O_NOFOLLOW")
"""Flags of an open that neither waits nor follows a link, as far as the system has them."""


def read_file(path: Path, most: int = MOST_BYTES, *, within: Path | None = None) -> bytes:
    """Return the bytes of a regular file that somebody else may have put there.

    Nothing else is opened, and nothing is waited for. Raises OSError as `locate_file` does.
    """
    real = locate_file(path, most, within=within)
    handle = os.open(real, sum(getattr(os, name, 0) for name in _FLAGS))
    with os.fdopen(handle, "rb") as file:
        return file.read(_check_regular(os.fstat(handle), most))


def locate_file(path: Path, most: int = MOST_BYTES, *, within: Path | None = None) -> str:
    """Return the place of a regular file of at most this many bytes, behind its links.

    A link may not lead out of the folder `within`, if that is given.

    Raises OSError, whose `strerror` says what is wrong.
    """
    try:
        real = os.path.realpath(path, strict=True)
        if within is not None and not Path(real).is_relative_to(os.path.realpath(within)):
            raise OSError(errno.EXDEV, "it is a link to a place outside of its folder")
        _check_regular(os.stat(real), most)  # noqa: PTH116 - opening a device may do something to it
    except ValueError:
        raise OSError(errno.EINVAL, "no file can have this name") from None
    return real


def _check_regular(facts: os.stat_result, most: int) -> int:
    if not stat.S_ISREG(facts.st_mode):
        kind = "a folder" if stat.S_ISDIR(facts.st_mode) else "a device, a pipe or a socket"
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")
    if facts.st_size > most:
        raise OSError(errno.EFBIG, f"it has over {most // 2**20} MiB")
    return facts.st_size


def write_whole(path: Path, data: bytes, *, lasting: bool = False) -> None:
    """Write a file, or replace the one that is there; with `lasting` a loss of power leaves no half of it either.

    It gets the permissions of any new file. This works on NFS: the temporary file has a unique name, and nothing is
    locked. Raises OSError.
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

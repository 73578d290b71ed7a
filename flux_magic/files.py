"""A file that is written whole, or not at all: by a rename, so that no reader sees half of it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


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

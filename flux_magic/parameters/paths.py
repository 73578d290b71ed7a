"""Paths as people type them."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path


def expand(path: str | os.PathLike[str]) -> str:
    """Return a path with `~`, `$HOME` and `${HOME}` replaced, unless a file has that very name.

    Raises RuntimeError for an unknown user or variable, and for a path that no file can have; its message says what is
    wrong.
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

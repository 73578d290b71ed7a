"""Text for a person: a command's answer on stdout, notes on stderr, in whatever encoding these have."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TextIO

from ..errors import without_controls

MOST_NOTES: Final = 5
"""Notes of one kind that are told; of the rest, how many there are."""

_GONE: Final = (errno.EPIPE, errno.EINVAL)
"""Errors of a pipe that nothing reads any more; Windows has the second."""


def accept_any_text() -> None:
    """Make stdout and stderr escape the characters that their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def writable(text: str, stream: TextIO) -> str:
    """Return `text` with the characters escaped that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def answer(text: str, end: str = "\n") -> None:
    """Print a command's answer. A reader that has gone, as in `| head -1`, is no error.

    Raises SystemExit, with one line and exit code 1, if the answer cannot be written.
    """
    try:
        print(without_controls(text), end=end, flush=True)
    except OSError as error:
        # Python writes the rest once more as it ends, and would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno not in _GONE:
            raise SystemExit(f"flux-magic: cannot write the answer: {error.strerror}") from None


_told: ContextVar[set[str] | None] = ContextVar("_told", default=None)


@contextmanager
def once() -> Iterator[None]:
    """Tell each note within once, however often it comes."""
    if _told.get() is not None:
        yield
        return
    token = _told.set(set())
    try:
        yield
    finally:
        _told.reset(token)


def note(text: str) -> None:
    """Tell a person this, with nothing in it that steers a terminal."""
    text = without_controls(text)
    told = _told.get()
    if told is not None:
        if text in told:
            return
        told.add(text)
    print(writable(f"note: {text}", sys.stderr), file=sys.stderr)


def is_watched() -> bool:
    """Return if stderr is a terminal, where a person sees a progress bar."""
    return sys.stderr is not None and sys.stderr.isatty()

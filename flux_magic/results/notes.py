"""Output for the user: a command's answer on stdout and notes on stderr, in any encoding.

A notebook shows stderr in the colour of errors, so there the notes go to stdout.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TextIO

from ..errors import replace_controls

MOST_NOTES: Final = 5
"""Largest number of notes of one kind that are printed; the rest are only counted."""

_GONE: Final = (errno.EPIPE, errno.EINVAL)
"""Error numbers of a closed pipe; the second is the one on Windows."""


def accept_any_text() -> None:
    """Make stdout and stderr escape the characters that their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def escape_for(text: str, stream: TextIO) -> str:
    """Return `text` with the characters escaped that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_answer(text: str, end: str = "\n") -> None:
    """Print a command's answer. A closed pipe, as after `| head -1`, is not an error.

    Raises SystemExit, with one line and exit code 1, if the answer cannot be written.
    """
    try:
        print(replace_controls(text), end=end, flush=True)
    except OSError as error:
        # Python flushes the rest when it exits, and would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno not in _GONE:
            raise SystemExit(f"flux-magic: cannot write the answer: {error.strerror}") from None


def print_error(text: object) -> None:
    """Print why a command failed, on stderr, as `flux-magic: …`."""
    print(f"flux-magic: {text}", file=sys.stderr)


_told: ContextVar[set[str] | None] = ContextVar("_told", default=None)


@contextmanager
def limit_notes() -> Iterator[None]:
    """Print each note of the block once, however often it comes."""
    if _told.get() is not None:
        yield
        return
    token = _told.set(set())
    try:
        yield
    finally:
        _told.reset(token)


def print_note(text: str) -> None:
    """Print a note for the user, without characters that control a terminal."""
    text = replace_controls(text)
    told = _told.get()
    if told is not None:
        if text in told:
            return
        told.add(text)
    stream = sys.stdout if is_in_notebook() else sys.stderr
    print(escape_for(f"note: {text}", stream), file=stream)


def get_shell() -> Any:
    """Return IPython's shell, or None outside of IPython."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def is_in_notebook() -> bool:
    """Return True in a kernel, whose output a front end shows."""
    return getattr(get_shell(), "kernel", None) is not None


def is_watched() -> bool:
    """Return True if stderr is a terminal, where a person sees a progress bar."""
    return sys.stderr is not None and sys.stderr.isatty()

"""The marking of our own changes of widgets, so that none of them is taken for the user's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_here = threading.local()


@contextmanager
def keep_quiet() -> Iterator[None]:
    """Mark the block's changes of widgets as ours, so that they set no parameter.

    It counts for this thread alone: a user's change may come on another at the same time.
    """
    before, _here.quiet = is_quiet(), True
    try:
        yield
    finally:
        _here.quiet = before


def is_quiet() -> bool:
    """Return True while this thread changes widgets."""
    return getattr(_here, "quiet", False)

"""The log below the cell at work: `%config FluxMagics.log_level = "DEBUG"`.

Jobs run on threads that never print. Their lines wait here until the main thread, which waits for them, prints them on
stderr, several times a second; lines that come while no cell runs appear with the next cell.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Final

from ..results.notes import escape_for

LEVELS: Final = ("DEBUG", "INFO")
"""The levels that lines have. None is a warning: what a person should know is an error or a note."""

_MOST: Final = 10_000
"""Lines that may wait to be printed; after that the oldest are dropped."""


class _Output(logging.Handler):
    """Prints the log on stderr, by the main thread alone."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(message)s", "%H:%M:%S"))
        self._lines: deque[str] = deque(maxlen=_MOST)
        self._logger = logging.getLogger("flux_magic")
        self._before = self._logger.level, self._logger.propagate

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))
        self.print_lines()

    def print_lines(self, *_: object) -> None:
        """Print the lines that wait, if this is the main thread; it may be a callback of IPython's."""
        if not self._lines or threading.current_thread() is not threading.main_thread():
            return
        from .progress import print_above

        with print_above(), suppress(IndexError):
            while True:
                print(escape_for(self._lines.popleft(), sys.stderr), file=sys.stderr)

    def show(self, level: str | None) -> None:
        """Show what is logged from this level up; None shows nothing and leaves the logger as it was before.

        Meanwhile the root logger's handlers get nothing: IPython adds one that prints, on whatever thread, after the
        first mistake in a `%config`.
        """
        if self not in self._logger.handlers:
            self._before = self._logger.level, self._logger.propagate
        self._logger.removeHandler(self)
        own_level, self._logger.propagate = self._before
        if level is not None:
            self.setLevel(level)
            own_level, self._logger.propagate = min(self.level, own_level or self.level), False
            self._logger.addHandler(self)
        self._logger.setLevel(own_level)
        self.print_lines()


output: Final = _Output()
"""The one handler of this process."""

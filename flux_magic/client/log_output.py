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

from ..results.notes import writable

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
"""The levels that can be set, the most talkative first."""

_MOST: Final = 10_000
"""Lines that may wait to be printed; after that the oldest are dropped."""


class _Output(logging.Handler):
    """Prints the log on stderr, by the main thread alone."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(message)s", "%H:%M:%S"))
        self._lines: deque[str] = deque(maxlen=_MOST)
        self._level_before = logging.NOTSET
        self._logger = logging.getLogger("flux_magic")

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))
        self.print_lines()

    def print_lines(self, *_: object) -> None:
        """Print the lines that wait, if this is the main thread; it may be a callback of IPython's."""
        if not self._lines or threading.current_thread() is not threading.main_thread():
            return
        from .progress import above

        with above(), suppress(IndexError):
            while True:
                print(writable(self._lines.popleft(), sys.stderr), file=sys.stderr)

    def show(self, level: str | None) -> None:
        """Show what is logged from this level up; None shows nothing and puts the logger's own level back."""
        if self not in self._logger.handlers:
            self._level_before = self._logger.level
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level_before)
        if level is not None:
            self.setLevel(level)
            self._logger.setLevel(min(self.level, self._level_before or self.level))
            self._logger.addHandler(self)
        self.print_lines()


output: Final = _Output()
"""The one handler of this process."""

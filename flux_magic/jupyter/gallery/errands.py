"""Work that is done on a thread, one piece after the other, so that the kernel goes on meanwhile."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable

from ..widgets import start_thread


class Errands:
    """A queue of work with a thread that ends when nothing is left.

    Args:
        failed: called with the error of a piece of work, on the thread. Must not raise.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._due: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._is_running = self._is_closed = False

    def add(self, work: Callable[[], None]) -> None:
        """Queue a piece of work, which is done with the caller's context variables; after `close` it is dropped."""
        context = contextvars.copy_context()
        with self._changed:
            if self._is_closed:
                return
            self._due.append(lambda: context.run(work))
            if not self._is_running:
                self._is_running = True
                start_thread(self._run)

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is left to do, at most so many seconds; return True if nothing is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_running, timeout)

    def close(self) -> None:
        """Drop what has not begun."""
        with self._changed:
            self._is_closed = True
            self._due.clear()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._due:
                    self._is_running = False
                    self._changed.notify_all()
                    return
                work = self._due.popleft()
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs into the status line
                self._failed(error)

"""A panel's jobs, one after the other, on a thread of their own.

They do not run on the background loop, which must not be blocked: an observer of a panel may make images.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from ...client import blocking, many
from ...client.runner import SLICE
from ...errors import WouldDeadlock
from ...parameters.settings import Settings
from ...results.generation import ClientEvent
from ...sweeps.requests import Sweep
from ...types import ImageRequest
from ..widgets import start_thread

T = TypeVar("T")


class Cancelled(Exception):
    """The end of a job that its own panel cancelled."""


@dataclass(slots=True, eq=False)
class PanelTask:
    """The job of one press: images one after the other, or all those of a sweep, several at once."""

    requests: Sequence[ImageRequest]
    settings: Settings
    sweep: Sweep | None = None
    cancelled: bool = False

    def iterate_events(self) -> Generator[ClientEvent | None, None, None]:
        """Yield the events of the images, one after the other. Raises Cancelled within 0.2 s of a cancellation."""
        return self._stop_when_cancelled(blocking.iterate_events(self.requests, self.settings))

    def iterate_placed(self) -> Generator[many.PlacedEvent | None, None, None]:
        """Yield the events of several images at once, each with its place. Raises Cancelled likewise."""
        return self._stop_when_cancelled(many.iterate_events(self.requests, self.settings))

    def _stop_when_cancelled(self, all_of_it: Generator[T, None, None]) -> Generator[T, None, None]:
        with closing(all_of_it) as coming:
            for one in coming:
                if self.cancelled:
                    raise Cancelled
                yield one


class PanelQueue:
    """A queue of jobs, with a thread that does them while there are any.

    Args:
        work: does one job, to its end or until it is cancelled. Must not raise.
        settled: called whenever the queue may have changed, on the thread that changed it. Must not raise.
    """

    def __init__(self, work: Callable[[PanelTask], None], settled: Callable[[], None]) -> None:
        self._work, self._settled = work, settled
        self._waiting: deque[PanelTask] = deque()
        self._current: PanelTask | None = None
        self._thread: threading.Thread | None = None
        self._change = threading.Condition()

    @property
    def waiting(self) -> int:
        """The number of jobs behind the running one."""
        return len(self._waiting)

    @property
    def pending(self) -> bool:
        """True if a job runs or waits."""
        with self._change:
            return self._current is not None or bool(self._waiting)

    def add(self, job: PanelTask) -> None:
        """Add a job at the end of the queue."""
        with self._change:
            self._waiting.append(job)
            if not self._alive:
                self._thread = start_thread(self._serve)
        self._settled()

    def cancel(self) -> int:
        """End the running job, drop those that wait, and return how many there were."""
        with self._change:
            ended = len(self._waiting)
            self._waiting.clear()
            if self._current is not None and not self._current.cancelled:
                self._current.cancelled = True
                ended += 1
        self._settled()
        return ended

    def wait(self, timeout: float | None) -> bool:
        """Wait until nothing is pending and every callback has returned; return False after `timeout` seconds.

        Raises WouldDeadlock on the jobs' own thread.
        """
        if threading.current_thread() is self._thread:
            raise WouldDeadlock(
                "an observer of the panel would wait for itself: it is called on the panel's own thread"
            )
        end = None if timeout is None else time.monotonic() + timeout
        with self._change:
            while self._alive:
                left = SLICE if end is None else min(SLICE, end - time.monotonic())
                if left <= 0:
                    return False
                self._change.wait(left)  # in slices: on Windows nothing else lets an interrupt in
        return True

    @property
    def _alive(self) -> bool:
        """True if the thread runs; in a forked child it does not."""
        return self._thread is not None and self._thread.is_alive()

    def _serve(self) -> None:
        while job := self._take_next():
            try:
                self._work(job)
            finally:
                with self._change:
                    self._current = None
                self._settled()

    def _take_next(self) -> PanelTask | None:
        with self._change:
            if self._waiting:
                self._current = self._waiting.popleft()
                return self._current
            self._thread = None
            self._change.notify_all()
            return None

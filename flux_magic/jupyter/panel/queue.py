"""A panel's jobs, one after the other, on a thread of their own.

Not on the background loop, where nothing may block: who observes a panel may make images of their own.
"""

from __future__ import annotations

import contextvars
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

T = TypeVar("T")


class Cancelled(Exception):
    """The job was taken off by its own panel."""


@dataclass(slots=True, eq=False)
class PanelTask:
    """What one press asks for: images one after the other, or all those of a sweep, some at once."""

    requests: Sequence[ImageRequest]
    settings: Settings
    sweep: Sweep | None = None
    cancelled: bool = False

    def events(self) -> Generator[ClientEvent | None, None, None]:
        """As `api.events`; raises Cancelled, at most about 0.2 s after the job was."""
        return self._until_cancelled(blocking.events(self.requests, self.settings))

    def placed_events(self) -> Generator[many.PlacedEvent | None, None, None]:
        """As `many.events`, of some at once; raises Cancelled likewise."""
        return self._until_cancelled(many.events(self.requests, self.settings))

    def _until_cancelled(self, all_of_it: Generator[T, None, None]) -> Generator[T, None, None]:
        with closing(all_of_it) as coming:
            for one in coming:
                if self.cancelled:
                    raise Cancelled
                yield one


class PanelQueue:
    """A queue of jobs, and a thread that does them while there are some.

    Args:
        work: does one job, to its end or until it is cancelled; raises nothing.
        settled: called when there may be more or fewer of them, on the thread that made it so; raises nothing.
    """

    def __init__(self, work: Callable[[PanelTask], None], settled: Callable[[], None]) -> None:
        self._work, self._settled = work, settled
        self._waiting: deque[PanelTask] = deque()
        self._current: PanelTask | None = None
        self._thread: threading.Thread | None = None
        self._change = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many stand behind the one at work."""
        return len(self._waiting)

    @property
    def pending(self) -> bool:
        """Whether there is one at work, or one that waits."""
        with self._change:
            return self._current is not None or bool(self._waiting)

    def add(self, job: PanelTask) -> None:
        """Put a job behind those there are."""
        with self._change:
            self._waiting.append(job)
            if not self._alive:
                self._thread = started(self._serve)
        self._settled()

    def cancel(self) -> int:
        """End the job at work, and drop those that wait; returns how many there were."""
        with self._change:
            ended = len(self._waiting)
            self._waiting.clear()
            if self._current is not None and not self._current.cancelled:
                self._current.cancelled = True
                ended += 1
        self._settled()
        return ended

    def wait(self, timeout: float | None) -> bool:
        """Wait until nothing is pending and all has been told of it; False where that took over `timeout` seconds.

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
        """Whether the thread is there; in a forked child it is not."""
        return self._thread is not None and self._thread.is_alive()

    def _serve(self) -> None:
        while job := self._next():
            try:
                self._work(job)
            finally:
                with self._change:
                    self._current = None
                self._settled()

    def _next(self) -> PanelTask | None:
        with self._change:
            if self._waiting:
                self._current = self._waiting.popleft()
                return self._current
            self._thread = None
            self._change.notify_all()
            return None


def started(work: Callable[[], None], delay: float = 0) -> threading.Thread:
    """A thread that does the work, after `delay` seconds.

    It has the caller's context variables: in them ipykernel 7.0 looks for the cell that a widget's message belongs to.
    """

    def later() -> None:
        time.sleep(delay)
        work()

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(later,), name="flux_magic panel", daemon=True
    )
    thread.start()
    return thread

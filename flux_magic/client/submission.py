"""Handles of images that are made behind their caller: `submit` gives one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, Literal, TypeVar

from ..errors import InvalidRequest, Stopped, TimedOut, show_value
from ..parameters.settings import SECONDS, is_time
from ..results.generation import ClientEvent
from ..types import Waiting
from . import runner
from .options import AsyncOnEvent, call, check_callback

Made = TypeVar("Made")

Status = ClientEvent | Literal["done", "failed", "cancelled"]
"""The last event of a job that is under way, or how it ended."""


class Latest:
    """The last event of a job, kept for `status`; each is handed on to a callback, on a thread if that may block."""

    def __init__(self, on_event: AsyncOnEvent | None, *, can_await: bool) -> None:
        check_callback(on_event, can_await=can_await)
        self.event: ClientEvent = Waiting("connecting")
        self.ended = threading.Event()
        self._on_event, self._can_await = on_event, can_await

    async def __call__(self, event: ClientEvent) -> None:
        self.event = event
        if self._can_await:
            await call(self._on_event, event)
        elif self._on_event is not None:
            await asyncio.to_thread(self._on_event, event)


async def follow(make: Callable[[], Awaitable[Made]], latest: Latest) -> Made:
    """Run a job, and tell when it has ended: its future is cancelled before."""
    try:
        return await make()
    finally:
        latest.ended.set()


class Submission(Generic[Made]):
    """An image, or several, made behind a caller that goes on: what `submit` of a `Client` gives.

    A handle that is dropped lets its job go on: the image is kept in the store and in `history()`. A program that
    ends takes the jobs that are under way off the Space.
    """

    __slots__ = ("__weakref__", "_future", "_latest")

    def __init__(self, future: concurrent.futures.Future[Made], latest: Latest) -> None:
        self._future, self._latest = future, latest

    @property
    def status(self) -> Status:
        """The last event (Waiting, Queued, Running, Log, Preview); at the end "done", "failed" or "cancelled"."""
        return _status(self._future, self._latest)

    @property
    def done(self) -> bool:
        """True once the job has ended, however it did."""
        return self._future.done()

    def result(self, timeout: float | None = None) -> Made:
        """Wait for the images: a Generation, or Generations for a count above 1.

        Args:
            timeout: seconds to wait; None waits as long as the job takes.

        Raises what the job raised, Stopped if it was cancelled, and TimedOut if it is still under way; it goes on then,
        as it does after an interrupt.
        """
        check_timeout(timeout)
        if not self._future.done():
            runner.background.refuse_own_thread()
        end = None if timeout is None else time.monotonic() + timeout
        with runner.hide_traceback():
            # In slices: on Windows nothing else lets an interrupt in.
            while not self._future.done() and (end is None or time.monotonic() < end):
                left = runner.SLICE if end is None else min(runner.SLICE, end - time.monotonic())
                concurrent.futures.wait([self._future], timeout=max(left, 0))
        if not self._future.done():
            raise _make_timeout(timeout)
        try:
            return self._future.result()
        except concurrent.futures.CancelledError:
            raise Stopped("the job was cancelled") from None

    def cancel(self) -> bool:
        """End the job, on the Space as well, and wait half a second for that; returns False if it had ended before."""
        is_cancelled = self._future.cancel()
        if is_cancelled and not runner.background.is_own_thread():
            self._latest.ended.wait(runner.UNWIND)
        return is_cancelled

    def __repr__(self) -> str:
        return f"Submission({self.status!r})"


class AsyncSubmission(Generic[Made]):
    """An image, or several, made behind a coroutine that goes on: what `submit` of an `AsyncClient` gives.

    `await` gives its result. A handle that is dropped lets its job go on, until its loop ends.
    """

    __slots__ = ("__weakref__", "_latest", "_task")

    def __init__(self, task: asyncio.Task[Made], latest: Latest) -> None:
        self._task, self._latest = task, latest
        _hold(task)

    @property
    def status(self) -> Status:
        """The last event (Waiting, Queued, Running, Log, Preview); at the end "done", "failed" or "cancelled"."""
        return _status(self._task, self._latest)

    @property
    def done(self) -> bool:
        """True once the job has ended, however it did."""
        return self._task.done()

    async def result(self, timeout: float | None = None) -> Made:
        """Wait for the images, as `Submission.result`; if the waiting task is cancelled, the job goes on."""
        check_timeout(timeout)
        await asyncio.wait({self._task}, timeout=timeout)
        if not self._task.done():
            raise _make_timeout(timeout)
        if self._task.cancelled():
            raise Stopped("the job was cancelled")
        return self._task.result()

    def __await__(self) -> Generator[Any, None, Made]:
        return self.result().__await__()

    def cancel(self) -> bool:
        """End the job, on the Space as well; returns False if it had ended before."""
        return self._task.cancel()

    def __repr__(self) -> str:
        return f"AsyncSubmission({self.status!r})"


def _status(job: concurrent.futures.Future[Any] | asyncio.Task[Any], latest: Latest) -> Status:
    if not job.done():
        return latest.event
    if job.cancelled() or isinstance(job.exception(), Stopped):
        return "cancelled"
    return "failed" if job.exception() else "done"


def check_timeout(timeout: object) -> None:
    """Raise InvalidRequest if this is neither a number of seconds to wait nor None."""
    if timeout is not None and not (is_time(timeout) or timeout == 0):
        raise InvalidRequest(f"timeout is {show_value(timeout)}: give {SECONDS}, or None to wait to the end")


def _make_timeout(timeout: float | None) -> TimedOut:
    return TimedOut(f"no image within {timeout:g} s: the job is still under way", "Wait again, or cancel() it.")


_held: set[asyncio.Task[Any]] = set()
"""The tasks of handles: a loop itself refers to its tasks weakly."""


def _hold(task: asyncio.Task[Any]) -> None:
    """Keep a task until it ends; an error that no caller asks for is not reported."""
    _held.difference_update([one for one in _held if one.get_loop().is_closed()])
    _held.add(task)
    task.add_done_callback(_release)


def _release(task: asyncio.Task[Any]) -> None:
    _held.discard(task)
    if not task.cancelled():
        task.exception()

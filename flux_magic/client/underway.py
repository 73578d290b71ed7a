"""Jobs under way in this process: what each was asked for, its last event, and how all of them are ended."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakSet

from ..errors import FluxError, Stopped, clean, format_count
from ..parameters.calls import check_call
from ..providers.http.hosts import shown_address
from ..providers.log import get_logger, job_number
from ..results.generation import ClientEvent, Generation
from ..types import ImageRequest

_log = get_logger(__name__)
_numbers: Final = itertools.count(1)
_PROMPT: Final = 60
"""Characters of a prompt that are shown."""


@dataclass(eq=False)
class Underway:
    """A job on its way.

    Attributes:
        request: the request as a line of words.
        space: the name of its Space.
        loop: the loop that the job runs on, and `thread` the number of its thread.
        task: the task that waits for the job.
        stopped: True once `cancel_all` has ended it.
        number: its number in this process, from 1.
        context: the context that the job runs in: log lines take the number from it.
        begin: when it began, by the monotonic clock.
        last: its last event, and when that came, by the monotonic clock.
    """

    request: str
    space: str
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    task: asyncio.Task[Any] | None = field(default_factory=asyncio.current_task)
    thread: int = field(default_factory=threading.get_ident)
    stopped: bool = False
    number: int = field(default_factory=lambda: next(_numbers))
    context: Context = field(default_factory=copy_context)
    begin: float = field(default_factory=time.monotonic)
    last: tuple[ClientEvent, float] | None = None

    def see(self, event: ClientEvent) -> None:
        """Remember an event as the last one."""
        self.last = event, time.monotonic()

    def log(self, words: str, *arguments: object) -> None:
        """Log a line at the level INFO, with the job's number."""
        self.context.run(_log.info, words, *arguments)


_all_underway: WeakSet[Underway] = WeakSet()
"""The running jobs, held weakly so that a loop that was closed under its jobs is freed."""
_lock: Final = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_all_underway.clear)  # the jobs are the parent's
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def list_underway() -> list[Underway]:
    """Return the jobs under way on all threads, the oldest first."""
    with _lock:
        return sorted(_all_underway, key=lambda job: job.number)


@contextmanager
def underway(request: ImageRequest, space: str) -> Iterator[Underway]:
    """Count a job for the Space of this name as under way within the block, and log its begin and its end.

    Raises Stopped in place of the cancellation if `cancel_all` ended the job.
    """
    job = Underway(_describe(request), clean(shown_address(space) if "//" in space else space))
    job.context.run(job_number.set, job.number)
    with _lock:
        _all_underway.add(job)
    job.log("%s, %s", job.request, job.space)
    end = "given up by its caller"
    try:
        yield job
        end = "ended without an image"
    except asyncio.CancelledError:
        end = "cancelled"
        if job.stopped:
            end = "stopped by cancel_all()"
            raise Stopped(end) from None
        raise
    except FluxError as error:
        end = f"failed: {type(error).__name__}: {error.message}"
        raise
    finally:
        if job.last and isinstance(job.last[0], Generation):
            end = "done"
        job.log("%s after %.2f s", end, time.monotonic() - job.begin)
        with _lock:
            _all_underway.discard(job)


@check_call
def cancel_all() -> int:
    """Cancel every job of this process, from any thread; each waiting caller gets Stopped.

    Returns the number of jobs.

    Example::

        >>> flux_magic.cancel_all()
        0
    """
    jobs = list_underway()
    for job in jobs:
        job.stopped = True
        if job.task is not None and not job.loop.is_closed():
            job.loop.call_soon_threadsafe(job.task.cancel)
    return len(jobs)


def _describe(request: ImageRequest) -> str:
    words = " ".join(request.prompt[: 4 * _PROMPT].split())
    prompt = words if len(words) <= _PROMPT else f"{words[: _PROMPT - 1]}…"
    seed = "a random seed" if request.randomize_seed else f"seed {request.seed}"
    size = f"{request.width}x{request.height}" if request.width and request.height else ""
    steps = "" if request.steps is None else format_count(request.steps, "step")
    return clean(", ".join(filter(None, (repr(prompt), seed, size, steps))))

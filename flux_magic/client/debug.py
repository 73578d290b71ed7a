"""The state of each job under way, for a person whose cell hangs: `flux_magic.debug()`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import PurePath
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final

from ..errors import replace_controls
from ..parameters.calls import check_call
from .progress import describe_event
from .underway import Underway, list_underway

_ANSWER: Final = 1.0
"""Seconds that a loop has to tell of its tasks, before its thread is looked at from outside."""
_DEEPEST: Final = 60
"""Awaits that are followed, at most."""


@check_call
def debug() -> None:
    """Print each job under way: its request, its Space, its last event and how long ago it came, and what it awaits.

    It works while a job hangs: call it from another thread, from a console on the same kernel, or, with the panel, from
    a cell. It takes at most a second for each loop that does not answer.

    Example::

        >>> flux_magic.debug()
        no job is under way
    """
    print(replace_controls(describe_jobs()))


def describe_jobs() -> str:
    """Return what `debug` prints."""
    return "\n".join(_describe(job) for job in list_underway()) or "no job is under way"


def _describe(job: Underway) -> str:
    now = time.monotonic()
    last, seconds = "none yet", now - job.begin
    if job.last is not None:
        event, at = job.last
        last, seconds = f"{type(event).__name__}, {describe_event(event).text}", now - at
    rows = [
        ("Space", job.space),
        ("last event", f"{last}; {seconds:.1f} s ago" if job.last else last),
        ("under way", f"for {now - job.begin:.1f} s"),
        ("awaits", f"\n{'':14}".join(_stack(job)) or "nothing"),
    ]
    return "\n".join([f"job {job.number}: {job.request}", *(f"  {name:<12}{value}" for name, value in rows)])


def _stack(job: Underway) -> list[str]:
    """Return the lines of code at which a job waits, the outermost await first."""
    if threading.get_ident() == job.thread or not job.loop.is_running():
        return _task_stack(job)
    answer: concurrent.futures.Future[list[str]] = concurrent.futures.Future()
    try:
        job.loop.call_soon_threadsafe(lambda: answer.set_result(_task_stack(job)))
        return answer.result(_ANSWER)
    except (RuntimeError, concurrent.futures.TimeoutError):  # the loop is closed; it does not come to an answer
        frame = sys._current_frames().get(job.thread)  # noqa: SLF001 - documented, for debugging
        calls = [_place(one, line) for one, line in traceback.walk_stack(frame)]
        return ["nothing: its event loop is blocked, or has ended. Its thread is at", *reversed(calls)]


def _task_stack(job: Underway) -> list[str]:
    frames = list(walk_awaits(job.task)) if job.task else []
    plumbing = ("asyncio", "contextlib")
    told = [frame for frame in frames if _package_of(frame) not in plumbing or frame is frames[-1]]
    return [_place(frame, frame.f_lineno) for frame in told]


def walk_awaits(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames of a task that is suspended, from the outermost await to the innermost.

    A wait for another task is followed into that task. Call it on the task's own loop.
    """
    awaited: object = task
    for _ in range(_DEEPEST):
        frame: FrameType | None = None
        match awaited:
            case asyncio.Task():
                awaited = awaited.get_coro()
                continue
            case CoroutineType():
                frame, inner = awaited.cr_frame, awaited.cr_await
            case AsyncGeneratorType():
                frame, inner = awaited.ag_frame, awaited.ag_await
            case GeneratorType():
                frame, inner = awaited.gi_frame, awaited.gi_yieldfrom
            case _:  # what `anext` and a wait for a future give knows of it, and does not tell
                inner = _first_awaitable(gc.get_referents(awaited))
        if frame is not None:
            yield frame
            if frame.f_code is asyncio.tasks._wait.__code__:  # type: ignore[attr-defined]  # noqa: SLF001
                inner = _first_awaitable(frame.f_locals["fs"])
        if inner is None:
            return
        awaited = inner


def _first_awaitable(things: Any) -> object:
    kinds = (asyncio.Task, CoroutineType, AsyncGeneratorType, GeneratorType)
    return next((one for one in things if isinstance(one, kinds) and not _is_done(one)), None)


def _is_done(thing: object) -> bool:
    return isinstance(thing, asyncio.Task) and thing.done()


def _package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _place(frame: FrameType, line: int) -> str:
    """Return a place in the code without the folders of this machine: `flux_magic/client/job.py:120 in events`."""
    package = _package_of(frame)
    parts = PurePath(frame.f_code.co_filename).parts
    begin = len(parts) - 1 - parts[::-1].index(package) if package in parts else len(parts) - 1
    return f"{'/'.join(parts[begin:])}:{line} in {frame.f_code.co_name}"

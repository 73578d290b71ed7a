"""The runner on the caller's own loop: after `%config FluxMagics.runner = "nest"`, `asyncio.run()` works in a cell."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakSet

from .runner import AHEAD, SLICE, UNWIND, Kept

T = TypeVar("T")


class NestRunner:
    """The caller's own loop, made reentrant by nest-asyncio, which patches asyncio for the whole process."""

    def __init__(self) -> None:
        import nest_asyncio

        nest_asyncio.apply(_get_own_loop())

    def run(self, coroutine: Coroutine[Any, Any, T], keep: Kept | None = None) -> T:
        loop = _get_own_loop()
        task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        finally:
            _end_task(loop, task)

    def iterate(
        self, events: AsyncGenerator[T, None], ahead: int = AHEAD, keep: Kept | None = None
    ) -> Generator[T | None, None, None]:
        loop = _get_own_loop()
        task: asyncio.Future[T] | None = None
        try:
            while True:
                task = task or asyncio.ensure_future(anext(events), loop=loop)
                loop.run_until_complete(asyncio.wait({task}, timeout=SLICE))
                if not task.done():
                    yield None
                    continue
                try:
                    event = task.result()
                except StopAsyncIteration:
                    return
                task = None
                yield event
        finally:
            if task is not None:
                _end_task(loop, task)
            loop.run_until_complete(events.aclose())


_idle_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
"""Loops made for threads without a running one; each is closed at the end."""


def _get_own_loop() -> asyncio.AbstractEventLoop:
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    policy = asyncio.get_event_loop_policy()
    try:
        loop = policy.get_event_loop()
    except RuntimeError:
        loop = policy.new_event_loop()
        policy.set_event_loop(loop)
    if loop not in _idle_loops:
        _idle_loops.add(loop)
        atexit.register(loop.close)  # an open loop warns when Python ends
    return loop


def _end_task(loop: asyncio.AbstractEventLoop, task: asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
        loop.run_until_complete(asyncio.wait({task}, timeout=UNWIND))

"""Work that goes on over a session when its caller has gone, such as a cancel; it ends with the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

_MOMENT: Final = 0.25
"""Seconds that a caller waits for such work: enough for a cancel to a Space that answers."""

_at_work: WeakKeyDictionary[aiohttp.ClientSession, set[asyncio.Task[Any]]] = WeakKeyDictionary()
_closing: set[asyncio.Task[None]] = set()


def start(session: aiohttp.ClientSession, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start `work`, which uses the session and ends by itself; `close` leaves the session open until then."""
    task = asyncio.ensure_future(work)
    tasks = _at_work.setdefault(session, set())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


async def wait_a_moment(task: asyncio.Task[Any]) -> None:
    """Wait for a task, but no longer than a person would notice; a caller that is cancelled takes it along."""
    now = asyncio.get_running_loop().time
    end, cancelled = now() + _MOMENT, False
    while not task.done() and (left := end - now()) > 0:
        try:
            await asyncio.wait({task}, timeout=left)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:  # everything is, as a loop ends
        await _cancel({task})
        raise asyncio.CancelledError


async def close(session: aiohttp.ClientSession, *, at_once: bool = False) -> None:
    """Close a session: `at_once`, or in the background if work over it goes on."""
    tasks = _at_work.pop(session, set())
    if at_once or not tasks:
        await _find_end(session, tasks)
        return
    ending = _end_on_close(session, tasks)
    await anext(ending)
    closing = asyncio.ensure_future(_close_after(tasks, ending))
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)


async def _end_on_close(session: aiohttp.ClientSession, tasks: set[asyncio.Task[Any]]) -> AsyncGenerator[None, None]:
    """Close the session as this generator is closed. A loop closes its generators as it ends."""
    try:
        yield
    finally:
        await _find_end(session, tasks)


async def _find_end(session: aiohttp.ClientSession, tasks: Collection[asyncio.Task[Any]]) -> None:
    await _cancel(tasks)
    await session.close()


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close_after(tasks: set[asyncio.Task[Any]], ending: AsyncGenerator[None, None]) -> None:
    await asyncio.wait(set(tasks))
    with suppress(RuntimeError):  # the loop is closing it
        await ending.aclose()

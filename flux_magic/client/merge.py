"""A merged stream of several streams of events, of which some are open at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from ..errors import FluxError
from ..results.generation import ClientEvent, Generation
from ..types import Log, Preview, Running

T = TypeVar("T")

_AGAIN = 0.5
"""Seconds that a task has to end before it is cancelled once more."""


async def merged(
    sources: Iterable[AsyncGenerator[T, None]], at_once: int | Callable[[], int]
) -> AsyncGenerator[tuple[int, T], None]:
    """Yield the items of the sources as they come, each with its source's place, from 0.

    At most `at_once` sources are open, and the next one is opened when one ends. At most that many items wait to be
    read. Raises what a source raises. All open sources are closed then, and also if the reader stops early.

    A function is called for the number after each item, so that it may grow and shrink on the way.
    """
    count: Callable[[], int] = at_once if callable(at_once) else lambda: at_once
    waiting: Iterator[tuple[int, AsyncGenerator[T, None]]] = enumerate(sources)
    room = asyncio.Semaphore(count())
    inbox: asyncio.Queue[tuple[int, T] | asyncio.Task[None]] = asyncio.Queue()
    workers: set[asyncio.Task[None]] = set()
    is_over = False

    async def work() -> None:
        nonlocal is_over
        while len(workers) <= count():
            if (following := next(waiting, None)) is None:
                is_over = True
                return
            place, source = following
            async with aclosing(source) as items:
                async for item in items:
                    await room.acquire()
                    inbox.put_nowait((place, item))

    def fill() -> None:
        while not is_over and len(workers) < count():
            worker = asyncio.create_task(work())
            worker.add_done_callback(inbox.put_nowait)
            workers.add(worker)

    try:
        fill()
        while workers:
            item = await inbox.get()
            if isinstance(item, asyncio.Task):
                workers.remove(item)
                item.result()
            else:
                room.release()
                yield item
            fill()
    finally:
        waiting = enumerate(())
        await _end_tasks([*workers])


async def order(events: AsyncIterable[tuple[int, ClientEvent | FluxError]]) -> AsyncGenerator[ClientEvent, None]:
    """Yield the events of several requests that are made at once as if each were made after the one before it.

    The images come in order, and the first error in this order is raised. The steps are those of the first image that
    is missing, or of the others as long as that one waits; previews come together.
    """
    started: set[int] = set()
    finished: dict[int, Generation | FluxError] = {}
    previews: dict[int, str] = {}
    turn = 0
    async for place, event in events:
        if isinstance(event, Generation | FluxError):
            finished[place] = event
            previews.pop(place, None)
        elif isinstance(event, Preview):
            previews[place] = next(iter(event.images), "")
            yield Preview([previews[one] for one in sorted(previews)])
        elif place == turn or isinstance(event, Log) or (isinstance(event, Running) and turn not in started):
            started |= {place} if isinstance(event, Running) else set()
            yield event
        while (made := finished.pop(turn, None)) is not None:
            if isinstance(made, FluxError):
                raise made
            yield made
            turn += 1


async def _end_tasks(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """End the tasks, cancelling them until they end: before Python 3.12 `asyncio.wait_for` may lose a cancellation."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)  # no other code retrieves their results

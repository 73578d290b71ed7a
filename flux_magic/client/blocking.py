"""A client's events for a caller that blocks: client, runner and progress put together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, TypeVar

from ..parameters.calls import checked
from ..parameters.settings import Settings, resolve
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations
from ..results.notes import note
from ..types import ImageRequest
from . import progress, runner
from .async_client import AsyncClient
from .options import AsyncOnEvent, OnEvent

T = TypeVar("T")

shared = AsyncClient()
"""The one client of the magics, the panel and `generate`: its connections are kept on the background loop."""

history = shared.made
"""The last generations of this process, by magic, panel or call alike; the newest is the last."""


def generations(
    requests: Sequence[ImageRequest],
    settings: Settings,
    *,
    quiet: bool = False,
    client: AsyncClient | None = None,
    on_event: OnEvent | None = None,
) -> Iterator[Generation]:
    """The requests' generations as they are made, one after the other, under one progress bar."""
    replays = progress.Replays(told=quiet)
    with (
        runner.interruptible(),
        progress.bar(len(requests), quiet=quiet) as bar,
        closing(events(requests, settings, client)) as coming,
    ):
        for event in coming:
            bar.show(event)
            if on_event is not None and event is not None:
                on_event(event)
            if isinstance(event, Generation):
                replays.see(event)
                if event.note and not quiet:
                    note(event.note)
                yield event


def events(
    requests: Sequence[ImageRequest], settings: Settings, client: AsyncClient | None = None
) -> Generator[ClientEvent | None, None, None]:
    """The events of the requests, one request after the other; None about every 0.2 s while there is none.

    Who stops reading ends the job that is on its way.
    """
    how = runner.get(settings.runner)
    for request in requests:
        with closing(how.iterate(_events(request, settings, client or shared))) as coming:
            yield from coming


async def _events(request: ImageRequest, settings: Settings, client: AsyncClient) -> AsyncGenerator[ClientEvent, None]:
    await keep(client, settings)
    async with aclosing(client.stream(request, settings)) as coming:
        async for event in coming:
            yield event


async def keep(client: AsyncClient, settings: Settings) -> None:
    """Keep a client's connections between calls, if its loop lives on."""
    if settings.runner == "thread":
        await runner.background.keep(client)


def release(client: AsyncClient) -> None:
    """Close a client's connections, if there are some."""
    if runner.background.has(client):
        runner.background.run(runner.background.release(client))


async def submitted(
    requests: Sequence[ImageRequest], settings: Settings, client: AsyncClient, on_event: AsyncOnEvent
) -> Generation | Generations:
    """Make the images of a handle, on the background loop."""
    await runner.background.keep(client)
    return await client.make_all(requests, settings, on_event)


def bounds(settings: Settings, client: AsyncClient | None = None) -> Mapping[str, tuple[int, int]] | None:
    """As `AsyncClient.bounds`, and waits for it."""
    return runner.background.run(_bounds(settings, client or shared))


async def _bounds(settings: Settings, client: AsyncClient) -> Mapping[str, tuple[int, int]] | None:
    await runner.background.keep(client)
    return await client.bounds(settings)


@checked
def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from a cell or a script, and return its result; an interrupt cancels it."""
    with runner.interruptible():
        return runner.get(resolve().runner).run(coroutine)

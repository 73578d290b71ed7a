"""A client's events for a caller that blocks: client, runner and progress put together."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar

from ..parameters.calls import checked
from ..parameters.settings import Settings, resolve
from ..results.generation import ClientEvent, Generation
from ..results.notes import note
from ..types import ImageRequest
from . import progress, runner
from .async_client import AsyncClient
from .options import OnEvent

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
    how, client = runner.get(settings.runner), client or shared
    for request in requests:
        with closing(how.iterate(client.stream(request, settings), keep=client)) as coming:
            yield from coming


def bounds(settings: Settings, client: AsyncClient | None = None) -> Mapping[str, tuple[int, int]] | None:
    """As `AsyncClient.bounds`, and waits for it."""
    client = client or shared
    return runner.background.run(client.bounds(settings), keep=client)


@checked
def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from a cell or a script, and return its result; an interrupt cancels it.

    Example::

        >>> async def main():
        ...     return await flux_magic.AsyncClient().generate("a red fox", seed=42)
        >>> flux_magic.run(main()).seed
        42

    Raises what the coroutine raises, and InvalidArgument for what is no coroutine.
    """
    with runner.interruptible():
        return runner.get(resolve().runner).run(coroutine)

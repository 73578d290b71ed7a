"""A client's events for a caller that blocks: client, runner and progress put together."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

from ..parameters.calls import check_call
from ..parameters.settings import Settings, resolve
from ..providers.base import ModelDescription
from ..results.generation import ClientEvent, Generation
from ..results.notes import print_note
from ..types import ImageRequest
from . import progress, runner
from .async_client import AsyncClient
from .options import OnEvent

T = TypeVar("T")

shared = AsyncClient()
"""The one client of the magics, the panel and `generate`; the background loop keeps its connections."""

history = shared.made
"""The most recent generations of this process, from magics, panel and calls alike; the newest is the last."""


def iterate_generations(
    requests: Sequence[ImageRequest],
    settings: Settings,
    *,
    quiet: bool = False,
    client: AsyncClient | None = None,
    on_event: OnEvent | None = None,
    shows: bool = False,
) -> Iterator[Generation]:
    """Yield the requests' generations in their order, as they are made, under one progress bar.

    The bar is below what the caller `shows` in between.
    """
    replays = progress.Replays(told=quiet)
    with (
        runner.hide_traceback(),
        progress.note_interrupt() as note_event,
        progress.show_bar(len(requests), quiet=quiet) as bar,
        closing(iterate_events(requests, settings, client)) as coming,
    ):
        for event in coming:
            bar.show(event)
            note_event(event)
            if on_event is not None and event is not None:
                on_event(event)
            if isinstance(event, Generation):
                replays.see(event)
                if event.note and not quiet:
                    print_note(event.note)
                if shows:
                    bar.move()
                yield event


def iterate_events(
    requests: Sequence[ImageRequest], settings: Settings, client: AsyncClient | None = None
) -> Generator[ClientEvent | None, None, None]:
    """Yield the events of the requests, one request after the other; None about every 0.2 s while there are no events.

    Those that the provider makes in a batch are made at once, and so are those of a cluster. Closing the generator
    cancels the running jobs.
    """
    how, client = runner.get_runner(settings.runner), client or shared
    # The next request begins when its caller has the image before it, unless they are made at once.
    parts = [requests] if client.is_at_once(requests, settings) else [[request] for request in requests]
    for part in parts:
        with closing(how.iterate(client.stream_all(part, settings), keep=client)) as coming:
            yield from coming


def fetch_description(settings: Settings, client: AsyncClient | None = None) -> ModelDescription | None:
    """Return what a model takes as `AsyncClient.fetch_description` does, and wait for it."""
    client = client or shared
    return runner.background.run(client.fetch_description(settings), keep=client)


@check_call
def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from a cell or a script, and return its result; an interrupt cancels it.

    Example::

        >>> async def main():
        ...     return await flux_magic.AsyncClient().generate("a red fox", seed=42)
        >>> flux_magic.run(main()).seed
        42

    Raises what the coroutine raises, and InvalidArgument if it is not a coroutine.
    """
    with runner.hide_traceback():
        return runner.get_runner(resolve().runner).run(coroutine)

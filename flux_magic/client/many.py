"""The events of several images at once, for a caller that blocks."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import NoReturn

from ..errors import FluxError, InvalidArgument, few
from ..parameters.settings import Settings
from ..providers import get_provider
from ..results.generation import ClientEvent, Generation
from ..results.notes import MOST_NOTES, note
from ..sweeps.layout import undrawn
from ..sweeps.requests import Sweep
from ..types import ImageRequest
from . import blocking, progress, runner
from .async_client import AsyncClient
from .batch import Tally
from .options import OnEvent

PlacedEvent = tuple[int, ClientEvent | FluxError]
"""What happened to one of several images: its request's place, from 0, and the event or the error it failed with."""


class Images(Iterator[Generation]):
    """Images as they are finished: what `generate_many` gives. Who stops reading ends the jobs, `close()` too."""

    __slots__ = ("_made",)

    def __init__(self, made: Generator[Generation, None, None]) -> None:
        self._made = made

    def __next__(self) -> Generation:
        return next(self._made)

    def close(self) -> None:
        """End the jobs that are under way."""
        self._made.close()

    def __aiter__(self) -> NoReturn:
        raise InvalidArgument("a Client blocks: write for without async, or use flux_magic.AsyncClient")


def generations(
    requests: Iterable[ImageRequest], settings: Settings, client: AsyncClient, on_event: OnEvent | None
) -> Generator[Generation, None, None]:
    """Give the image of each request as it is finished; every event goes to the callback on the caller's thread."""
    coming = client.make_many(requests, settings, every=on_event is not None)
    return _made(runner.get(settings.runner).iterate(coming, ahead=1, keep=client), on_event)


def _made(
    coming: Generator[ClientEvent | None, None, None], on_event: OnEvent | None
) -> Generator[Generation, None, None]:
    with runner.interruptible(), closing(coming):
        for event in coming:
            if on_event is not None and event is not None:
                on_event(event)
            if isinstance(event, Generation):
                yield event


def announced(asked: Sweep, settings: Settings) -> str:
    """How many images a sweep is, and the GPU time that is left for them, where that is known."""
    left = runner.background.run(blocking.shared.quota(settings), keep=blocking.shared)
    return f"{asked}; {left}" if left else str(asked)


def gather(
    tally: Tally,
    settings: Settings,
    *,
    quiet: bool = False,
    client: AsyncClient | None = None,
    on_event: OnEvent | None = None,
) -> None:
    """Make the images of a tally's sweep, under one bar and a sheet that fills in.

    What is finished is in the tally whatever is raised: as `AsyncClient.stream_many` does, and Incomplete at the end.
    """
    asked, replays = tally.sweep, progress.Replays(told=quiet)
    get_provider(settings.model)  # what fails for all is told once
    try:
        with (
            runner.interruptible(),
            progress.sheet(len(asked), tally.sheet, quiet=quiet) as bar,
            closing(events(asked.requests, settings, client)) as coming,
        ):
            for _, image in followed(coming, tally, bar, on_event):
                replays.see(image)
    finally:
        for line in few([*filter(None, [undrawn(asked.axes)]), *tally.notes], MOST_NOTES):
            note(line)
    if error := tally.failure():
        raise error


def followed(
    coming: Iterable[PlacedEvent | None],
    tally: Tally,
    bar: progress.SheetBar,
    on_event: OnEvent | None = None,
) -> Iterator[tuple[int, Generation]]:
    """Each image as it is made, with its place; all that happens is taken into the tally and shown by the bar."""
    for placed in coming:
        if placed is None:
            bar.wait()
            continue
        place, event = placed
        tally.take(place, event)
        bar.show(tally.sweep.label(place), event)
        if on_event is not None and not isinstance(event, FluxError):
            on_event(event)
        if isinstance(event, Generation):
            yield place, event


def events(
    requests: Iterable[ImageRequest], settings: Settings, client: AsyncClient | None = None
) -> Generator[PlacedEvent | None, None, None]:
    """What happens to each of the requests as it does; None about every 0.2 s while there is nothing.

    Who stops reading ends the jobs that are on their way.
    """
    client = client or blocking.shared
    return runner.get(settings.runner).iterate(client.stream_many(requests, settings), keep=client)

"""The events of several images at once, for a caller that blocks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import NoReturn

from ..errors import FluxError, InvalidArgument, list_few
from ..parameters.settings import Settings
from ..providers.registry import choose_provider
from ..results.generation import ClientEvent, Generation
from ..results.notes import MOST_NOTES, print_note
from ..sweeps.layout import describe_undrawn
from ..sweeps.requests import Sweep
from ..types import ImageRequest
from . import blocking, progress, runner
from .async_client import AsyncClient
from .batch import Tally
from .options import OnEvent

PlacedEvent = tuple[int, ClientEvent | FluxError]
"""The place of a request, from 0, with one of its events or the error that it failed with."""


class Images(Iterator[Generation]):
    """The images of `generate_many`, as they are finished. A reader that stops, or `close()`, ends the jobs."""

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
    return _iterate_made(runner.get_runner(settings.runner).iterate(coming, ahead=1, keep=client), on_event)


def _iterate_made(
    coming: Generator[ClientEvent | None, None, None], on_event: OnEvent | None
) -> Generator[Generation, None, None]:
    with runner.hide_traceback(), closing(coming):
        for event in coming:
            if on_event is not None and event is not None:
                on_event(event)
            if isinstance(event, Generation):
                yield event


def announce(asked: Sweep, settings: Settings) -> str:
    """Return how many images a sweep makes, and the GPU time that is left if it is known."""
    left = runner.background.run(blocking.shared.fetch_quota(settings), keep=blocking.shared)
    return f"{asked}; {left}" if left else str(asked)


def gather(
    tally: Tally,
    settings: Settings,
    *,
    quiet: bool = False,
    client: AsyncClient | None = None,
    on_event: OnEvent | None = None,
) -> None:
    """Make the images of a tally's sweep, with one bar and a sheet that fills in.

    The tally has the finished images whatever is raised. Raises the errors of `AsyncClient.stream_many`, and Incomplete
    at the end.
    """
    asked, replays = tally.sweep, progress.Replays(told=quiet)
    choose_provider(settings.model, None, settings.provider)  # an error that would affect every image is reported once
    try:
        with (
            runner.hide_traceback(),
            progress.note_interrupt() as note_event,
            progress.show_sheet(len(asked), tally.encode_sheet, quiet=quiet) as bar,
            closing(iterate_events(asked.requests, settings, client)) as coming,
        ):
            for _, image in follow(coming, tally, bar, on_event, note_event):
                replays.see(image)
    finally:
        for line in list_few([*filter(None, [describe_undrawn(asked.axes)]), *tally.notes], MOST_NOTES):
            print_note(line)
    if error := tally.build_failure():
        raise error


def follow(
    coming: Iterable[PlacedEvent | None],
    tally: Tally,
    bar: progress.SheetBar,
    on_event: OnEvent | None = None,
    note_event: Callable[[ClientEvent], None] | None = None,
) -> Iterator[tuple[int, Generation]]:
    """Yield each image as it is made, with its place; update the tally and the bar with every event."""
    for placed in coming:
        if placed is None:
            bar.wait()
            continue
        place, event = placed
        tally.take(place, event)
        bar.show(tally.sweep.format_label(place), event)
        if note_event is not None and not isinstance(event, FluxError):
            note_event(event)
        if on_event is not None and not isinstance(event, FluxError):
            on_event(event)
        if isinstance(event, Generation):
            yield place, event


def iterate_events(
    requests: Iterable[ImageRequest], settings: Settings, client: AsyncClient | None = None
) -> Generator[PlacedEvent | None, None, None]:
    """Yield the events of all requests as they come; None about every 0.2 s while there are no events.

    Closing the generator cancels the running jobs.
    """
    client = client or blocking.shared
    return runner.get_runner(settings.runner).iterate(client.stream_many(requests, settings), keep=client)

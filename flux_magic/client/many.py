"""The events of several images at once, for a caller that blocks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import FluxError, Incomplete, InvalidArgument, list_few
from ..parameters.settings import Settings
from ..providers.registry import choose_provider
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations
from ..results.notes import MOST_NOTES, print_note
from ..sweeps.labels import describe_undrawn
from ..sweeps.requests import Sweep
from . import blocking, progress, runner
from .async_client import AsyncClient
from .batch import Tally
from .options import OnEvent

if TYPE_CHECKING:
    import pandas as pd

PlacedEvent = tuple[int, ClientEvent | FluxError]
"""The place of a request, from 0, with one of its events or the error that it failed with."""


class Images(Iterator[Generation]):
    """The images of `generate_many`, as they are finished. A reader that stops, or `close()`, ends the jobs."""

    __slots__ = ("_frame", "_made")

    def __init__(self, made: Generator[tuple[int, Generation], None, None], frame: Any = None) -> None:
        self._made, self._frame = made, frame

    def __next__(self) -> Generation:
        return next(self._made)[1]

    def to_pandas(self) -> pd.DataFrame:
        """Make the images that are left, and return a table with a row for each, in the order of their requests.

        Its columns are those of `Generations.to_pandas`, and last `error`, if one failed: then nothing is raised. The
        columns of a data frame that the requests came from are the first, and its index is kept; otherwise the index
        is the place of the request, from 0.

        Raises MissingExtra, which is an ImportError, without pandas; and what would fail for the rest as well.
        """
        made: dict[int, Generation] = {}
        failures: dict[int, FluxError] = {}
        try:
            made.update(self._made)
        except Incomplete as error:
            failures = error.failures
        table = Generations([made[place] for place in sorted(made)]).to_pandas()
        table.index = sorted(made)
        whole = dict.fromkeys(("seed", "steps", "width", "height"), "Int64")
        table = table.reindex(sorted({*made, *failures})).astype(whole)
        if failures:
            table["error"] = [failures[place].message if place in failures else None for place in table.index]
        return table if self._frame is None else self._join(table)

    def _join(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the data frame's columns and index; a name that is taken becomes `name (given)`."""
        places = list(table.index)
        for at, name in enumerate(self._frame.columns):
            values = list(self._frame[name])
            called = f"{name} (given)" if name in table.columns else name
            table.insert(at, called, [values[place] for place in places])
        if (index := getattr(self._frame, "index", None)) is not None:
            table.index = [index[place] for place in places]
        return table

    def close(self) -> None:
        """End the jobs that are under way."""
        self._made.close()

    def __aiter__(self) -> NoReturn:
        raise InvalidArgument("a Client blocks: write for without async, or use flux_magic.AsyncClient")


def generations(
    requests: Iterable[object], settings: Settings, client: AsyncClient, on_event: OnEvent | None
) -> Generator[tuple[int, Generation], None, None]:
    """Give the place and image of each request as it is finished; the callback gets every event on this thread."""
    coming = client.make_many(requests, settings, every=on_event is not None, placed=True)
    return _iterate_made(runner.get_runner(settings.runner).iterate(coming, ahead=1, keep=client), on_event)


def _iterate_made(
    coming: Generator[tuple[int, ClientEvent] | None, None, None], on_event: OnEvent | None
) -> Generator[tuple[int, Generation], None, None]:
    with runner.hide_traceback(), closing(coming):
        for placed in coming:
            if placed is None:
                continue
            place, event = placed
            if on_event is not None:
                on_event(event)
            if isinstance(event, Generation):
                yield place, event


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
            closing(iterate_events(tally.list_requests(), settings, client)) as coming,
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
    requests: Iterable[object], settings: Settings, client: AsyncClient | None = None
) -> Generator[PlacedEvent | None, None, None]:
    """Yield the events of all requests as they come; None about every 0.2 s while there are no events.

    Closing the generator cancels the running jobs.
    """
    client = client or blocking.shared
    return runner.get_runner(settings.runner).iterate(client.stream_many(requests, settings), keep=client)

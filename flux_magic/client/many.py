"""The blocking calls for several images at once: a sweep, or whatever requests there are."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any

from ..errors import FluxError, Incomplete, few
from ..parameters.calls import checked
from ..parameters.settings import Settings, resolve
from ..providers import get_provider
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations
from ..results.notes import MOST_NOTES, note
from ..sweeps.layout import undrawn
from ..sweeps.requests import Sweep, sweep_of
from ..types import ImageRequest
from . import blocking, progress, runner
from .batch import Tally
from .client import check_many

PlacedEvent = tuple[int, ClientEvent | FluxError]
"""What happened to one of several images: its request's place, from 0, and the event or the error it failed with."""


@checked
def generate_many(requests: Iterable[ImageRequest], **options: Any) -> Iterator[Generation]:
    """Make an image of each request, some at once, and give each as it is finished, in whatever order.

    As `Client.generate_many`, for a caller that blocks; an interrupt ends the jobs. `for image in generate_many(…)`.
    """
    check_many(options)
    settings = resolve(**options)
    made = blocking.shared.generate_many(requests, **options)
    return _made(runner.get(settings.runner).iterate(made, ahead=1, keep=blocking.shared))


def _made(coming: Generator[Generation | None, None, None]) -> Iterator[Generation]:
    with runner.interruptible(), closing(coming):
        for generation in coming:
            if generation is not None:
                blocking.history.append(generation)
                yield generation


@checked
def sweep(
    prompt: str,
    *,
    count: int = 1,
    fresh: bool = False,
    quiet: bool = False,
    store: str | os.PathLike[str] | bool | None = None,
    **options: Any,
) -> Generations:
    """Make an image for every combination of what is given as a list, and wait for all of them.

    `sweep("a {colour} fox", colour=["red", "blue"], steps=[1, 2, 4], seed=42)` makes six. What is no list is the same
    for all, the seed too: without one a random seed is chosen.

    Args:
        prompt: what the images show; `{name}` in it is each of the values that are given by this name, and
            `{red|blue}` each of these.
        count: above 1, an axis of as many successive seeds.
        fresh: ask the Space, even for what is in the store.
        quiet: show no progress.
        store: as for `generate`.
        options: of `generate`, of which `seed`, `steps`, `width`, `height` and `size` (`"512x768"`) take a list as
            well; and the lists for the prompt. `concurrency` is how many are made at once, 1 to 16 (default 4).

    Returns Generations, indexed by position or by axis, whose picture is one sheet.

    Raises as `generate`; at the end Incomplete where some failed. Whatever is raised, an interrupt too, has what is
    finished as `made`.
    """
    given = options | {"store": store} | ({"replay": "off"} if fresh else {})
    asked, settings, typed = sweep_of(prompt, given, count)
    for line in (*typed.notes, *(f"{{{name}}} is sent as typed: it is not given" for name in typed.missing)):
        note(line)
    tally = Tally(asked, settings, "seed={}")
    try:
        gather(tally, settings, quiet=quiet)
    except BaseException as stop:
        vars(stop)["made"] = tally.generations()
        if not isinstance(stop, Incomplete):
            note(tally.left())
        raise
    return tally.generations()


def announced(asked: Sweep, settings: Settings) -> str:
    """How many images a sweep is, and the GPU time that is left for them, where that is known."""
    left = runner.background.run(blocking.shared.quota(settings), keep=blocking.shared)
    return f"{asked}; {left}" if left else str(asked)


def gather(tally: Tally, settings: Settings, *, quiet: bool = False) -> None:
    """Make the images of a tally's sweep, under one bar and a sheet that fills in.

    What is finished is in the tally whatever is raised: as `Client.stream_many` does, and Incomplete at the end.
    """
    asked, replays = tally.sweep, progress.Replays(told=quiet)
    get_provider(settings.model)  # what fails for all is told once
    try:
        with (
            runner.interruptible(),
            progress.sheet(len(asked), tally.sheet, quiet=quiet) as bar,
            closing(events(asked.requests, settings)) as coming,
        ):
            for _, image in followed(coming, tally, bar):
                replays.see(image)
    finally:
        for line in few([*filter(None, [undrawn(asked.axes)]), *tally.notes], MOST_NOTES):
            note(line)
    if error := tally.failure():
        raise error


def followed(
    coming: Iterable[PlacedEvent | None], tally: Tally, bar: progress.SheetBar
) -> Iterator[tuple[int, Generation]]:
    """Each image as it is made, with its place; all that happens is taken into the tally and shown by the bar."""
    for placed in coming:
        if placed is None:
            bar.wait()
            continue
        place, event = placed
        tally.take(place, event)
        bar.show(tally.sweep.label(place), event)
        if isinstance(event, Generation):
            yield place, event


def events(requests: Iterable[ImageRequest], settings: Settings) -> Generator[PlacedEvent | None, None, None]:
    """What happens to each of the requests as it does; None about every 0.2 s while there is nothing.

    Who stops reading ends the jobs that are on their way. Each Generation is in `api.history` as well.
    """
    how, placed_events = runner.get(settings.runner), blocking.shared.stream_many(requests, settings)
    with closing(how.iterate(placed_events, keep=blocking.shared)) as coming:
        for placed in coming:
            if placed is not None and isinstance(placed[1], Generation):
                blocking.history.append(placed[1])
            yield placed

"""The blocking calls: client, runner and progress put together."""

from __future__ import annotations

import asyncio
import os
import re
from collections import deque
from collections.abc import Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import NotInStore, TimedOut, masked
from ..parameters.calls import checked, path_text
from ..parameters.settings import Settings, resolve
from ..providers.http.connection import open_connection
from ..providers.http.guard import Guard
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations
from ..results.notes import note
from ..sweeps.requests import plan
from ..types import ImageRequest
from . import progress, runner
from .client import Client
from .interact import interactable

if TYPE_CHECKING:
    from ..results.recall import Recalled

T = TypeVar("T")

FETCH_TIMEOUT = 60.0
"""Seconds that an image at a URL may take, where no timeout is set."""

shared = Client()
"""The one client of the magics, the panel and `generate`: its connections are kept on the background loop."""

history: deque[Generation] = deque(maxlen=50)
"""The last generations of this process, by magic, panel or call alike; the newest is the last."""


@interactable
@checked
def generate(
    prompt: str,
    *,
    steps: int | None = None,
    seed: int | None = None,
    width: int | None = None,
    height: int | None = None,
    size: str | tuple[int, int] | None = None,
    count: int = 1,
    model: str | None = None,
    space: str | None = None,
    token: str | None = None,
    proxy: str | None = None,
    timeout: float | None = None,
    inline: str | None = None,
    store: str | os.PathLike[str] | bool | None = None,
    fresh: bool = False,
    metadata: bool = True,
    strip_credentials: bool = False,
    quiet: bool = False,
) -> Generation | Generations:
    """Make an image, and wait for it; an interrupt ends the wait and the job.

    What is left out is taken from `%config FluxMagics`, the environment, then the defaults.

    Args:
        prompt: what the image shows; sent as it is.
        steps: inference steps, 1 or more (default 2).
        seed: 0 to 2147483647; a random one by default.
        width, height: pixels, rounded down to a multiple of 8 (default 768).
        size: both at once, as `"1024x768"` or `(1024, 768)`.
        count: above 1, as many images with successive seeds.
        model: its name or alias (default "flux").
        space: a Hugging Face id, a URL, or `local`; by default the model's own.
        token: a Hugging Face token for that Space, and no other host.
        proxy: an http(s) proxy's URL.
        timeout: seconds for each image.
        inline: how a notebook embeds it: `png`, `jpeg` or `link`.
        store: the folder that keeps it, False to keep nothing; by default one in the user's data folder.
        fresh: ask the Space, even if an image of this seed and all else is in the store.
        metadata: False leaves what made it out of the files that are embedded and saved.
        strip_credentials: True takes content credentials (C2PA) out of them, so that the record goes inside.
        quiet: show no progress.

    Returns a Generation, or Generations for a count above 1.

    Raises InvalidRequest, LocalSpaceError, ConnectionFailed, TimedOut, NotInStore or ResponseError: each a FluxError.
    """
    settings = resolve(
        steps=steps,
        seed=seed,
        width=width,
        height=height,
        size=size,
        model=model,
        space=space,
        token=token,
        proxy=proxy,
        timeout=timeout,
        inline=inline,
        store=store,
        replay="off" if fresh else None,
        metadata=metadata,
        strip_credentials=strip_credentials,
    )
    made = list(generations(plan(prompt, settings, count), settings, quiet=quiet))
    return made[0] if len(made) == 1 else Generations(made)


def generations(requests: Sequence[ImageRequest], settings: Settings, *, quiet: bool = False) -> Iterator[Generation]:
    """The requests' generations as they are made, one after the other, under one progress bar."""
    replays = progress.Replays(told=quiet)
    with (
        runner.interruptible(),
        progress.bar(len(requests), quiet=quiet) as bar,
        closing(events(requests, settings)) as coming,
    ):
        for event in coming:
            bar.show(event)
            if isinstance(event, Generation):
                replays.see(event)
                if event.note and not quiet:
                    note(event.note)
                yield event


def events(requests: Sequence[ImageRequest], settings: Settings) -> Generator[ClientEvent | None, None, None]:
    """The events of the requests, one request after the other; None about every 0.2 s while there is none.

    Who stops reading ends the job that is on its way. Each Generation is in `history` as well.
    """
    how = runner.get(settings.runner)
    for request in requests:
        with closing(how.iterate(shared.stream(request, settings), keep=shared)) as coming:
            for event in coming:
                if isinstance(event, Generation):
                    history.append(event)
                yield event


def bounds(settings: Settings) -> Mapping[str, tuple[int, int]] | None:
    """As `Client.bounds`, and waits for it."""
    return runner.background.run(shared.bounds(settings), keep=shared)


@checked
def recall(image: str | os.PathLike[str] | Generation) -> Recalled:
    """What made an image, and the cell that makes it again.

    Args:
        image: a file, or an http(s) URL, which is asked without any token; or a Generation.

    Raises as `flux_magic.results.recall.recall` does, and as any request for a URL that cannot be read.
    """
    from ..results import recall as origin

    if isinstance(image, Generation):
        return origin.recalled(image, "this image")
    text = path_text("image", image)
    if not re.match(r"https?://", text, re.IGNORECASE):
        return origin.recall(text)
    settings = resolve()
    if settings.replay == "only":
        raise NotInStore('with replay = "only" no URL is asked', "Save the image, and name the file.")
    return origin.recalled_from(run(_fetched(text, settings)), masked(text))


async def _fetched(url: str, settings: Settings) -> bytes:
    async with open_connection(proxy=settings.proxy, guard=Guard(url)) as connection:
        try:
            return await asyncio.wait_for(connection.get_bytes(url), settings.timeout or FETCH_TIMEOUT)
        except TimedOut:
            raise
        except asyncio.TimeoutError as exc:
            limit = settings.timeout or FETCH_TIMEOUT
            raise TimedOut(f"{masked(url)} was not there within {limit:g} s", "Save the image, and name it.") from exc


@checked
def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from a cell or a script, and return its result; an interrupt cancels it."""
    with runner.interruptible():
        return runner.get(resolve().runner).run(coroutine)

"""A request in, events out, the generation recorded: all that the magics, the panel and scripts call."""

from __future__ import annotations

import asyncio
import operator
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsIndex
from weakref import WeakKeyDictionary

from . import local
from .errors import EmptyResult, InvalidRequest, Stopped, shown
from .generation import Generation, Generations
from .job import ClientEvent, Job, address_of, connection_for, is_local
from .providers import get_provider
from .providers.base import Limits, limited
from .providers.connection import open_session
from .settings import Settings, resolve
from .types import MAX_SEED, ImageRequest

if TYPE_CHECKING:
    import aiohttp
    from typing_extensions import Self


def plan(prompt: str, settings: Settings, count: int = 1, *, typed: str | None = None) -> list[ImageRequest]:
    """The requests for `count` images: the seed given and those that follow it, or a random one.

    `typed` is the prompt before {names} were put in, where that is another text.

    Raises InvalidRequest where a value is out of its range, or the seeds run past the largest.
    """
    count = _whole("count", count)
    if count < 1:
        raise InvalidRequest(f"count is {shown(count)}: give a whole number from 1 up")
    if count > MAX_SEED + 1:
        raise InvalidRequest(f"count is {shown(count)}: there are only {MAX_SEED + 1} seeds")
    first = random.randrange(MAX_SEED - count + 2) if settings.seed is None else _whole("seed", settings.seed)
    if count > 1 and first <= MAX_SEED < first + count - 1:
        raise InvalidRequest(
            f"{count} seeds from {first} run past {MAX_SEED}: start at {MAX_SEED - count + 1} or below"
        )
    return [
        ImageRequest(
            prompt=prompt,
            model=settings.model,
            width=_whole("width", settings.width),
            height=_whole("height", settings.height),
            steps=_whole("steps", settings.steps),
            seed=seed,
            typed=typed,
            chosen=settings.seed is None,
        )
        for seed in range(first, first + count)
    ]


def _whole(name: str, value: object) -> int:
    """An int from whatever counts as one: a NumPy integer, for instance, but no bool and no float."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise InvalidRequest(f"{name} is {shown(value)}: give a whole number")
    try:
        return operator.index(value)
    except TypeError:
        raise InvalidRequest(f"{name} is {shown(value)}: give a whole number") from None


@dataclass(slots=True, eq=False)
class _Running:
    """A job on its way: the task that waits for it, and whether `cancel_all` has ended it."""

    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[Any] | None
    stopped: bool = False


_all_running: set[_Running] = set()


def cancel_all() -> int:
    """End every job of this process, from any thread; each raises Stopped where it is waited for.

    Returns how many there were.
    """
    jobs = list(_all_running)
    for job in jobs:
        job.stopped = True
        if job.task is not None and not job.loop.is_closed():
            job.loop.call_soon_threadsafe(job.task.cancel)
    return len(jobs)


@dataclass(slots=True)
class _Kept:
    """A session that is kept on one loop, and how many `async with` blocks of that loop use it."""

    session: aiohttp.ClientSession
    users: int = 0


class Client:
    """Makes images on the caller's own event loop.

    Args:
        options: the fields of `Settings` (`space`, `model`, `steps`, `width`, `height`, `seed`,
            `inline`, `proxy`, `token`, `timeout`, `store`, `replay`, `metadata`) that its calls start from.

    Within `async with` its connection is kept between images; else each image has its own.
    """

    def __init__(self, **options: Any) -> None:
        resolve(**options)  # a mistake shows here, not at the first image
        self._options = options
        self._kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        kept = self._kept.get(loop) or _Kept(open_session())
        kept.users += 1
        self._kept[loop] = kept
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        kept = self._kept.get(loop)
        if kept is None:
            return
        kept.users -= 1
        if kept.users == 0:
            del self._kept[loop]
            await kept.session.close()

    async def generate(self, prompt: str, *, count: int = 1, **options: Any) -> Generation | Generations:
        """Make one image, or `count` with successive seeds, one after the other.

        Args:
            prompt: what the image shows; sent as it is.
            count: 1 gives a Generation, more give Generations.
            options: the fields of `Settings`, for this call.

        Raises InvalidRequest, LocalSpaceError, ConnectionFailed, TimedOut or ResponseError.
        """
        settings = resolve(**{**self._options, **options})
        made = [await self.make(request, settings) for request in plan(prompt, settings, count)]
        return made[0] if len(made) == 1 else Generations(made)

    async def make(self, request: ImageRequest, settings: Settings) -> Generation:
        """The generation of one request; raises as `generate` does."""
        async with aclosing(self.stream(request, settings)) as events:
            async for event in events:
                if isinstance(event, Generation):
                    return event
        raise EmptyResult("the Space finished, but sent no image")

    async def stream(
        self, request: ImageRequest, settings: Settings | None = None
    ) -> AsyncGenerator[ClientEvent, None]:
        """The events of one request; the last is its Generation. Raises as `generate` does."""
        settings = settings or resolve(**self._options)
        limits = Limits(total=settings.timeout)
        if is_local(settings):
            limits = replace(limits, retries=0, resubmissions=0)  # if it died, it is started again
        running = _Running(asyncio.get_running_loop(), asyncio.current_task())
        _all_running.add(running)
        try:
            async with self._session() as session:
                job = Job(request, settings, session, limits)
                async with aclosing(limited(job.events(), limits)) as events:
                    async for event in events:
                        yield event
                        running.task = asyncio.current_task()
        except asyncio.CancelledError:
            if running.stopped:
                raise Stopped("stopped by cancel_all()") from None
            raise
        finally:
            _all_running.discard(running)

    async def bounds(self, settings: Settings) -> Mapping[str, tuple[int, int]] | None:
        """The least and the most that a Space takes, by field of ImageRequest; of those alone that it tells.

        A Space is asked once a process. The local Space is not started for this: until it runs, this is None, and
        where `replay` is `only`.

        Raises InvalidRequest, ConnectionFailed, TimedOut or ResponseError.
        """
        if settings.replay == "only" or (is_local(settings) and not local.shared.running):
            return None
        kind, url = get_provider(settings.model), await address_of(settings)
        async with self._session() as session:
            return await kind(connection_for(kind, url, settings, session), url).bounds()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        kept = self._kept.get(asyncio.get_running_loop())
        if kept is not None:
            yield kept.session
            return
        async with open_session() as session:
            yield session

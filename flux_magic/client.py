"""A request in, events out, the generation recorded: all that the magics, the panel and scripts call."""

from __future__ import annotations

import asyncio
import importlib.metadata
import operator
import os
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsIndex
from weakref import WeakKeyDictionary

from . import local, picture
from .errors import ConnectionFailed, EmptyResult, InvalidRequest, ProtocolError, Stopped, shown
from .generation import Generation, Generations, ImageFile
from .providers import get_provider
from .providers.base import AsyncGeneratorProvider, Limits, limited
from .providers.connection import Connection, open_session
from .settings import Settings, resolve
from .types import MAX_SEED, ImageRequest, ImageResponse, Log, Preview, Queued, Record, Running, Space, Waiting

if TYPE_CHECKING:
    import aiohttp
    from typing_extensions import Self

ClientEvent = Waiting | Queued | Running | Log | Preview | Generation
"""What `Client.stream` yields; a Generation is the last."""


def plan(prompt: str, settings: Settings, count: int = 1) -> list[ImageRequest]:
    """The requests for `count` images: the seed given and those that follow it, or a random one.

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
            `inline`, `proxy`, `token`, `timeout`) that its calls start from.

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
        made = [await self._last(request, settings) for request in plan(prompt, settings, count)]
        return made[0] if len(made) == 1 else Generations(made)

    async def _last(self, request: ImageRequest, settings: Settings) -> Generation:
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
        if _is_local(settings):
            limits = replace(limits, retries=0, resubmissions=0)  # if it died, it is started again
        running = _Running(asyncio.get_running_loop(), asyncio.current_task())
        _all_running.add(running)
        try:
            async with self._session() as session:
                job = _Job(request, settings, session, limits)
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

        A Space is asked once a process. The local Space is not started for this: until it runs, this is None.

        Raises InvalidRequest, ConnectionFailed, TimedOut or ResponseError.
        """
        if _is_local(settings) and not local.shared.running:
            return None
        kind, url = get_provider(settings.model), await _address(settings)
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


@dataclass(frozen=True, slots=True)
class _Job:
    """One request on its way: where it goes, and what becomes of it."""

    request: ImageRequest
    settings: Settings
    session: aiohttp.ClientSession
    limits: Limits

    async def events(self) -> AsyncGenerator[ClientEvent, None]:
        if not _is_local(self.settings):
            async with aclosing(self._asked(await _address(self.settings))) as events:
                async for event in events:
                    yield event
            return
        for last_try in (False, True):
            if not local.shared.running:
                yield Waiting("starting the local Space")
            try:
                async with aclosing(self._asked(await _address(self.settings))) as events:
                    async for event in events:
                        yield event
                return
            except (ConnectionFailed, ProtocolError):
                # The seed is ours: if the Space died, the same job on a new one makes the same image.
                if last_try or not await local.shared.ended():
                    raise

    async def _asked(self, url: str | None) -> AsyncGenerator[ClientEvent, None]:
        kind = get_provider(self.request.model)
        provider = kind(connection_for(kind, url, self.settings, self.session, self.limits), url)
        started, begin = datetime.now(timezone.utc), time.monotonic()
        response = None
        async with aclosing(provider.stream(self.request)) as events:
            async for event in events:
                if isinstance(event, ImageResponse):
                    response = event
                else:
                    yield event
        if response is None:
            raise EmptyResult("the Space finished, but sent no image")
        files = [await _fetched(provider, address) for address in response.images]
        seconds = round(time.monotonic() - begin, 3)
        record = self._record(provider, await provider.stand_in(), response, files, started, seconds)
        yield Generation(self.request, record, tuple(files), self.settings.inline)

    def _record(
        self,
        provider: AsyncGeneratorProvider,
        drawing: str | None,
        response: ImageResponse,
        files: list[ImageFile],
        started: datetime,
        seconds: float,
    ) -> Record:
        identity, requested_space = _identity(provider, self.settings.space, drawing)
        request = self.request
        return Record(
            prompt=request.prompt,
            model=STAND_IN if drawing else str(response.options["model"]),
            requested_model=request.model,
            provider=provider.label,
            space=identity,
            requested_space=requested_space,
            seed=request.seed if response.seed is None else response.seed,
            steps=request.steps,
            requested_width=request.width,
            requested_height=request.height,
            width=request.sent_width,
            height=request.sent_height,
            files=tuple(file.record for file in files),
            version=importlib.metadata.version("flux-magic"),
            started=started.isoformat(timespec="seconds"),
            seconds=seconds,
        )


def _is_local(settings: Settings) -> bool:
    """Whether the bundled Space is asked."""
    return settings.space is not None and Space.parse(settings.space).url is None


async def _address(settings: Settings) -> str | None:
    """The base URL of the Space that is asked, which is started where it is the local one; None: the model's own."""
    if _is_local(settings):
        return await local.shared.address()
    return Space.parse(settings.space).url if settings.space else None


def connection_for(
    provider: type[AsyncGeneratorProvider],
    url: str | None,
    settings: Settings,
    session: aiohttp.ClientSession,
    limits: Limits | None = None,
) -> Connection:
    """A connection to the provider's Space, or to that at `url`, with the token that is meant for it.

    A token that the user gave goes to the Space that is asked; the environment's to the model's own Space alone.
    """
    base = url or provider.url
    own = base == provider.url and base.startswith("https://")
    token = settings.token or (os.environ.get("HF_TOKEN") if own else None)
    if _is_local(settings):
        token = None
    return Connection(session, proxy=settings.proxy, limits=limits, token=token, space=base)


STAND_IN = "flux_magic stand-in"
"""The model that a record names where the local Space drew the image."""


def _identity(provider: AsyncGeneratorProvider, asked: str | None, drawing: str | None) -> tuple[str, str | None]:
    """The Space's identity, and the name that a cell needs to reach it (None: the model's own Space)."""
    if drawing is not None:
        return f"local:{drawing}", "local"
    space = Space.parse(asked or provider.space or provider.url)
    own = space.url == provider.url.rstrip("/")
    return Space.parse(provider.space or provider.url).identity if own else space.identity, None if own else space.name


async def _fetched(provider: AsyncGeneratorProvider, url: str) -> ImageFile:
    """Decoding is the processor's work, and goes to a thread."""
    data = await provider.fetch(url)
    return ImageFile(await asyncio.to_thread(picture.describe, data), data, url)

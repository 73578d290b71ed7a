"""A request in, events out, the generation recorded: all that the magics, the panel and scripts call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import EmptyResult, FluxError, Incomplete, InvalidRequest, Stopped, is_hopeless, shown
from ..parameters.calls import checked_class
from ..parameters.settings import Settings, check_folders, resolve, split_size
from ..providers import local
from ..providers.base import Limits, limited
from ..providers.http.connection import Session, open_session
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations
from ..sweeps.requests import plan
from ..types import ImageRequest
from .job import Job
from .merge import merged
from .target import resolve_target
from .underway import underway

if TYPE_CHECKING:
    from typing_extensions import Self


def check_many(options: Mapping[str, Any]) -> None:
    """Raises InvalidRequest where an option of a call for several requests is each request's own."""
    for name in ("seed", "steps", "size", "width", "height", "model"):
        if options.get(name) is not None:
            own = "width=…, height" if name == "size" else name
            raise InvalidRequest(f"{name} is each request's own: give it there, as in ImageRequest(…, {own}=…)")


def incomplete(
    number: int, failures: Mapping[int, FluxError], hint: str = "", made: Sequence[Generation] = ()
) -> Incomplete:
    """The error for several images of which some failed, by their places among `number`."""
    first = failures[min(failures)]
    same = "each" if len({error.message for error in failures.values()}) == 1 and len(failures) > 1 else "the first"
    said = first.message if len(failures) == 1 else f"{same}: {first.message}"
    return Incomplete(f"{len(failures)} of {number} images failed; {said}", hint or first.hint, failures, made)


@dataclass(slots=True)
class _Kept:
    """A session that is kept on one loop, and how many `async with` blocks of that loop use it."""

    opened: AbstractAsyncContextManager[Session]
    session: Session
    users: int = 0


@checked_class
class Client:
    """Makes images on the caller's own event loop.

    Args:
        options: the fields of `Settings` (`space`, `model`, `steps`, `width`, `height` or `size`, `seed`,
            `inline`, `proxy`, `token`, `timeout`, `concurrency`, `store`, `shared_store`, `replay`, `metadata`) that
            its calls start from.

    Within `async with` its connection is kept between images; else each image has its own.
    """

    __slots__ = ("__weakref__", "_kept", "_options")

    def __init__(self, **options: Any) -> None:
        check_folders(resolve(**options))  # a mistake shows here, not at the first image
        self._options = split_size(options)
        self._kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        kept = self._kept.get(loop)
        if kept is None:
            opened = open_session()
            kept = _Kept(opened, await opened.__aenter__())
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
            await kept.opened.__aexit__(None, None, None)

    async def generate(self, prompt: str, *, count: int = 1, **options: Any) -> Generation | Generations:
        """Make one image, or `count` with successive seeds, one after the other.

        Args:
            prompt: what the image shows; sent as it is.
            count: 1 gives a Generation, more give Generations.
            options: the fields of `Settings`, for this call.

        Raises InvalidRequest, LocalSpaceError, ConnectionFailed, TimedOut or ResponseError.
        """
        settings = resolve(**{**self._options, **split_size(options)})
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
        check_folders(settings)
        limits, target = Limits(total=settings.timeout), resolve_target(settings, request.model)
        if target.is_local:
            limits = replace(limits, retries=0, resubmissions=0, reconnections=0)  # if it died, it is started again
        with underway(request, target.name) as job:
            async with self._session() as session:
                coming = Job(request, target, session, limits).events()
                async with aclosing(limited(coming, limits, job.context)) as events:
                    async for event in events:
                        job.see(event)
                        yield event
                        job.task = asyncio.current_task()

    async def generate_many(self, requests: Iterable[ImageRequest], **options: Any) -> AsyncGenerator[Generation, None]:
        """Make an image of each request, some at once, and give each as it is finished, in whatever order.

        No more are made ahead than are at work at once, so a slow reader holds the others up, and memory stays flat.

        Args:
            requests: as many as there are; they are taken one by one, as there is room.
            options: the fields of `Settings`, for this call: `concurrency` says how many are made at once. What is a
                request's own (`prompt`, `seed`, `steps`, `width`, `height`, `model`) is not among them.

        Raises, when all others are done, Incomplete where some failed; at once what would fail for the rest as well
        (no quota, no connection, no such Space: `flux_magic.errors.HOPELESS`).
        """
        check_many(options)
        settings = resolve(**{**self._options, **split_size(options)})
        failures: dict[int, FluxError] = {}
        number = 0
        async with aclosing(self.stream_many(requests, settings)) as events:
            async for place, event in events:
                number = max(number, place + 1)
                if isinstance(event, FluxError):
                    failures[place] = event
                elif isinstance(event, Generation):
                    yield event
        if failures:
            raise incomplete(number, failures)

    async def stream_many(
        self, requests: Iterable[ImageRequest], settings: Settings | None = None
    ) -> AsyncGenerator[tuple[int, ClientEvent | FluxError], None]:
        """The events of several requests as they come, each with its request's place, from 0.

        Of each request the last is its Generation, or the error that it failed with. At most `settings.concurrency` are
        on their way at once. Raises at once what would fail for the others as well, and ends them.
        """
        settings = settings or resolve(**self._options)
        if not isinstance(requests, Iterable):
            raise InvalidRequest(
                f"the requests are {shown(requests)}: give a list of ImageRequest, or another iterable"
            )
        each = (self._tried(request, settings) for request in requests)
        async with self, aclosing(merged(each, settings.concurrency)) as events:
            async for event in events:
                yield event

    async def _tried(self, request: ImageRequest, settings: Settings) -> AsyncGenerator[ClientEvent | FluxError, None]:
        """As `stream`; an error that is this request's alone is an event."""
        if not isinstance(request, ImageRequest):
            raise InvalidRequest(f'a request is {shown(request)}: give such as ImageRequest("a fox", seed=42)')
        try:
            async with aclosing(self.stream(request, settings)) as events:
                async for event in events:
                    yield event
        except FluxError as error:
            if is_hopeless(error) or isinstance(error, Stopped):
                raise
            yield error

    async def bounds(self, settings: Settings) -> Mapping[str, tuple[int, int]] | None:
        """The least and the most that a Space takes, by field of ImageRequest; of those alone that it tells.

        A Space is asked once a process. The local Space is not started for this: until it runs, this is None, and
        where `replay` is `only` or the Hub may not be asked.

        Raises InvalidRequest, ConnectionFailed, TimedOut or ResponseError.
        """
        target = resolve_target(settings, settings.model)
        if target.unasked or (target.is_local and not local.shared.running):
            return None
        async with self._session() as session:
            provider = await target.connect(session)
            return (await provider.describe(settings.model)).ranges

    async def quota(self, settings: Settings) -> str:
        """The GPU time that is left for the token, in words.

        Empty where there is no token, the Space is none of the Hub's, or the Hub does not tell it within some seconds.
        """
        target = resolve_target(settings, settings.model)
        if target.unasked or target.is_local:
            return ""
        async with self._session() as session:
            return await (await target.connect(session)).quota()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        kept = self._kept.get(asyncio.get_running_loop())
        if kept is not None:
            yield kept.session
            return
        async with open_session() as session:
            yield session

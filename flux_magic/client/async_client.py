"""A request in, events out, the generation recorded: all that the magics, the panel and scripts call."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload
from weakref import WeakKeyDictionary

from ..errors import EmptyResult, FluxError, InvalidArgument, InvalidRequest, Stopped, is_hopeless, shown
from ..parameters.calls import checked_class, takes
from ..parameters.settings import Settings, check_folders, resolve
from ..parameters.table import Parameter
from ..providers import get_provider, local
from ..providers.base import Limits, limited
from ..providers.http.connection import Session, open_session
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations
from ..sweeps.requests import complete, plan, sweep_of
from ..types import ImageRequest
from .batch import Tally, incomplete
from .job import Job
from .merge import merged
from .options import (
    AsyncCallOptions,
    AsyncOnEvent,
    AsyncSweepOptions,
    Options,
    call,
    check_callback,
    merge,
    merge_sides,
)
from .submission import AsyncSubmission, Latest
from .target import resolve_target
from .underway import underway

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ..results.history import History
    from ..results.recall import Recalled
    from ..verify.discover import Paths
    from ..verify.report import Report

HISTORY = 50
"""The last generations that a client remembers."""


@dataclass(slots=True)
class _Kept:
    """A session that is kept on one loop, and how many `async with` blocks and jobs of that loop use it."""

    opened: AbstractAsyncContextManager[Session]
    session: Session
    users: int = 0


@checked_class
class AsyncClient:
    """Makes images on the caller's own event loop; `Client` does the same for a caller that blocks.

    Every call takes the keywords of `Options`, and inherits those of the client where it leaves them out. Within
    `async with` the client keeps its connection between images; else each image has its own.

    Example::

        >>> async def main():
        ...     async with flux_magic.AsyncClient(steps=4) as client:
        ...         foxes = await client.generate("a red fox", count=2, seed=42)
        ...         return [fox.seed for fox in foxes]
        >>> asyncio.run(main())
        [42, 43]

    Raises InvalidArgument for another option, and InvalidRequest for a value that is not allowed.
    """

    __slots__ = ("__weakref__", "_kept", "made", "options")

    @takes(Options)
    def __init__(self, **options: Unpack[Options]) -> None:
        self.options = merge_sides({}, options)
        check_folders(resolve(**self.options))  # a mistake shows here, not at the first image
        self._kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()
        self.made: deque[Generation] = deque(maxlen=HISTORY)

    def resolved(self, options: Mapping[str, Any]) -> Settings:
        """Return the settings of a call with these options: over the client's, `%config` and the environment."""
        return resolve(**merge_sides(self.options, options))

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

    @overload
    async def generate(  # type: ignore[overload-overlap]  # mypy counts 1 as an int
        self, prompt: str, *, count: Literal[1] = 1, **options: Unpack[AsyncCallOptions]
    ) -> Generation: ...
    @overload
    async def generate(self, prompt: str, *, count: int, **options: Unpack[AsyncCallOptions]) -> Generations: ...
    @takes(AsyncCallOptions)
    async def generate(self, prompt: str, *, count: int = 1, **options: Any) -> Generation | Generations:
        """Make one image, or `count` with successive seeds, one after the other; as `Client.generate`."""
        on_event = options.pop("on_event", None)
        check_callback(on_event, can_await=True)
        settings = self.resolved(options)
        return await self.make_all(plan(prompt, settings, count), settings, on_event)

    @overload
    def submit(  # type: ignore[overload-overlap]  # mypy counts 1 as an int
        self, prompt: str, *, count: Literal[1] = 1, **options: Unpack[AsyncCallOptions]
    ) -> AsyncSubmission[Generation]: ...
    @overload
    def submit(
        self, prompt: str, *, count: int, **options: Unpack[AsyncCallOptions]
    ) -> AsyncSubmission[Generations]: ...
    @takes(AsyncCallOptions)
    def submit(self, prompt: str, *, count: int = 1, **options: Any) -> AsyncSubmission[Any]:
        """Start a job on the running loop, and return its handle; as `Client.submit`."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise InvalidArgument("no event loop runs here: call submit in a coroutine, or use Client") from None
        latest = Latest(options.pop("on_event", None), can_await=True)
        settings = self.resolved(options)
        job = self.make_all(plan(prompt, settings, count), settings, latest)
        return AsyncSubmission(loop.create_task(job), latest)

    async def make_all(
        self, requests: Sequence[ImageRequest], settings: Settings, on_event: AsyncOnEvent | None = None
    ) -> Generation | Generations:
        """Make the images of the requests, one after the other: a Generation of one, else Generations."""
        made = [await self._make(request, settings, on_event) for request in requests]
        return made[0] if len(made) == 1 else Generations(made)

    async def make(self, request: ImageRequest, settings: Settings) -> Generation:
        """Make the image of one request, and keep it out of the history; raises as `generate` does."""
        made = await self._make(request, settings)
        self.made.remove(made)
        return made

    async def _make(
        self, request: ImageRequest, settings: Settings, on_event: AsyncOnEvent | None = None
    ) -> Generation:
        async with aclosing(self.stream(request, settings)) as events:
            async for event in events:
                await call(on_event, event)
                if isinstance(event, Generation):
                    return event
        raise EmptyResult("the Space finished, but sent no image")

    async def stream(
        self, request: ImageRequest, settings: Settings | None = None
    ) -> AsyncGenerator[ClientEvent, None]:
        """Yield the events of one request; the last is its Generation. Raises as `generate` does.

        What the request leaves out is taken from the settings; without them, from the client's options.
        """
        settings = settings or self.resolved({})
        request = complete(request, settings)
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
                        if isinstance(event, Generation):
                            self.made.append(event)
                        yield event
                        job.task = asyncio.current_task()

    @takes(AsyncCallOptions)
    def generate_many(
        self, requests: Iterable[ImageRequest], **options: Unpack[AsyncCallOptions]
    ) -> AsyncGenerator[Generation, None]:
        """Yield an image of each request as it is finished, some made at once; as `Client.generate_many`."""
        on_event = options.pop("on_event", None)
        check_callback(on_event, can_await=True)
        return self.make_many(requests, self.resolved(options), on_event)

    async def make_many(
        self,
        requests: Iterable[ImageRequest],
        settings: Settings,
        on_event: AsyncOnEvent | None = None,
        *,
        every: bool = False,
    ) -> AsyncGenerator[Any, None]:
        """Yield the images of the requests as they are finished, and with `every` all their events.

        Raises Incomplete at the end if some failed; at once what would fail for the rest as well.
        """
        failures: dict[int, FluxError] = {}
        number = 0
        async with aclosing(self.stream_many(requests, settings)) as events:
            async for place, event in events:
                number = max(number, place + 1)
                if isinstance(event, FluxError):
                    failures[place] = event
                    continue
                await call(on_event, event)
                if every or isinstance(event, Generation):
                    yield event
        if failures:
            raise incomplete(number, failures)

    @overload
    async def sweep(self, prompt: str, *, count: int = 1, **values: Unpack[AsyncSweepOptions]) -> Generations: ...
    @overload
    async def sweep(self, prompt: str, *, count: int = 1, **values: Any) -> Generations: ...
    @takes(AsyncSweepOptions)
    async def sweep(self, prompt: str, *, count: int = 1, **values: Any) -> Generations:
        """Make an image for every combination of what is given as a list; as `Client.sweep`, without its notes."""
        on_event = values.pop("on_event", None)
        check_callback(on_event, can_await=True)
        asked, settings, _ = sweep_of(prompt, merge(self.options, values), count)
        get_provider(settings.model)  # what fails for all is told once
        tally = Tally(asked, settings, "seed={}")
        try:
            async with aclosing(self.stream_many(asked.requests, settings)) as events:
                async for place, event in events:
                    tally.take(place, event)
                    if not isinstance(event, FluxError):
                        await call(on_event, event)
        except BaseException as stop:
            vars(stop)["made"] = tally.generations()
            raise
        if error := tally.failure():
            raise error
        return tally.generations()

    async def recall(self, image: str | os.PathLike[str] | Generation) -> Recalled:
        """Return what made an image, and the cell that makes it again; as `Client.recall`."""
        from .recall import recall_here, recall_url

        found = await asyncio.to_thread(recall_here, image)
        return await recall_url(found, self.resolved({})) if isinstance(found, str) else found

    async def verify(
        self,
        paths: Paths,
        *,
        space: str | None = None,
        concurrency: int = 2,
        static: bool = False,
    ) -> Report:
        """Check if images are still what their records make; as `Client.verify`."""
        from ..verify.live import check
        from ..verify.static import check_static

        if static:
            return await asyncio.to_thread(check_static, paths)
        return await check(paths, space=space, concurrency=concurrency, options=self.options)

    def history(self, last: int = HISTORY) -> History:
        """Return the last images that this client made, the newest last; as `Client.history`."""
        from ..results.history import History

        number = Parameter(name="last", help="", least=1).check(last)
        return History(list(self.made)[-number:], nothing="no images in this session yet")

    async def stream_many(
        self, requests: Iterable[ImageRequest], settings: Settings | None = None
    ) -> AsyncGenerator[tuple[int, ClientEvent | FluxError], None]:
        """Yield the events of several requests as they come, each with its request's place, from 0.

        Of each request the last is its Generation, or the error that it failed with. At most `settings.concurrency` are
        on their way at once. Raises at once what would fail for the others as well, and ends them.
        """
        settings = settings or self.resolved({})
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
        if kept is None:
            async with open_session() as session:
                yield session
            return
        kept.users += 1  # a job that outlives its client's block, and its cancel, have a connection to the end
        try:
            yield kept.session
        finally:
            await self.__aexit__(None, None, None)

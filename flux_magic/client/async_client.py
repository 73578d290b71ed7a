"""The asynchronous client, which turns requests into events and recorded generations."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload
from weakref import WeakKeyDictionary

from ..errors import EmptyResult, FluxError, InvalidArgument, InvalidRequest, Stopped, is_hopeless, show_value
from ..parameters.calls import check_class, takes
from ..parameters.settings import Settings, check_folders, resolve, split_size
from ..parameters.table import Parameter
from ..providers import local
from ..providers.base import Limits, ModelDescription, limit_events
from ..providers.http.connection import Session, open_session
from ..providers.registry import choose_provider
from ..records.query import build_query
from ..results.generation import ClientEvent, Generation
from ..results.generations import Generations
from ..results.signer import check_signing
from ..results.words import fill_words
from ..sweeps.requests import build_requests, build_sweep_call, complete
from ..types import ImageRequest
from .given import NOTHING, Requests, add_inputs, is_frame, load_given_async, read_requests, take_given
from .job import Job
from .merge import merged, order
from .options import (
    AsyncCallOptions,
    AsyncOnEvent,
    AsyncSweepOptions,
    Conditions,
    Options,
    call,
    check_callback,
    merge,
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
    from .cluster import Cluster

HISTORY = 50
"""The number of recent generations that a client remembers."""


@dataclass(slots=True)
class _Kept:
    """A session that is kept on one loop, and how many `async with` blocks and jobs of that loop use it."""

    opened: AbstractAsyncContextManager[Session]
    session: Session
    users: int = 0


@asynccontextmanager
async def open_cluster(settings: Settings) -> AsyncIterator[Cluster | None]:
    """Provide the cluster that makes the images of a call; None if this process does."""
    if settings.cluster is None:
        yield None
        return
    from .cluster import Cluster  # what makes images here does not wait for it to load

    async with Cluster(settings) as cluster:
        yield cluster


@check_class
class AsyncClient:
    """A client that makes images on the caller's own event loop; `Client` does the same for a caller that blocks.

    Every call takes the keywords of `Options`, and inherits those that it leaves out from the client. Within `async
    with` the client keeps its connections between images; otherwise each image opens its own.

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
        self.options = split_size(merge({}, options))
        check_folders(resolve(**self.options))  # a mistake is reported here, not at the first image
        self._kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()
        self.made: deque[Generation] = deque(maxlen=HISTORY)

    def resolve(self, options: Mapping[str, Any]) -> Settings:
        """Return the settings of a call with these options: over the client's, `%config` and the environment."""
        return resolve(**merge(self.options, options))

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
        given, settings = take_given(options), self.resolve(options)
        asked = build_requests(prompt, settings, count, has_images=bool(given))
        return await self._make_with(given, asked, settings, on_event)

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
        given, settings = take_given(options), self.resolve(options)
        asked = build_requests(prompt, settings, count, has_images=bool(given))
        job = self._make_with(given, asked, settings, latest)
        return AsyncSubmission(loop.create_task(job), latest)

    async def _make_with(
        self,
        given: Mapping[str, Any],
        requests: Sequence[ImageRequest],
        settings: Settings,
        on_event: AsyncOnEvent | None,
    ) -> Generation | Generations:
        """Load the images that go in, and make those of the requests."""
        images = await load_given_async(given, settings)
        return await self.make_all(list(add_inputs(requests, images)), settings, on_event)

    async def make_all(
        self, requests: Sequence[ImageRequest], settings: Settings, on_event: AsyncOnEvent | None = None
    ) -> Generation | Generations:
        """Make the images of the requests, in this order: a Generation of one, else Generations."""
        made = []
        async with aclosing(self.stream_all(requests, settings)) as events:
            async for event in events:
                await call(on_event, event)
                if isinstance(event, Generation):
                    made.append(event)
        if len(made) < len(requests):
            raise EmptyResult("the Space finished, but sent no image")
        return made[0] if len(made) == 1 else Generations(made)

    async def make(self, request: ImageRequest, settings: Settings, on_event: AsyncOnEvent | None = None) -> Generation:
        """Make the image of one request. Raises the errors of `generate`."""
        async with aclosing(self.stream(request, settings)) as events:
            async for event in events:
                await call(on_event, event)
                if isinstance(event, Generation):
                    return event
        raise EmptyResult("the Space finished, but sent no image")

    async def stream(
        self, request: ImageRequest, settings: Settings | None = None, cluster: Cluster | None = None
    ) -> AsyncGenerator[ClientEvent, None]:
        """Yield the events of one request; the last is its Generation. Raises the errors of `generate`.

        Options that the request leaves out come from the settings, or without these from the client's options. A call
        that makes several images has opened the `cluster` for all of them.
        """
        settings = settings or self.resolve({})
        if settings.cluster is not None and cluster is None:
            async with open_cluster(settings) as own, aclosing(self.stream(request, settings, own)) as events:
                async for event in events:
                    yield event
            return
        request = complete(request, settings)
        check_folders(settings)
        check_signing(settings)
        limits, target = Limits(total=settings.timeout), resolve_target(settings, request.model)
        if target.is_own and not (target.is_local or target.is_loopback):
            target.prepare(request)  # what its file says that it does not take is refused without asking
        if target.is_local:
            limits = replace(limits, retries=0, resubmissions=0, reconnections=0)  # a dead local Space is restarted
        with underway(request, target.name) as job:
            async with self._open_session() as session:
                made = Job(request, target, session, limits)
                # A task that waits on a cluster has no limit; the worker that makes the image keeps to them.
                coming = cluster.stream(made) if cluster else limit_events(made.stream(), limits, job.context)
                async with aclosing(coming) as events:
                    async for event in events:
                        job.see(event)
                        if isinstance(event, Generation):
                            event = fill_words(event, settings)  # noqa: PLW2901 - it leaves with them
                            self.made.append(event)
                        yield event
                        job.task = asyncio.current_task()

    async def stream_all(
        self, requests: Sequence[ImageRequest], settings: Settings
    ) -> AsyncGenerator[ClientEvent, None]:
        """Yield the events of the requests in their order. A cluster or a provider of batches makes them at once."""
        if self.is_at_once(requests, settings):
            async with aclosing(self.stream_many(requests, settings)) as placed, aclosing(order(placed)) as ordered:
                async for event in ordered:
                    yield event
            return
        for request in requests:
            async with aclosing(self.stream(request, settings)) as events:
                async for event in events:
                    yield event

    def is_at_once(self, requests: Sequence[ImageRequest], settings: Settings) -> bool:
        """Return True if `stream_all` makes these at once."""
        return len(requests) > 1 and (settings.cluster is not None or self.count_at_once(settings) > 1)

    @staticmethod
    def count_at_once(settings: Settings) -> int:
        """Return how many images of several are requested at once; 1 also if there is no such provider."""
        with suppress(InvalidRequest):  # the request that is made will meet it
            return choose_provider(settings.model, None, settings.provider).count_at_once(settings)
        return 1

    @takes(AsyncCallOptions)
    def generate_many(
        self, requests: Requests, **options: Unpack[AsyncCallOptions]
    ) -> AsyncGenerator[Generation, None]:
        """Yield an image of each request as it is finished, some made at once; as `Client.generate_many`."""
        on_event = options.pop("on_event", None)
        check_callback(on_event, can_await=True)
        own: Any = options
        given, settings = take_given(own), self.resolve(own)
        each = read_requests(requests, merge(self.options, own), given)
        return self.make_many(each, settings, on_event, given=NOTHING if is_frame(requests) else given)

    async def make_many(
        self,
        requests: Iterable[Any],
        settings: Settings,
        on_event: AsyncOnEvent | None = None,
        *,
        every: bool = False,
        placed: bool = False,
        given: Mapping[str, Any] = NOTHING,
    ) -> AsyncGenerator[Any, None]:
        """Yield the images of the requests as they are finished, and with `every` all their events.

        If they are `placed`, each comes with the place of its request, from 0.

        What is `given` goes into those that have no images of their own.

        Raises Incomplete at the end if some failed. An error that would affect every image is raised at once.
        """
        failures: dict[int, FluxError] = {}
        number = 0
        if given and isinstance(requests, Iterable):
            requests = add_inputs(requests, await load_given_async(given, settings))
        async with aclosing(self.stream_many(requests, settings)) as events:
            async for place, event in events:
                number = max(number, place + 1)
                if isinstance(event, FluxError):
                    failures[place] = event
                    continue
                await call(on_event, event)
                if every or isinstance(event, Generation):
                    yield (place, event) if placed else event
        if failures:
            from .batch import make_incomplete

            raise make_incomplete(number, failures)

    @overload
    async def sweep(
        self, prompt: str, *, count: int = 1, pairs: bool = False, **values: Unpack[AsyncSweepOptions]
    ) -> Generations: ...
    @overload
    async def sweep(self, prompt: str, *, count: int = 1, pairs: bool = False, **values: Any) -> Generations: ...
    @takes(AsyncSweepOptions)
    async def sweep(self, prompt: str, *, count: int = 1, pairs: bool = False, **values: Any) -> Generations:
        """Make an image for every combination of the options given as lists; as `Client.sweep`, without its notes."""
        on_event = values.pop("on_event", None)
        check_callback(on_event, can_await=True)
        given = take_given(values)
        options = merge(self.options, values)
        asked, settings, _ = build_sweep_call(prompt, options, count, has_images=bool(given), pairs=pairs)
        # An error that would affect every image is reported once.
        choose_provider(settings.model, None, settings.provider)
        images = await load_given_async(given, settings)
        asked = replace(asked, requests=tuple(add_inputs(asked.requests, images)))
        from .batch import Tally

        tally = Tally(asked, settings, "seed={}")
        try:
            async with aclosing(self.stream_many(tally.list_requests(), settings)) as events:
                async for place, event in events:
                    tally.take(place, event)
                    if not isinstance(event, FluxError):
                        await call(on_event, event)
        except BaseException as stop:
            vars(stop)["made"] = tally.collect_generations()
            raise
        if error := tally.build_failure():
            raise error
        return tally.collect_generations()

    async def recall(self, image: str | os.PathLike[str] | Generation) -> Recalled:
        """Return what made an image, and the cell that makes it again; as `Client.recall`."""
        from .recall import recall_here, recall_url

        found = await asyncio.to_thread(recall_here, image)
        return await recall_url(found, self.resolve({})) if isinstance(found, str) else found

    async def verify(
        self,
        paths: Paths,
        *,
        space: str | None = None,
        provider: str | None = None,
        concurrency: int = 2,
        static: bool = False,
    ) -> Report:
        """Check if images are still what their records make; as `Client.verify`."""
        from ..verify.live import check
        from ..verify.static import check_static

        if static:
            return await asyncio.to_thread(check_static, paths)
        return await check(paths, space=space, provider=provider, concurrency=concurrency, options=self.options)

    @takes(Conditions)
    def history(self, last: int = HISTORY, **values: Any) -> History:
        """Return the last images that this client made, the newest last, or those of a search; as `Client.history`."""
        from ..results.history import History, read_history

        number = Parameter(name="last", help="", least=1).check(last)
        given = {name: value for name, value in values.items() if value is not None}
        if not given:
            return History(list(self.made)[-number:], nothing="no images in this session yet")
        query = build_query({"words": given.pop("search", ""), **given})
        return read_history(self.resolve({}), last=number, query=query)

    async def stream_many(
        self, requests: Iterable[object], settings: Settings | None = None
    ) -> AsyncGenerator[tuple[int, ClientEvent | FluxError], None]:
        """Yield the events of several requests as they come, each with its request's place, from 0.

        The last event of each request is its Generation, or the error that it failed with. At most
        `settings.concurrency` requests run at once, or as many as the provider makes in a batch; on a cluster, as many
        as its workers can make. An error that would affect every image is raised at once and ends the others.
        """
        settings = settings or self.resolve({})
        if not isinstance(requests, Iterable):
            raise InvalidRequest(
                f"the requests are {show_value(requests)}: give a list of ImageRequest, or another iterable"
            )
        check_signing(settings)
        async with self, open_cluster(settings) as cluster:
            at_once = cluster.count_at_once if cluster else max(settings.concurrency, self.count_at_once(settings))
            each = (self._try(request, settings, cluster) for request in requests)
            async with aclosing(merged(each, at_once)) as events:
                async for event in events:
                    yield event

    async def _try(
        self, request: Any, settings: Settings, cluster: Cluster | None
    ) -> AsyncGenerator[ClientEvent | FluxError, None]:
        """Yield the events of `stream`; an error of this request alone is yielded as an event."""
        has_place, images = False, NOTHING
        if not isinstance(request, ImageRequest):
            from .rows import RowRequest  # it reads tables, which other requests do not wait for

            if isinstance(request, InvalidRequest):  # a row with a mistake
                yield request
                return
            if isinstance(request, RowRequest):
                has_place, images = request.has_place, request.images
                request, settings = request.request, request.settings
        if not isinstance(request, ImageRequest):
            raise InvalidRequest(
                f'a request is {show_value(request)}: give, for example, ImageRequest("a fox", seed=42)'
            )
        try:
            if images:
                request = replace(request, images=await load_given_async(images, settings))
            async with aclosing(self.stream(request, settings, cluster)) as events:
                async for event in events:
                    yield event
        except FluxError as error:
            if isinstance(error, Stopped) or (is_hopeless(error) and not has_place):
                raise
            yield error

    async def fetch_description(self, settings: Settings) -> ModelDescription | None:
        """Return what the model of these settings takes, as its provider or its Space describes it.

        The result is None until the local Space runs, as it is not started for this. It is also None if `replay` is
        `only`, or if the Hub may not be asked.

        Raises InvalidRequest, ConnectionFailed, TimedOut or ResponseError.
        """
        target = resolve_target(settings, settings.model)
        if target.unasked or (target.is_local and not local.shared.running):
            return None
        async with self._open_session() as session:
            return await (await target.connect(session)).describe(settings.model)

    async def fetch_quota(self, settings: Settings) -> str:
        """Return the GPU time that is left for the token, in words.

        It is empty if there is no token, the Space is not on the Hub, or the Hub does not answer within 3 s.
        """
        target = resolve_target(settings, settings.model)
        if target.unasked or target.is_local:
            return ""
        async with self._open_session() as session:
            return await (await target.connect(session)).quota()

    @asynccontextmanager
    async def _open_session(self) -> AsyncIterator[Session]:
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

"""The caller's side of a Dask cluster: requests become tasks, and what their workers send becomes events and images.

Dask schedules; there is no scheduler here. One connection, on the caller's own loop, lasts for one call.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ..errors import (
    ClusterError,
    FluxError,
    InvalidRequest,
    MissingExtra,
    NotEnoughMemory,
    TokenRefused,
    is_hopeless,
)
from ..parameters.settings import Settings, get_store_folder
from ..providers import local
from ..providers.log import get_logger
from ..providers.registry import is_registered
from ..results.generation import ClientEvent
from ..types import Log, Queued, Running, Waiting, fit_one_line
from .cluster_link import TOPIC, Killed, Link, make_died
from .cluster_local import describe_start, require_distributed
from .cluster_order import (
    BEGUN,
    Made,
    Order,
    find_mark,
    find_shape,
    list_keys,
    locate_model,
    open_made,
    write_call,
)
from .job import add_note, keep
from .replay import Replay

if TYPE_CHECKING:
    from typing_extensions import Self

    from .job import Job
    from .target import Target

_log = get_logger(__name__)

_LOOK: Final = 2.0
"""Seconds between two looks at which workers there are."""

_GATHER: Final = 0.05
"""Seconds that a batch waits for the requests that come with its first one."""

_BATCH_OF_GPU: Final = 4
"""Images of one shape that a worker with a GPU is given at once, if the call leaves it open."""

_TRIES: Final = 3
"""Tries of an image whose worker had too little memory, each on another one."""

_EVENTS: Final = {kind.__name__: kind for kind in (Waiting, Queued, Running, Log)}


@dataclass(eq=False, slots=True)
class _Ask:
    """A request that is to be made by a worker.

    Attributes:
        job: the request with its target.
        keys: the replay keys that its record may have.
        inbox: its events; last what was made, or the error.
        twins: others for the very same image, which get the same events.
        group: the requests of its task.
        is_open: False once its caller has left.
    """

    job: Job
    keys: tuple[str, ...]
    inbox: asyncio.Queue[ClientEvent | Made | FluxError] = field(default_factory=asyncio.Queue)
    twins: list[_Ask] = field(default_factory=list)
    group: _Group | None = None
    is_open: bool = True

    @property
    def is_wanted(self) -> bool:
        """True while a caller waits for it."""
        return self.is_open or any(one.is_open for one in self.twins)

    def tell(self, event: ClientEvent | Made | FluxError) -> None:
        """Hand an event to all who wait for it."""
        for one in (self, *self.twins):
            one.inbox.put_nowait(event)


@dataclass(eq=False, slots=True)
class _Group:
    """The requests of one task, its key, and what waits for its answer."""

    asks: list[_Ask] = field(default_factory=list)
    key: str = ""
    waiting: asyncio.Task[None] | None = None

    @property
    def target(self) -> Target:
        """The place where all of them are made."""
        return self.asks[0].job.target


class Cluster:
    """One call's use of a cluster: `async with Cluster(settings)`, then `stream` for each request.

    The connection is made when the first image is not in the store. Raises MissingExtra without Dask.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._run = uuid.uuid4().hex[:16]
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._asks: dict[str, _Ask] = {}
        self._groups: dict[str, _Group] = {}
        self._gathering: dict[object, _Group] = {}
        self._marks: dict[str, str] = {}
        self._most, self._is_on_gpu = 1, False

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(require_distributed)  # it takes some seconds to load, in which a bar is drawn
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop what is under way, which workers notice within a step, and close the connection."""
        waiting = [self._connecting, self._looking, *(group.waiting for group in self._groups.values())]
        running = [one for one in waiting if one is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
        for folder in filter(None, self._marks.values()):
            await asyncio.to_thread(shutil.rmtree, find_mark(folder, self._run), ignore_errors=True)

    def count_at_once(self) -> int:
        """Return how many requests may be under way: some more than the workers make at once, so that none waits."""
        if self._link is None:
            return self._settings.concurrency
        slots = self._link.count_slots(of_gpus=self._is_on_gpu)
        return max(slots + max(slots // 2, 1), 1) * self._most

    async def stream(self, job: Job) -> AsyncGenerator[ClientEvent, None]:
        """Yield what happens to a request; the last is its Generation, which is in the caller's store.

        Nothing that is in the store is sent to a worker. Raises the errors of `AsyncClient.generate`, ClusterError and
        ClusterUnavailable.
        """
        with suppress(MissingExtra):  # the worker has what is not installed here
            job = replace(job, target=await job.target.settle(job.request))
        replay = Replay(job.request, job.target)
        found = await replay.find_or_raise()
        if found is None and job.target.is_loopback:
            found = await replay.find_of_stand_in(await job.target.connect(job.session, job.limits))
        if found is not None:
            yield found
            return
        if self._link is None:
            yield Waiting(describe_start(self._settings.cluster))
        link = await self._connect()
        if job.target.is_local and link.is_here and not local.shared.running:
            yield Waiting("starting the local Space")
        yield _describe_workers(link)
        ask = _Ask(job, list_keys(replay))
        self._join(ask, link)
        try:
            while not _is_end(event := await ask.inbox.get()):
                yield event  # type: ignore[misc]  # as the condition says
        finally:
            self._leave(ask)
        if isinstance(event, FluxError):
            raise event
        made = await asyncio.to_thread(open_made, event, job)  # type: ignore[arg-type]  # what is left is Made
        if made.path is None:
            made = await keep(made, job.target.settings, job.limits)
        for note in replay.skipped:
            made = add_note(made, note)
        yield made

    async def _connect(self) -> Link:
        """Connect, once for all who wait. Raises ClusterUnavailable."""

        async def connect() -> Link:
            self._link = link = await Link.open(self._settings, self._run, self._on_message)
            self._looking = asyncio.ensure_future(self._look_again(link))
            return link

        if self._connecting is None:
            self._connecting = asyncio.ensure_future(connect())
        return await asyncio.shield(self._connecting)

    async def _look_again(self, link: Link) -> None:
        """Keep the number of workers up to date, and tell those who wait when it changes."""
        while True:
            await asyncio.sleep(_LOOK)
            before = len(link.workers)
            try:
                await link.look()
            except (OSError, RuntimeError):  # the futures say that the scheduler is lost
                return
            if len(link.workers) != before:
                for ask in self._asks.values():
                    ask.tell(_describe_workers(link))

    def _on_message(self, said: Mapping[str, Any]) -> None:
        """Hand the progress of a worker to the request that it is about."""
        group = self._groups.get(said["key"]) if said.get("run") == self._run else None
        if group is not None and said["place"] < len(group.asks):
            group.asks[said["place"]].tell(_EVENTS[said["kind"]](**said["values"]))

    def _join(self, ask: _Ask, link: Link) -> None:
        """Put a request into a task: one of its own, or a batch of one shape, which leaves when it is full.

        One that is under way already is not made twice.
        """
        if (first := self._asks.setdefault(ask.keys[0], ask)) is not ask:
            first.twins.append(ask)
            return
        self._most = most = _choose_batch(ask.job, link)
        self._is_on_gpu = ask.job.target.provider.is_on_gpu
        shape = find_shape(ask.job) if most > 1 else ask
        group = self._gathering.setdefault(shape, _Group())
        group.asks.append(ask)
        ask.group = group
        if len(group.asks) >= most:
            self._start(shape, group, link)
        elif len(group.asks) == 1:
            self._start_soon(shape, group, link)

    def _start_soon(self, shape: object, group: _Group, link: Link) -> None:
        """Start a batch that is not full, once a worker has nothing else to do."""

        def start() -> None:
            if self._gathering.get(shape) is group:
                is_busy = len(self._groups) >= link.count_slots(of_gpus=True)
                (self._start_soon if is_busy else self._start)(shape, group, link)

        asyncio.get_running_loop().call_later(_GATHER, start)

    def _start(self, shape: object, group: _Group, link: Link) -> None:
        del self._gathering[shape]
        group.asks = [one for one in group.asks if one.is_wanted]
        if not group.asks:
            return
        keys = "-".join(ask.keys[0] for ask in group.asks)
        name = keys if len(group.asks) == 1 else hashlib.sha256(keys.encode()).hexdigest()
        group.key = f"flux-image-{name[:32]}-{self._run}"
        self._groups[group.key] = group
        group.waiting = asyncio.ensure_future(self._follow(group, link))

    def _leave(self, ask: _Ask) -> None:
        """Drop a request; its task goes with the last of them."""
        ask.is_open = False
        first = self._asks.get(ask.keys[0], ask)
        if first.is_wanted:
            return
        self._asks.pop(ask.keys[0], None)
        group = first.group
        if group is not None and group.waiting is not None and not any(one.is_wanted for one in group.asks):
            group.waiting.cancel()

    def _finish(self, asks: Iterable[_Ask], result: Made | FluxError) -> None:
        """Hand requests what became of them; who asks for the same image from now on finds it in the store."""
        for ask in asks:
            if self._asks.get(ask.keys[0]) is ask:
                del self._asks[ask.keys[0]]
            ask.tell(result)

    async def _follow(self, group: _Group, link: Link) -> None:
        """Hand each request of a task what became of it."""
        try:
            await self._make(group, link)
        except FluxError as error:
            self._finish(group.asks, error)
        except Exception as exc:  # noqa: BLE001 - whatever a worker raises is an image's failure, and ends no other
            what = fit_one_line(f"{type(exc).__name__}: {exc}", 200)
            self._finish(group.asks, ClusterError(f"the task failed: {what}"))
        finally:
            if self._groups.get(group.key) is group:
                del self._groups[group.key]

    async def _make(self, group: _Group, link: Link) -> None:
        """Let a worker make the images of a task. Raises what became of those that are left in the group.

        Dask gives a task whose worker died to others; what all of them died of is tried once more. What a worker had
        too little memory for goes to another one.
        """
        tried = set[str]()
        for attempt in range(_TRIES):
            order = await self._write_order(f"{group.key}-{attempt}" if attempt else group.key, group, link)
            call = await asyncio.to_thread(write_call, order)
            try:
                answer = await link.ask(call, order.key, on_gpu=group.target.provider.is_on_gpu, avoid=tried)
            except Killed:
                if attempt:
                    raise make_died() from None
                continue
            tried.add(answer.worker)
            is_last = attempt + 1 == _TRIES or not set(link.workers) - tried
            again = []
            for ask, result in zip(group.asks, answer.results, strict=True):
                if isinstance(result, NotEnoughMemory) and not is_last:
                    again.append(ask)
                else:
                    self._finish([ask], self._explain(result, ask.job.target, answer.worker, link))
            group.asks = again
            if not again:
                return
            _log.info("%s has too little memory: the image goes to another worker", answer.worker)

    async def _write_order(self, key: str, group: _Group, link: Link) -> Order:
        """Return the order of a task; nothing in it is a secret.

        Raises InvalidRequest, ClusterUnavailable, and LocalSpaceError if the local Space, which is started once for all
        workers of this machine, does not start.
        """
        target, given, kind = group.target, group.target.settings, group.target.provider
        own = sys.modules.get("flux_magic.providers.diffusers.pipeline")
        if own is not None and issubclass(kind, own.OwnPipeline):
            raise InvalidRequest(
                f"the pipeline {kind.engine} is in this process's memory, and no worker has it: save it by "
                "save_pretrained in a folder that they see, and give --provider diffusers --model FOLDER"
            )
        hidden = link.hide_secrets(given, is_paid=kind.is_paid)
        left: dict[str, Any] = dict.fromkeys(["cluster", "caption", "alt", *hidden])
        if not kind.takes_space():
            left["space"] = None  # one that is configured is for other models
        return Order(
            key=key,
            group=group.key,
            requests=tuple(locate_model(ask.job) for ask in group.asks),
            keys=tuple(ask.keys for ask in group.asks),
            settings=replace(given, **left, store=False, shared_store="off", replay="off", runner="thread"),
            run=self._run,
            topic=TOPIC,
            folder=await asyncio.to_thread(self._mark, given),
            has_secrets=bool(link.secrets),
            provider=kind if is_registered(kind) else None,
            space=await local.shared.get_address() if target.is_local and link.is_here else "",
        )

    def _mark(self, settings: Settings) -> str:
        """Return the caller's store with a mark in it, by which a worker knows that it sees the same one; or ""."""
        folder = get_store_folder(settings)
        name = "" if folder is None else str(folder.absolute())
        if name not in self._marks:
            self._marks[name] = ""
            mark = find_mark(name, self._run)
            with suppress(OSError):  # no worker can write there then
                if name:
                    mark.mkdir(parents=True)
                    (mark / BEGUN).touch()
                    self._marks[name] = name
        return self._marks[name]

    def _explain(self, result: Made | FluxError, target: Target, worker: str, link: Link) -> Made | FluxError:
        """Return a result; an error that may be one worker's alone says which, and why it had no token."""
        if not isinstance(result, FluxError):
            return result
        own = (NotEnoughMemory, InvalidRequest) if target.provider.is_on_gpu else NotEnoughMemory
        # Those of a batch may be one error.
        if (isinstance(result, own) or is_hopeless(result)) and not result.message.endswith(f" {worker})"):
            result.message += f" (on the worker {worker})"
            result.args = (result.message,)
        if isinstance(result, TokenRefused) and self._settings.token and not link.is_private:
            result.hint = "The token was not sent, since the address is not tls://: set HF_TOKEN on the workers."
        return result


def _describe_workers(link: Link) -> Waiting:
    number = len(link.workers)
    return Waiting(
        f"waiting for {f'one of {number} workers' if number > 1 else 'a worker'}" if number else "no worker yet"
    )


def _is_end(event: object) -> bool:
    return not isinstance(event, Waiting | Queued | Running | Log)


def _choose_batch(job: Job, link: Link) -> int:
    """Return how many images of one shape go into a task."""
    if not job.target.provider.is_on_gpu:
        return 1
    batch = job.target.settings.batch
    return batch if isinstance(batch, int) else _BATCH_OF_GPU if link.count_gpus() else 1

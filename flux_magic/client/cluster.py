"""The caller's side of a Dask cluster: requests become tasks, and what their workers send becomes events and images.

Dask schedules; there is no scheduler here. One connection, on the caller's own loop, lasts for one call.
"""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import shutil
import sys
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
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
from ..providers.log import get_logger
from ..providers.registry import is_registered
from ..records.store import Stored
from ..results.generation import ClientEvent, Generation, ImageFile, build_generation
from ..types import Log, Queued, Running, Waiting, fit_one_line
from .cluster_link import TOPIC, Killed, Link, make_died
from .cluster_local import require_distributed
from .job import add_note, keep
from .replay import Replay

if TYPE_CHECKING:
    from typing_extensions import Self

    from .cluster_worker import Made, Order
    from .job import Job

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
        key: of its task.
        is_open: False once its caller has left.
    """

    job: Job
    keys: tuple[str, ...]
    inbox: asyncio.Queue[ClientEvent | Made | FluxError] = field(default_factory=asyncio.Queue)
    key: str = ""
    is_open: bool = True


@dataclass(eq=False, slots=True)
class _Group:
    """The requests of one task, others for the very same image, and what waits for its answer."""

    asks: list[_Ask]
    twins: list[_Ask] = field(default_factory=list)
    waiting: asyncio.Task[None] | None = None


class Cluster:
    """One call's use of a cluster: `async with Cluster(settings)`, then `stream` for each request.

    The connection is made when the first image is not in the store. Raises MissingExtra without Dask.
    """

    def __init__(self, settings: Settings) -> None:
        require_distributed()
        self._settings = settings
        self._run = uuid.uuid4().hex[:16]
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._groups: dict[str, _Group] = {}
        self._gathering: dict[object, _Group] = {}
        self._marks: dict[str, str] = {}
        self._most = 1

    async def __aenter__(self) -> Self:
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
            await asyncio.to_thread(shutil.rmtree, _find_mark(folder, self._run), ignore_errors=True)

    def count_at_once(self) -> int:
        """Return how many requests may be under way: some more than the workers make at once, so that none waits."""
        if self._link is None:
            return self._settings.concurrency
        slots = self._link.count_slots(of_gpus=str(self._settings.provider).partition(":")[0] == "diffusers")
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
            yield Waiting(f"connecting to {'workers on this machine' if self._settings.cluster == 'local' else 'Dask'}")
        link = await self._connect()
        yield _describe_workers(link)
        ask = _Ask(job, _list_keys(replay))
        self._join(ask, link)
        try:
            while not _is_end(event := await ask.inbox.get()):
                yield event  # type: ignore[misc]  # as the condition says
        finally:
            self._leave(ask)
        if isinstance(event, FluxError):
            raise event
        made = await asyncio.to_thread(_open, event, job)  # type: ignore[arg-type]  # what is left is Made
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
                for group in self._groups.values():
                    for ask in group.asks:
                        ask.inbox.put_nowait(_describe_workers(link))

    def _on_message(self, said: Mapping[str, Any]) -> None:
        """Hand the progress of a worker to the request that it is about."""
        group = self._groups.get(said["key"]) if said.get("run") == self._run else None
        if group is not None and said["place"] < len(group.asks):
            for ask in (group.asks[said["place"]], *group.twins):
                ask.inbox.put_nowait(_EVENTS[said["kind"]](**said["values"]))

    def _join(self, ask: _Ask, link: Link) -> None:
        """Put a request into a task: one of its own, or a batch of one shape, which leaves when it is full."""
        self._most = most = _choose_batch(ask.job, link)
        if most == 1:
            self._start(_Group([ask]), link)
            return
        shape = _find_shape(ask.job)
        if shape not in self._gathering:
            self._gathering[shape] = _Group([])
            asyncio.get_running_loop().call_later(_GATHER, self._start_batch, shape, self._gathering[shape], link)
        group = self._gathering[shape]
        group.asks.append(ask)
        if len(group.asks) >= most:
            self._start_batch(shape, group, link)

    def _start_batch(self, shape: object, group: _Group, link: Link) -> None:
        if self._gathering.get(shape) is group:
            del self._gathering[shape]
            group.asks = [one for one in group.asks if one.is_open]
            if group.asks:
                self._start(group, link)

    def _start(self, group: _Group, link: Link) -> None:
        keys = "-".join(ask.keys[0] for ask in group.asks)
        name = keys if len(group.asks) == 1 else hashlib.sha256(keys.encode()).hexdigest()
        key = f"flux-image-{name[:32]}-{self._run}"
        for ask in group.asks:
            ask.key = key
        if key in self._groups:
            self._groups[key].twins += group.asks
            return
        self._groups[key] = group
        group.waiting = asyncio.ensure_future(self._follow(key, group, link))

    def _leave(self, ask: _Ask) -> None:
        """Drop a request; its task goes with the last of them."""
        ask.is_open = False
        group = self._groups.get(ask.key)
        if group is not None and not any(one.is_open for one in (*group.asks, *group.twins)):
            del self._groups[ask.key]
            if group.waiting is not None:
                group.waiting.cancel()

    async def _follow(self, key: str, group: _Group, link: Link) -> None:
        """Hand each request of a task what became of it."""
        results: Sequence[Made | FluxError]
        try:
            results = await self._make(key, group.asks, link)
        except FluxError as error:
            results = [error] * len(group.asks)
        except Exception as exc:  # noqa: BLE001 - whatever a worker raises is an image's failure, and ends no other
            what = fit_one_line(f"{type(exc).__name__}: {exc}", 200)
            results = [ClusterError(f"the task failed: {what}")] * len(group.asks)
        for ask, result in zip(group.asks, results, strict=True):
            ask.inbox.put_nowait(result)
        for twin in group.twins:
            twin.inbox.put_nowait(results[0])

    async def _make(self, key: str, asks: Sequence[_Ask], link: Link) -> list[Made | FluxError]:
        """Return what a worker made of each request.

        Dask gives a task whose worker died to others; what all of them died of is tried once more. What a worker had
        too little memory for goes to another one.
        """
        results: dict[int, Made | FluxError] = {}
        left, tried = [*range(len(asks))], set[str]()
        for attempt in range(_TRIES):
            some = [asks[at] for at in left]
            order = await self._write_order(f"{key}-{attempt}" if attempt else key, key, some, link)
            on_gpu = asks[0].job.target.provider.engine == "diffusers"
            try:
                answer = await link.ask(await asyncio.to_thread(_pickle, order), order.key, on_gpu=on_gpu, avoid=tried)
            except Killed:
                if attempt:
                    return [results.get(at) or make_died() for at in range(len(asks))]
                continue
            tried.add(answer.worker)
            for at, result in zip(left, answer.results, strict=True):
                results[at] = _name_worker(result, answer.worker, self._explain_token(result, link))
            left = [at for at in left if isinstance(results[at], NotEnoughMemory)]
            if not left or not set(link.workers) - tried:
                break
            _log.info("%s has too little memory: the image goes to another worker", answer.worker)
        return [results[at] for at in range(len(asks))]

    async def _write_order(self, key: str, group: str, asks: Sequence[_Ask], link: Link) -> Order:
        """Return the order of a task; nothing in it is a secret. Raises InvalidRequest and ClusterUnavailable."""
        from .cluster_worker import Order

        given, kind = asks[0].job.target.settings, asks[0].job.target.provider
        own = sys.modules.get("flux_magic.providers.diffusers.pipeline")
        if own is not None and issubclass(kind, own.OwnPipeline):
            raise InvalidRequest(
                f"the pipeline {kind.engine} is in this process's memory, and no worker has it: save it by "
                "save_pretrained in a folder that they see, and give --provider diffusers --model FOLDER"
            )
        left: dict[str, Any] = dict.fromkeys(["cluster", *link.hide_secrets(given, is_paid=kind.is_paid)])
        if not kind.takes_space():
            left["space"] = None  # one that is configured is for other models
        return Order(
            key=key,
            group=group,
            requests=tuple(ask.job.request for ask in asks),
            keys=tuple(ask.keys for ask in asks),
            settings=replace(given, **left, store=False, shared_store="off", replay="off", runner="thread"),
            run=self._run,
            topic=TOPIC,
            folder=await asyncio.to_thread(self._mark, given),
            has_secrets=bool(link.secrets),
            provider=kind if is_registered(kind) else None,
        )

    def _mark(self, settings: Settings) -> str:
        """Return the caller's store with a mark in it, by which a worker knows that it sees the same one; or ""."""
        from .cluster_worker import BEGUN

        folder = get_store_folder(settings)
        name = "" if folder is None else str(folder.absolute())
        if name not in self._marks:
            self._marks[name] = ""
            mark = _find_mark(name, self._run)
            with suppress(OSError):  # no worker can write there then
                if name:
                    mark.mkdir(parents=True)
                    (mark / BEGUN).touch()
                    self._marks[name] = name
        return self._marks[name]

    def _explain_token(self, result: Made | FluxError, link: Link) -> str:
        """Return why a worker had no token, in words; "" if that is not the cause."""
        if not isinstance(result, TokenRefused) or not self._settings.token or link.is_private:
            return ""
        return "The token was not sent, since the address is not tls://: set HF_TOKEN on the workers."


def _describe_workers(link: Link) -> Waiting:
    number = len(link.workers)
    return Waiting(
        f"waiting for {f'one of {number} workers' if number > 1 else 'a worker'}" if number else "no worker yet"
    )


def _is_end(event: object) -> bool:
    return not isinstance(event, Waiting | Queued | Running | Log)


def _choose_batch(job: Job, link: Link) -> int:
    """Return how many images of one shape go into a task."""
    if job.target.provider.engine != "diffusers":
        return 1
    batch = job.target.settings.batch
    return batch if isinstance(batch, int) else _BATCH_OF_GPU if link.count_gpus() else 1


def _find_mark(folder: str, run: str) -> Path:
    from .cluster_worker import find_mark

    return find_mark(folder, run)


def _list_keys(replay: Replay) -> tuple[str, ...]:
    """Return the replay keys that the record of a request may have; one of no meaning if no seed is known."""
    request, target = replay.request, replay.target
    if request.randomize_seed:
        return (uuid.uuid4().hex,)
    filled = target.fill_stand_in(request)
    known = target.known_identities()
    return tuple(replay.compute_key(one, filled if one.startswith("local:") else request) for one in known)


def _find_shape(job: Job) -> object:
    """Return what the requests of a batch have in common."""
    one = job.request
    parameters = tuple(sorted(one.sent_parameters.items()))
    images = tuple(image.record.sha256 for image in one.images)
    return (one.model, one.steps, one.sent_width, one.sent_height, parameters, images, repr(job.target.settings))


def _pickle(order: Order) -> bytes:
    """Return the bytes of which a worker makes the images. Raises InvalidRequest for what cannot travel."""
    import cloudpickle  # a provider of the notebook's own travels as its code

    from .cluster_worker import Call, read_versions

    try:
        return pickle.dumps(Call(read_versions(), cloudpickle.dumps(order)))
    except Exception as exc:
        what = fit_one_line(f"{type(exc).__name__}: {exc}", 200)
        raise InvalidRequest(f"the request cannot be sent to a worker: {what}") from exc


def _open(made: Made, job: Job) -> Generation:
    """Return an image of a worker as the caller's own."""
    request = replace(made.request, images=job.request.images)
    sources: Sequence[bytes | Path] = Stored(made.record, Path(made.path)).files if made.path else made.files
    files = tuple(map(ImageFile, made.record.files, sources, made.urls or ("",) * len(sources)))
    return build_generation(request, made.record, files, job.target.settings, note=made.note)


def _name_worker(result: Made | FluxError, worker: str, hint: str) -> Made | FluxError:
    """Return a result; an error that may be one worker's alone says which."""
    if isinstance(result, FluxError) and not isinstance(result, ClusterError):
        if is_hopeless(result) or isinstance(result, NotEnoughMemory):
            result.message += f" (on the worker {worker})"
            result.args = (result.message,)
        result.hint = hint or result.hint
    return result

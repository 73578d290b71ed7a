"""The worker's side of a Dask cluster: the images of one task, made by a client that the worker's process keeps."""

from __future__ import annotations

import pickle
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from ..errors import ClusterUnavailable, FluxError, InvalidArgument, StoreError
from ..parameters.settings import Settings
from ..providers import local
from ..providers.registry import register_provider
from ..records.store import Store, Stored
from ..results.generation import ClientEvent, Generation
from ..types import ImageRequest, Log, Queued, Running, Waiting
from . import runner
from .async_client import AsyncClient
from .cluster_order import BEGUN, SPACE_SECRET, Answer, Made, Order, find_mark, read_versions
from .merge import merged

Secrets = Mapping[str, str]
"""Settings that may hold a password, by name."""

_PAUSE: Final = 0.5
"""Least seconds between two messages on the progress of one image."""

_client: Final = AsyncClient()
"""The client of this process: its loop keeps the connections, and a provider its pipeline, from task to task."""

_known: dict[str, Secrets] = {}
"""The secrets of the last run, by its name."""


def run_order(versions: Mapping[str, str], pickled: bytes) -> bytes:
    """Make the images of a pickled order within a task; return a pickled Answer, or the error of all of them."""
    from distributed import get_worker

    worker, here = get_worker(), read_versions()
    if other := [name for name in versions if versions[name] != here[name]]:
        listed = ", ".join(f"{name} {here[name]} for {versions[name]}" for name in other)
        error = ClusterUnavailable(
            f"the worker {worker.address} has {listed}", "Install the same versions on the workers, and restart them."
        )
        return pickle.dumps(error)
    order: Order = pickle.loads(pickled)  # noqa: S301 - who reaches a worker runs any code there
    return pickle.dumps(Answer(worker.address, _make_all(order, worker)))


def _make_all(order: Order, worker: Any) -> tuple[Made | FluxError, ...]:
    """Return what became of each request; empty if the caller does not want it any more."""
    if order.provider is not None:
        with suppress(InvalidArgument):  # it is known by this name
            register_provider(order.provider)
    store = Store(Path(order.folder), None) if order.folder and find_mark(order.folder, order.run).is_dir() else None
    if store is not None and (found := _find_made(order, store)):
        return tuple(found)
    secrets: dict[str, Any] = dict(_fetch_secrets(order.run)) if order.has_secrets else {}
    secret = secrets.pop(SPACE_SECRET, "")
    if order.space and order.space != local.shared.address:
        local.shared.borrow(order.space, secret)
    settings = replace(order.settings, **secrets)
    results: dict[int, Made | FluxError] = {}
    teller = _Teller(order, worker)
    coming = runner.background.iterate(_stream_all(order, settings), keep=_client)
    with closing(coming):
        for placed in coming:
            if not _is_wanted(order.key, worker):
                return ()  # the generator is closed: a provider ends within a step
            if placed is None:
                continue
            place, event = placed
            if isinstance(event, Generation):
                results[place] = _keep(event, store)
                _client.made.clear()
            elif isinstance(event, FluxError):
                results[place] = event
            else:
                teller.tell(place, event)
    return tuple(results[place] for place in range(len(order.requests)))


async def _stream_all(order: Order, settings: Settings) -> AsyncGenerator[tuple[int, ClientEvent | FluxError], None]:
    """Yield the events of all requests, made at once: a pipeline takes those of one shape as a batch."""

    async def attempt(request: ImageRequest) -> AsyncGenerator[ClientEvent | FluxError, None]:
        try:
            async with aclosing(_client.stream(request, settings)) as events:
                async for event in events:
                    yield event
        except FluxError as error:
            yield error

    async with aclosing(merged(map(attempt, order.requests), len(order.requests))) as events:
        async for placed in events:
            yield placed


def _is_wanted(key: str, worker: Any) -> bool:
    """Return False for a task that its caller has dropped: Dask itself does not end a thread."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state in {"executing", "long-running"}


def _find_made(order: Order, store: Store) -> list[Made]:
    """Return what an earlier worker has kept of this very task, before it died; empty if it has to be made."""
    mark = find_mark(order.folder, order.run)
    try:
        (mark / "-".join(keys[0][:32] for keys in order.keys)[:200]).touch(exist_ok=False)
        return []
    except FileExistsError:
        pass
    except OSError:  # it may not write here
        return []
    since = (mark / BEGUN).stat().st_mtime
    found = [_find_since(store, keys, since) for keys in order.keys]
    return [
        Made(stored.record, replace(request, images=()), path=str(stored.path))
        for request, stored in zip(order.requests, found, strict=True)
        if stored is not None and None not in found
    ]


def _find_since(store: Store, keys: Sequence[str], since: float) -> Stored | None:
    jobs = (one for key in keys for one in store.find_jobs(key))
    return next((one for one in jobs if one.path.stat().st_mtime >= since), None)


def _keep(made: Generation, store: Store | None) -> Made:
    """Return an image as it travels: without its bytes if it could be put into the caller's store."""
    data, path = tuple(file.data for file in made.files), ""
    if store is not None:
        with suppress(StoreError):  # the caller keeps it
            path = str(store.put(made.record, data, made.request.images).path)
    urls = tuple(file.url for file in made.files)
    return Made(made.record, replace(made.request, images=()), () if path else data, urls, path, made.note)


def _fetch_secrets(run: str) -> Secrets:
    """Return the secrets of a run, which the scheduler keeps until its end."""
    from distributed import Variable, get_client

    if run not in _known:
        kept: Any = Variable(f"flux_magic-{run}", client=get_client())
        found: dict[str, str] = kept.get(timeout="30 s")
        _known.clear()
        _known[run] = found
    return _known[run]


class _Teller:
    """The messages on a task's progress that the caller gets, not too many of them."""

    def __init__(self, order: Order, worker: Any) -> None:
        self._order, self._worker = order, worker
        self._next: dict[int, float] = {}

    def tell(self, place: int, event: ClientEvent) -> None:
        now = time.monotonic()
        if not isinstance(event, Waiting | Queued | Running | Log):
            return
        if now < self._next.get(place, 0.0) and not isinstance(event, Log):
            return
        self._next[place] = now + _PAUSE
        said = {"run": self._order.run, "key": self._order.group, "place": place, "kind": type(event).__name__}
        self._worker.log_event(self._order.topic, {**said, "values": asdict(event)})

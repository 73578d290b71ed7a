"""The endpoints of one Space: its description, files and jobs posted to it, their events, and cancelling.

A job is a POST to `/call/{endpoint}`, answered with an event id; its events are read from the queue stream
(`/queue/data`, with progress) or from the simple route (`/call/{endpoint}/{event_id}`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import ClassVar
from weakref import WeakKeyDictionary

from ...errors import FluxError, ProtocolError, SpaceNotFound, StreamLost, TimedOut
from ..http.background import wait_a_moment
from ..http.connection import Connection, TooLarge
from ..http.response import Answer, StatusError, check_login, make_http_error
from ..http.sse import ServerSentEvent
from ..log import get_logger
from . import decoding, hub
from .meanings import name_all
from .signature import Contract, read_contract, read_prefix

_log = get_logger(__name__)

_NO_ROUTE = {404, 405}
_CANCEL = 3
"""Seconds to wait for the Space to confirm that a job is cancelled."""
_MOST_FILES = 256
"""Files that are known to have been uploaded, of all Spaces together."""
_END = 0.05
"""Seconds for a stream to end after its last event, so that its connection can be used again."""


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A job that the Space has taken: where its routes are, its endpoint, its id, and the index of its function."""

    routes: str
    name: str
    event_id: str
    function: int | None


class Endpoint:
    """A Space's endpoints over a connection.

    Args:
        connection: to use.
        base: the Space's URL.
        prefix: of its routes, if it is known, or None if it has to be found out.
        space_id: the Space's `owner/name` on the Hub, which knows why a Space does not answer; or empty.
    """

    _contracts: ClassVar[dict[str, Contract]] = {}
    _prefixes: ClassVar[dict[str, str]] = {}
    _files: ClassVar[dict[tuple[str, str], str]] = {}
    _turns: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], asyncio.Lock]]] = (
        WeakKeyDictionary()
    )

    def __init__(self, connection: Connection, base: str, prefix: str | None, space_id: str) -> None:
        self._connection = connection
        self._base, self._prefix = base, prefix
        self._space_id = space_id
        self._trouble: FluxError | None = None

    @classmethod
    def recall_contract(cls, base: str) -> Contract | None:
        """Return what the Space at a base URL said of itself, if it was asked in this process. Asks nothing."""
        return cls._contracts.get(base.rstrip("/"))

    async def get_contract(self) -> Contract:
        """Return the Space's description, requested once a process; an empty contract if the Space gives none.

        Raises ConnectionFailed, TimedOut, or the error that the Hub or a page in its place gives.
        """
        if self._base not in self._contracts:
            contract = await self._fetch_contract()
            if contract.prefix is None:
                return contract
            self._contracts[self._base] = contract
        return self._contracts[self._base]

    async def require_contract(self) -> Contract:
        """Return the Space's description. If the Space gives none, raises the reason, too."""
        contract = await self.get_contract()
        if contract.prefix is None:
            raise self._trouble or self._make_missing_error()
        return contract

    def forget(self) -> None:
        """Request the description and upload the images again next time: the Space may have changed."""
        self._contracts.pop(self._base, None)
        for key in [key for key in self._files if key[0] == self._base]:
            self._files.pop(key, None)

    def _make_missing_error(self) -> FluxError:
        return SpaceNotFound(f"there is no Gradio Space at {self._base}", "Check its name or address.")

    async def _fetch_contract(self) -> Contract:
        self._trouble = None
        try:
            answer = await self._connection.get_text(f"{self._base}/config")
        except TooLarge as error:
            self._trouble = error
            return Contract()
        config = decoding.parse(answer.text)
        check_login(answer)
        if answer.status != 200 or not isinstance(config, dict):
            self._trouble = await self._find_reason(answer)
            return Contract()
        info, endpoints = None, config.get("dependencies")
        if isinstance(endpoints, list) and any(isinstance(one, dict) and one.get("inputs") for one in endpoints):
            with suppress(TooLarge):
                answer = await self._connection.get_text(f"{self._base}{read_prefix(config.get('api_prefix'))}/info")
                info = decoding.parse(answer.text) if answer.status == 200 else None
        # A long one takes long to be read, which other jobs on this loop should not wait for.
        return await asyncio.to_thread(lambda: name_all(read_contract(config, info)))

    async def upload(self, data: bytes, sha256: str, filename: str, media_type: str) -> dict[str, object]:
        """Return a file as the Space takes it among its inputs. Each is posted once a Space, until a job fails.

        Raises as `submit`.
        """
        key = (self._base, sha256)
        turns = self._turns.setdefault(asyncio.get_running_loop(), {})
        async with turns.setdefault(key, asyncio.Lock()):
            path = self._files.get(key) or await self._post_file(data, filename, media_type)
            self._files[key] = path
            while len(self._files) > _MOST_FILES:
                self._files.pop(next(iter(self._files)))
        turns.pop(key, None)
        return {"path": path, "orig_name": filename, "mime_type": media_type, "meta": {"_type": "gradio.FileData"}}

    async def _post_file(self, data: bytes, filename: str, media_type: str) -> str:
        contract = await self.get_contract()
        url = f"{self._base}{contract.prefix or ''}/upload"
        answer = await self._connection.post_file(url, data, filename, media_type)
        paths = decoding.parse(answer.text) if answer.status == 200 else None
        if not isinstance(paths, list) or not paths or not isinstance(paths[0], str):
            raise make_http_error(answer) if answer.status != 200 else ProtocolError("the Space kept no image")
        _log.info("the Space took an image of %d bytes", len(data))
        return paths[0]

    async def _find_reason(self, answer: Answer) -> FluxError | None:
        """Return what may be wrong with a Space that does not give its configuration. It counts if no job is
        accepted.
        """
        try:
            if self._space_id:
                hub.check_stage(await hub.fetch_stage(self._connection, self._space_id), self._space_id)
            if answer.is_page:
                hub.check_page(answer.text)
        except FluxError as trouble:
            return trouble
        return None if answer.status in {200, *_NO_ROUTE} else make_http_error(answer)

    async def submit(self, contract: Contract, name: str, function: int | None, values: list[object]) -> RemoteJob:
        """Post the job. If the caller stops waiting for the response, the job is cancelled on the Space.

        Raises ResponseError if it is not accepted: the known reason why the Space does not answer, else its own words.
        """
        posting = self._connection.start(self._post(contract, name, function, values))
        try:
            await asyncio.wait({posting})
            return posting.result()
        except asyncio.CancelledError:
            await wait_a_moment(self._connection.start(self._withdraw(posting)))
            raise

    async def _withdraw(self, posting: asyncio.Task[RemoteJob]) -> None:
        """Cancel a job whose id comes with the response. Without that the Space would work for nothing."""
        with suppress(FluxError, asyncio.TimeoutError):
            await self._send_cancel(await asyncio.wait_for(posting, _CANCEL))

    async def _post(self, contract: Contract, name: str, function: int | None, values: list[object]) -> RemoteJob:
        """Return the job that the Space accepted, and remember where its routes are."""
        known = contract.prefix if contract.prefix is not None else self._prefixes.get(self._base, self._prefix)
        answer, routes = Answer(404, ""), self._base
        for prefix in dict.fromkeys([known or "", "/gradio_api", ""]):
            routes = f"{self._base}{prefix}"
            answer = await self._connection.post_json(f"{routes}/call/{name}", {"data": values})
            if answer.status not in _NO_ROUTE:
                self._prefixes[self._base] = prefix
                break
        if answer.status == 200 and not answer.is_page:
            job = RemoteJob(routes, name, decoding.parse_event_id(answer.text), function)
            _log.info("the Space took the job: its id is %s", job.event_id)
            return job
        self._contracts.pop(self._base, None)  # it may have changed: request it again
        if self._trouble is not None:
            raise self._trouble
        if answer.status in _NO_ROUTE and contract.prefix is None:
            raise self._make_missing_error()
        raise make_http_error(answer) if answer.status != 200 else ProtocolError("the Space answered a job with a page")

    async def read_events(  # noqa: C901 - one generator in place of four: each event passes all of them
        self, job: RemoteJob, *, progress: bool
    ) -> AsyncGenerator[decoding.WireEvent, None]:
        """Yield the job's events, the last of which is Finished. If the caller stops, the job is taken off the Space.

        They are read from the queue stream, else from the simple route if the queue does not know the job or is silent.

        Raises StreamLost if the stream ends before the job does, or if the Space does not know the job.
        """
        limits = self._connection.limits
        simple = _Route(f"{job.routes}/call/{job.name}/{job.event_id}", decoding.decode_call_event, is_last=True)
        queue_url = f"{job.routes}/queue/data?session_hash={job.event_id}"
        queue = _Route(queue_url, decoding.decode_queue_event, limits.unheard)
        is_done = False
        try:
            for route in [queue, simple] if progress else [simple]:
                try:
                    async with aclosing(self._connection.stream(route.url)) as coming:
                        async for told in coming:
                            if event := route.read(told):
                                if is_done := isinstance(event, decoding.Finished):
                                    await _read_to_the_end(coming)
                                yield event
                            if is_done:
                                return
                    raise StreamLost("the Space's stream ended before the image was done", "Run the cell again.")
                except FluxError as error:
                    if not route.may_be_passed_over(error):
                        raise
                    if route is simple:
                        raise decoding.make_unknown_error() from error
                    _log.info("the simple route is asked in place of the queue: %s", error.message)
        except (asyncio.CancelledError, GeneratorExit, TimedOut, StreamLost):
            if not is_done:
                await wait_a_moment(self._connection.start(self._send_cancel(job)))
            raise

    async def _send_cancel(self, job: RemoteJob) -> None:
        """Cancel the job, so that the Space is free for others. The response does not matter."""
        if job.function is None:
            _log.info("no cancel is sent: the Space did not tell its function's number")
            return
        payload = {"session_hash": job.event_id, "event_id": job.event_id, "fn_index": job.function}
        _log.info("cancel sent for the job %s", job.event_id)
        try:
            answer = await asyncio.wait_for(self._connection.post_json(f"{job.routes}/cancel", payload), _CANCEL)
        except (FluxError, asyncio.TimeoutError) as error:
            _log.info("cancel not answered: %s", getattr(error, "message", f"nothing came within {_CANCEL} s"))
        else:
            _log.info("cancel answered with status %d", answer.status)


@dataclass(slots=True)
class _Route:
    """A route to the events of a job, and if it was heard from.

    Attributes:
        url: its address.
        decode: its decoder, which returns None for a heartbeat.
        unheard: the seconds of heartbeats alone that are allowed.
        is_last: True if no other route is left.
    """

    url: str
    decode: Callable[[ServerSentEvent], decoding.WireEvent | None]
    unheard: float = math.inf
    is_last: bool = False
    is_heard: bool = False
    begin: float = field(default_factory=time.monotonic)

    def read(self, told: ServerSentEvent) -> decoding.WireEvent | None:
        """Return the event, None for a heartbeat; raise StreamLost if nothing but heartbeats came for too long."""
        event = self.decode(told)
        _log.debug("event %s: %s", told.name, _worded(event))
        if event is None and not self.is_heard and time.monotonic() - self.begin > self.unheard:
            raise StreamLost(f"the Space reported nothing about the job for {self.unheard:g} s", "Run the cell again.")
        self.is_heard = self.is_heard or event is not None
        return event

    def may_be_passed_over(self, error: FluxError) -> bool:
        """Return True if this error says that there is no such route, or that another one may know more of the job."""
        if isinstance(error, StatusError):
            return error.status in _NO_ROUTE
        is_silent = isinstance(error, decoding.JobUnknown) or (isinstance(error, TimedOut) and not self.is_heard)
        return is_silent and not self.is_last


def _worded(event: decoding.WireEvent | None) -> str:
    """Return an event as the log shows it: the data of an image, which hold its address, are left out."""
    if event is None:
        return "nothing of the job"
    return type(event).__name__ if isinstance(event, decoding.Finished | decoding.Partial) else repr(event)


async def _read_to_the_end(events: AsyncGenerator[ServerSentEvent, None]) -> None:
    """Read the rest of a stream: a connection can be reused only after it was read whole.

    Spaces end their streams at once; one that does not is not waited for, since the image has arrived.
    """

    async def read_rest() -> None:
        async for _ in events:
            pass

    with suppress(FluxError, asyncio.TimeoutError):
        await asyncio.wait_for(read_rest(), _END)

"""One endpoint of one Space: what it says of itself, jobs posted to it, their events, and their end.

A job is a POST to `/call/{endpoint}`, answered with an event id; its events are read from the queue stream
(`/queue/data`, with progress) or from the simple route (`/call/{endpoint}/{event_id}`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import ConnectionFailed, FluxError, ProtocolError, SpaceNotFound, StreamLost, TimedOut
from . import hub, wire
from .answer import Answer, StatusError, check_login, http_error
from .connection import Connection
from .contract import Contract, contract_from, named
from .sse import Decoder, ServerSentEvent

_NO_ROUTE = {404, 405}
_CANCEL = 3
"""Seconds for a Space to answer that a job is cancelled."""
_WAIT_FOR_CANCEL = 0.5
"""Seconds of these that the caller waits; a cancellation that takes longer goes on without it."""
_END = 0.05
"""Seconds for a stream to end after its last event, so that its connection can be used again."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that the Space has taken: where its routes are, its id, and the index of its function."""

    routes: str
    event_id: str
    function: int | None


_finishing: set[asyncio.Task[None]] = set()


async def _finish_soon(work: Coroutine[Any, Any, None]) -> None:
    """Let work that may fail go on for 3 s at most, and wait for a part of them."""
    task = asyncio.ensure_future(_quietly(work))
    _finishing.add(task)
    task.add_done_callback(_finishing.discard)
    await asyncio.wait({task}, timeout=_WAIT_FOR_CANCEL)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    # RuntimeError: the session was closed meanwhile.
    with suppress(FluxError, asyncio.TimeoutError, RuntimeError):
        await asyncio.wait_for(work, _CANCEL)


class Endpoint:
    """An endpoint over a connection.

    Args:
        connection: to use.
        base: the Space's URL.
        name: the endpoint's, without a slash.
        order: its parameters' names, as the provider sends them.
        prefix: of its routes, where it is known; None where it has to be found out.
        space_id: the Space's `owner/name` on the Hub, which knows why a Space does not answer; or empty.
    """

    _contracts: ClassVar[dict[tuple[str, str], Contract]] = {}
    _prefixes: ClassVar[dict[str, str]] = {}

    def __init__(
        self, connection: Connection, base: str, name: str, order: list[str], prefix: str | None, space_id: str
    ) -> None:
        self._connection = connection
        self._base, self._name, self._order, self._prefix = base, name, order, prefix
        self._space_id = space_id
        self._trouble: FluxError | None = None

    async def contract(self) -> Contract:
        """What the Space says of itself, asked once a process; an empty contract where it does not tell.

        Raises ConnectionFailed, TimedOut, or what the Hub or a page in its place says of why it does not answer.
        """
        key = (self._base, self._name)
        if key not in self._contracts:
            contract = await self._asked()
            if contract.prefix is None:
                return contract
            self._contracts[key] = contract
        return self._contracts[key]

    async def _asked(self) -> Contract:
        self._trouble = None
        answer = await self._connection.get_text(f"{self._base}/config")
        config = wire.parse(answer.text)
        check_login(answer)
        if answer.status != 200 or not isinstance(config, dict):
            self._trouble = await self._why(answer)
            return Contract()
        contract = contract_from(config, self._name)
        if not contract.parameters:
            return contract
        answer = await self._connection.get_text(f"{self._base}{contract.prefix}/info")
        return named(contract, wire.parse(answer.text) if answer.status == 200 else None, self._name, self._order)

    async def _why(self, answer: Answer) -> FluxError | None:
        """What may be the matter with a Space that does not tell its configuration. It counts if no job is taken."""
        try:
            if self._space_id:
                hub.check_stage(await hub.stage(self._connection, self._space_id), self._space_id)
            if answer.is_page:
                hub.check_page(answer.text)
        except FluxError as trouble:
            return trouble
        return None if answer.status in {200, *_NO_ROUTE} else http_error(answer)

    async def submit(self, contract: Contract, values: list[object]) -> Job:
        """Post the job. Who stops waiting for the answer takes the job off the Space.

        Raises ResponseError where it is not taken: what is known of why the Space does not answer, else its own words.
        """
        posting = asyncio.ensure_future(self._posted(contract, values))
        try:
            return await asyncio.shield(posting)
        except asyncio.CancelledError:
            # Its id comes with the answer: without that the Space would do for nobody what it has taken.
            await _finish_soon(self._cancel_posted(posting))
            raise

    async def _posted(self, contract: Contract, values: list[object]) -> Job:
        """The job that the Space has taken; where its routes are is remembered."""
        known = contract.prefix if contract.prefix is not None else self._prefixes.get(self._base, self._prefix)
        answer, routes = Answer(404, ""), self._base
        for prefix in dict.fromkeys([known or "", "/gradio_api", ""]):
            routes = f"{self._base}{prefix}"
            answer = await self._connection.post_json(f"{routes}/call/{self._name}", {"data": values})
            if answer.status not in _NO_ROUTE:
                self._prefixes[self._base] = prefix
                break
        if answer.status == 200 and not answer.is_page:
            return Job(routes, wire.event_id_from(answer.text), contract.function)
        self._contracts.pop((self._base, self._name), None)  # it may have changed: it is asked anew
        if self._trouble is not None:
            raise self._trouble
        if answer.status in _NO_ROUTE and contract.prefix is None:
            raise SpaceNotFound(f"there is no Gradio Space at {self._base}", "Check its name or address.")
        raise http_error(answer) if answer.status != 200 else ProtocolError("the Space answered a job with a page")

    async def events(self, job: Job, *, progress: bool) -> AsyncGenerator[wire.WireEvent, None]:
        """The job's events, the last of which is Finished. Who stops reading before takes the job off the Space.

        Raises StreamLost where the stream ends before the job does.
        """
        try:
            async with aclosing(self._both_routes(job, progress=progress)) as events:
                async for event in events:
                    yield event
        except (asyncio.CancelledError, GeneratorExit, TimedOut):
            await _finish_soon(self._cancel(job))
            raise

    async def _cancel_posted(self, posting: asyncio.Task[Job]) -> None:
        try:
            await self._cancel(await posting)
        finally:
            posting.cancel()

    async def _cancel(self, job: Job) -> None:
        """Free the Space for others. Whatever it answers, the job is of no more use to us."""
        if job.function is None:
            return
        payload = {"session_hash": job.event_id, "event_id": job.event_id, "fn_index": job.function}
        await self._connection.post_json(f"{job.routes}/cancel", payload)

    async def _both_routes(self, job: Job, *, progress: bool) -> AsyncGenerator[wire.WireEvent, None]:
        """From the queue stream, else (where that knows nothing of the job, or stays silent) from the simple route."""
        if progress:
            heard = False
            try:
                url = f"{job.routes}/queue/data?session_hash={job.event_id}"
                async with aclosing(self._read(url, wire.queue_event)) as events:
                    async for event in events:
                        heard = True
                        yield event
                return
            except wire.StreamNotFound:
                pass
            except TimedOut:
                if heard:
                    raise
            except StatusError as error:
                if error.status not in _NO_ROUTE:
                    raise
        url = f"{job.routes}/call/{self._name}/{job.event_id}"
        async with aclosing(self._read(url, wire.call_event)) as events:
            async for event in events:
                yield event

    async def _read(
        self, url: str, decode: Callable[[ServerSentEvent], wire.WireEvent | None]
    ) -> AsyncGenerator[wire.WireEvent, None]:
        """The decoded events of one stream, up to Finished."""
        async with aclosing(self._server_sent(url)) as events:
            async for event in events:
                decoded = decode(event)
                if isinstance(decoded, wire.Finished):
                    await _read_to_the_end(events)
                if decoded is not None:
                    yield decoded
                if isinstance(decoded, wire.Finished):
                    return
        raise StreamLost("the Space's stream ended before the image was done", "Run the cell again.")

    async def _server_sent(self, url: str) -> AsyncGenerator[ServerSentEvent, None]:
        decoder = Decoder()
        try:
            async with aclosing(self._connection.stream(url)) as chunks:
                async for chunk in chunks:
                    for event in decoder.feed(chunk):
                        yield event
                    if decoder.held > self._connection.limits.body:
                        raise ProtocolError("the Space's stream has an event without end")
        except ConnectionFailed as error:
            raise StreamLost(error.message, error.hint) from error
        for event in decoder.finish():
            yield event


async def _read_to_the_end(events: AsyncGenerator[ServerSentEvent, None]) -> None:
    """What is left of a stream: a connection serves again only when it was read whole.

    Spaces end their streams at once; one that does not is not waited for, since the image is there.
    """

    async def rest() -> None:
        async for _ in events:
            pass

    with suppress(FluxError, asyncio.TimeoutError):
        await asyncio.wait_for(rest(), _END)

"""A call of `huggingface_hub` on a thread of its own, and the gate that each of its requests passes.

Its client blocks, and polls without an end. It takes the user's token if none is given, and does not look at the status
of a finished image. The gate is a hook of its HTTP session, which does nothing for calls of others.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...errors import NotInStore, ProtocolError
from ...parameters.addresses import get_hub
from ...parameters.settings import explain_unasked
from ..base import Limits
from ..http.guard import Guard
from ..http.hosts import is_meant_for, show_host, shown_address
from ..log import get_logger
from .errors import Asked, translate

T = TypeVar("T")
_log = get_logger(__name__)

_gate: ContextVar[Gate | None] = ContextVar("_gate", default=None)
_installing = threading.Lock()


class _Ended(Exception):
    """The caller waits no longer."""


@dataclass(slots=True)
class Gate:
    """The requests of one call.

    Attributes:
        model, who: what is asked for, and of whom, for messages.
        token: goes to the Hub, if it is one of the Hub's, and to the server that the job is posted to.
        limits: of the job.
        home: the address that the job was posted to; "" before that.
        url: the address of the last request.
        is_accepted: True if the server took the job.
        ended: set if the caller waits no longer.
    """

    model: str
    who: str
    token: str = field(repr=False)
    limits: Limits
    home: str = ""
    url: str = ""
    is_accepted: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def asked(self) -> Asked:
        """The request, for the error that it ended with."""
        return Asked(self.model, self.who, self.url, self.token, self.is_accepted, bool(self.home))

    @property
    def is_fetching(self) -> bool:
        """True if the last request was for the finished image, which another server has."""
        return self.is_accepted and not is_meant_for(self.url, self.home)

    def let_through(self, request: Any) -> None:
        """Prepare a request that is about to be sent; raise an error if it must not be."""
        if self.ended.is_set():
            raise _Ended
        self.url = url = str(request.url)
        if why := explain_unasked(url):
            raise NotInStore(
                f"{why}: nothing is asked of {show_host(url)}", f"Unset {why.partition('=')[0]} to ask it."
            )
        if request.method == "POST" and not self.home:
            self.home = url
        self._authorize(request, url)
        request.headers["Accept-Encoding"] = "identity"  # the limits are on what is sent
        silence = self.limits.progress if request.method == "POST" else self.limits.answer
        request.extensions["timeout"] = dict.fromkeys(("connect", "pool"), self.limits.connect) | dict.fromkeys(
            ("read", "write"), silence
        )
        _log.debug("%s %s", request.method, shown_address(url))

    def _authorize(self, request: Any, url: str) -> None:
        """Leave the token with a request to the server that it is meant for, and take it from any other."""
        hub = get_hub()
        if self.home and is_meant_for(url, self.home):
            if not self.token:  # the library takes one of its own
                request.headers.pop("Authorization", None)
            return
        request.headers.pop("Authorization", None)
        if url.startswith(f"{hub}/api/"):
            if url.startswith(f"{hub}/api/models/") and self.token.startswith("hf_") and is_meant_for(url, hub):
                request.headers["Authorization"] = f"Bearer {self.token}"
        elif self.home and url != self.home:
            Guard(self.home, is_space=True).check_url(url)

    def look_at(self, response: Any) -> None:
        """Look at a response before its body is read: at its status, where the library does not, and its size."""
        request = response.request
        _log.debug("status %d: %s %s", response.status_code, request.method, shown_address(str(request.url)))
        if request.method == "POST" and response.status_code < 300:
            self.is_accepted = True
        if self.is_accepted and response.status_code >= 400:
            from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]  # documented

            response.read()
            hf_raise_for_status(response)
        response.stream = _bound(response.stream, self.limits.body)


def _bound(stream: Any, most: int) -> Any:
    """Return the stream of a response's body, which fails if it is longer than `most` bytes."""
    import httpx2

    class Bounded(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            left = most
            for part in stream:
                left -= len(part)
                if left < 0:
                    raise ProtocolError(f"the answer is larger than {most / 2**20:.3g} MiB")
                yield part

        def close(self) -> None:
            stream.close()

    return Bounded()


def _on_request(request: Any) -> None:
    if gate := _gate.get():
        gate.let_through(request)


def _on_response(response: Any) -> None:
    if gate := _gate.get():
        gate.look_at(response)


def _install() -> None:
    """Put the gate into the session that `huggingface_hub` uses now."""
    from huggingface_hub import get_session

    with _installing:
        session = get_session()
        hooks = session.event_hooks
        if _on_request not in hooks["request"]:
            session.event_hooks = {
                "request": [*hooks["request"], _on_request],
                "response": [_on_response, *hooks["response"]],
            }


async def run_call(work: Callable[[], T], gate: Gate) -> T:
    """Return what `work` returns on a thread of its own, whose requests pass the gate.

    A cancelled caller does not wait for the thread, which ends with its next request. Raises FluxError for anything
    that `work` raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]  # there is one without an error
        else:
            done.set_exception(error)

    def work_through() -> None:
        _gate.set(gate)
        result, error = None, None
        try:
            _install()
            result = work()
        except Exception as exc:  # noqa: BLE001 - whatever the library does
            error = translate(exc, gate.asked)
        try:
            loop.call_soon_threadsafe(finish, result, error)
        except RuntimeError:  # the loop has ended
            _log.debug("the answer came too late")

    # Not a thread of the loop's pool: an exit would wait for it.
    run = copy_context().run
    threading.Thread(target=run, args=(work_through,), name="flux_magic inference", daemon=True).start()
    try:
        return await done
    finally:
        gate.ended.set()

"""HTTP for the providers: one ClientSession, its limits and proxies, and errors in our own words."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ...errors import (
    ConnectionFailed,
    ConnectionLost,
    FluxError,
    InvalidRequest,
    NotInStore,
    ProtocolError,
    StreamLost,
    TimedOut,
)
from ...parameters.settings import explain_unasked
from ..base import Limits
from ..log import get_logger
from . import background
from .cookies import HostCookies
from .guard import Guard, GuardedConnector, GuardedResolver, guarding
from .hosts import is_loopback, is_meant_for, is_private, show_host, shown_address
from .response import BUSY, ERROR_READ, Answer, StatusError, make_http_error, parse_retry_after
from .sse import Decoder, ServerSentEvent

if TYPE_CHECKING:
    from aiohttp.connector import Connection as AiohttpConnection

T = TypeVar("T")
_log = get_logger(__name__)

Session: TypeAlias = "aiohttp.ClientSession"
"""An HTTP session; the rooms above hold it without knowing the library."""

KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: uvicorn, which serves Gradio, closes it after 5."""

_REDIRECTED = {301, 302, 303, 307, 308}
_REDIRECTS = 6
_PART = 4096
"""Bytes of a stream that are read without a pause for other work on the loop."""

_ONLINE = "Check the address and your connection; behind a proxy give --proxy."
_LOCAL = "Without a network, --space local draws stand-in images on this machine."


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session on the running loop; it is closed with the block, after work that still uses it."""
    session, is_ending = _make_session(), False
    try:
        yield session
    except GeneratorExit:
        is_ending = True
        raise
    finally:
        await background.close(session, at_once=is_ending)


def _make_session() -> aiohttp.ClientSession:
    # Without a cache of names, each connection's addresses pass the guard of its own request.
    connector = GuardedConnector(keepalive_timeout=KEEP_ALIVE, resolver=GuardedResolver(), use_dns_cache=False)
    headers = {"User-Agent": "flux_magic"}
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=HostCookies(), headers=headers, response_class=_SentOnce
    )


class _SentOnce(aiohttp.ClientResponse):
    """A response whose request aiohttp does not repeat by itself.

    aiohttp sends a GET a second time if the connection breaks before the headers. Gradio forgets a job once its events
    were read, so that the second reader of a stream waits for ten minutes.
    """

    async def start(self, connection: AiohttpConnection) -> aiohttp.ClientResponse:
        try:
            return await super().start(connection)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as exc:
            raise _Reset("the connection was closed before the headers") from exc


class _Reset(aiohttp.ClientConnectionError, ConnectionResetError):
    """A connection that the server closed before it answered."""


@asynccontextmanager
async def open_connection(
    proxy: str | None = None, limits: Limits | None = None, space: str = "", guard: Guard | None = None
) -> AsyncIterator[Connection]:
    """Open a connection with a session of its own, closed with the block."""
    async with open_session() as session:
        yield Connection(session, proxy=proxy, limits=limits, space=space, guard=guard)


class Connection:
    """Requests over one session.

    Args:
        session: of the running loop; its owner closes it.
        proxy: an http(s) proxy's URL, which may hold a user name and a password. None takes the
            environment's proxy, except for addresses of this machine.
        limits: how long things may take, and how large files may be.
        token: for the Space; sent to no other host.
        space: the Space's base URL.
        guard: keeps requests out of the user's own network; by default the Space's.

    Every method raises ConnectionFailed, TimedOut, or ProtocolError for an HTTP error.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        proxy: str | None = None,
        limits: Limits | None = None,
        token: str | None = None,
        space: str = "",
        guard: Guard | None = None,
    ) -> None:
        self._guard = guard or (Guard(space, is_space=True) if space else None)
        self.limits = limits or Limits()
        self._home = urlsplit(space).hostname or ""
        self._token, self._space = token, space
        self._session = session
        self._proxy = _check_proxy_address(proxy) if proxy else None
        self._timeout = self._make_timeout(None)

    @asynccontextmanager
    async def request(self, method: str, url: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Provide an open response of any status; what fails while it is used is translated too.

        Redirects keep the method and body, which `data` makes each time, and the token is not sent to another host.
        """
        url = self._secure(url)
        options = {"timeout": self._timeout, **options, "allow_redirects": False}
        for _ in range(_REDIRECTS):
            if why := explain_unasked(url):
                hint = f"Unset {why.partition('=')[0]} to ask it."
                raise NotInStore(f"{why}: nothing is asked of {show_host(url)}", hint)
            with self._translate_errors(url):
                if self._guard:
                    self._guard.check_url(url)
                proxied = _make_proxy_options(self._choose_proxy(url))
                guarding.set(None if proxied else self._guard)  # a proxy resolves names by itself
                headers = {**options.get("headers", {}), **self._make_authorization(url)}
                body = {"data": options["data"]()} if "data" in options else {}
                sent = self._session.request(
                    method, URL(url, encoded=True), **{**options, **proxied, **body, "headers": headers}
                )
                proxy_words = f" through the proxy {show_host(str(proxied['proxy']))}" if proxied else ""
                _log.debug("%s %s%s", method, shown_address(url), proxy_words)
                begin = time.monotonic()
                async with sent as response:
                    took = time.monotonic() - begin
                    _log.debug("status %d after %.2f s: %s %s", response.status, took, method, shown_address(url))
                    if response.status == 407:
                        raise ConnectionFailed("the proxy refused: HTTP status 407", self._check_proxy(url))
                    target = response.headers.get("Location") if response.status in _REDIRECTED else None
                    if target is None:
                        yield response
                        return
            target = _join_url(url, target)
            _log.debug("redirected from %s to %s", show_host(url), shown_address(target))
            if self._guard:
                self._guard.follow(url, target)
            url = target
        raise ProtocolError(f"{show_host(url)} redirects without end")

    @property
    def has_token(self) -> bool:
        """True if requests to its own server carry a token."""
        return bool(self._token)

    def _make_authorization(self, url: str) -> dict[str, str]:
        """Return the token's headers for a request; none for an address that the token is not meant for."""
        if not self._token or not is_meant_for(url, self._space):
            return {}
        # The Hub's proxy in front of a Space is said to strip the usual header before the application sees it.
        return {"Authorization": f"Bearer {self._token}", "X-HF-Authorization": f"Bearer {self._token}"}

    def _secure(self, url: str) -> str:
        """Return an address with https if the Space itself, which is asked by https, calls its own files http."""
        space = urlsplit(self._space)
        own = space.scheme == "https" and urlsplit(url).netloc == space.netloc
        return re.sub(r"^http:", "https:", url, flags=re.IGNORECASE) if own else url

    def _choose_proxy(self, url: str) -> URL | None:
        """Return the proxy of a request; this machine is asked through none, as a proxy may send it on elsewhere."""
        if is_loopback(urlsplit(url).hostname or ""):
            return None
        return self._proxy or _find_environment_proxy(url)

    def is_to(self, base: str) -> bool:
        """Return True if this is a connection to the server at `base`."""
        return self._space == base

    def connect_to(self, url: str, *, with_token: bool = False) -> Connection:
        """Return a connection to another server that the user named, such as the Hub, without the token by default."""
        proxy, token = str(self._proxy) if self._proxy else None, self._token if with_token else None
        return Connection(self._session, proxy=proxy, limits=self.limits, token=token, space=url)

    async def get_text(self, url: str) -> Answer:
        """Return the answer at `url`; sent once more as `post_json` is."""
        return await _send_twice(lambda: self._send("GET", url))

    async def post_json(self, url: str, payload: object) -> Answer:
        """Return the answer to a POST of `payload`.

        If the server closes a kept connection just as a POST is sent, it is sent once more.
        """
        return await _send_twice(lambda: self._send("POST", url, json=payload))

    async def post_file(self, url: str, data: bytes, filename: str, media_type: str) -> Answer:
        """Return the answer to a POST of one file as a form's `files`, as large as the limits allow.

        It is sent once more as `post_json` is.
        """
        limits = self.limits
        if len(data) > limits.body:
            raise InvalidRequest(f"the image has {len(data) / 2**20:.1f} MiB: {limits.body / 2**20:.3g} MiB at most")

        def make_form() -> aiohttp.FormData:
            form = aiohttp.FormData()
            form.add_field("files", io.BytesIO(data), filename=filename, content_type=media_type)
            return form

        within = self._make_timeout(limits.progress)
        return await _send_twice(lambda: self._send("POST", url, data=make_form, timeout=within))

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work over this connection that goes on if its caller does not."""
        return background.start(self._session, work)

    def _make_timeout(self, total: float | None) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total, sock_connect=self.limits.connect, sock_read=self.limits.silence)

    async def _send(self, method: str, url: str, **options: Any) -> Answer:
        options = {"timeout": self._make_timeout(self.limits.answer), **options}
        async with self.request(method, url, **options) as response:
            return replace(await self._read_answer(response), redirected=response.url != URL(url, encoded=True))

    async def _read_answer(self, response: aiohttp.ClientResponse) -> Answer:
        if response.status == 200:
            body = await self._read_body(response, self.limits.document)
        else:
            body = await _read_head(response, ERROR_READ)
        return Answer(
            response.status,
            body.decode(errors="replace"),
            retry_after=parse_retry_after(response.headers.get("Retry-After", "")),
            challenge=response.headers.get("WWW-Authenticate", ""),
        )

    async def stream(self, url: str) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the server-sent events at `url`, within the limits on their size and number.

        Raises StreamLost if the connection fails or the server is busy. Another status than 200 raises its error, and
        an endless stream or event ProtocolError.
        """
        decoder, limits, number, size, begin = Decoder(), self.limits, 0, 0, 0
        try:
            async with self.request("GET", url, headers={"Accept": "text/event-stream"}) as response:
                if response.status != 200:
                    raise make_http_error(await self._read_answer(response))
                async for chunk in response.content.iter_any():
                    for place in range(0, len(chunk), _PART):
                        events = decoder.feed(part := chunk[place : place + _PART])
                        size += len(part)
                        for event in events:
                            yield event
                        number, begin = number + len(events), size if events else begin
                        if size - begin > limits.document:
                            raise ProtocolError("the Space's stream has an event without end")
                        if number > limits.events or size > limits.stream:
                            raise ProtocolError("the Space's stream has no end")
                        await asyncio.sleep(0)  # other work on the loop has its turn
        except (ConnectionFailed, StatusError) as error:
            if isinstance(error, StatusError) and error.status not in BUSY:
                raise
            raise StreamLost(error.message, error.hint) from error
        for event in decoder.finish():
            yield event

    async def get_bytes(self, url: str, most: int | None = None) -> bytes:
        """Return the body at `url`, or its first `most` bytes; sent once more as `post_json` is."""
        return await _send_twice(lambda: self._get_bytes(url, most))

    async def _get_bytes(self, url: str, most: int | None) -> bytes:
        limits = self.limits
        within = self._make_timeout(limits.progress if most is None else limits.answer)
        async with self.request("GET", url, timeout=within) as response:
            if response.status != 200:
                raise make_http_error(await self._read_answer(response))
            return await self._read_body(response, limits.body) if most is None else await _read_head(response, most)

    async def _read_body(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > most:
                raise TooLarge(f"the Space's answer is larger than {most / 2**20:.3g} MiB")
        return bytes(body)

    def _make_unreachable_error(self, url: str, exc: Exception) -> ConnectionFailed:
        """Return the error for a connection that could not be made, to the host or to the proxy before it."""
        proxy = self._choose_proxy(url)
        of_proxy = isinstance(exc, aiohttp.ClientProxyConnectionError)
        if proxy and (of_proxy or (isinstance(exc, aiohttp.ClientConnectorError) and exc.host == proxy.host)):
            hint = f"{self._check_proxy(url)}{self._offer_local(url)}"
            return ConnectionFailed(f"no connection to the proxy: {_describe_reason(exc)}", hint)
        kind = ConnectionLost if _was_connected(exc) else ConnectionFailed
        return kind(f"no connection to {show_host(url)}: {_describe_reason(exc)}", self._check_network(url))

    def _check_network(self, url: str) -> str:
        return f"{_ONLINE}{self._offer_local(url)}"

    def _offer_local(self, url: str) -> str:
        """Return the way to images without a network, for a Space out there; nothing else can be had without one."""
        far = bool(self._home) and urlsplit(url).hostname == self._home and not is_private(self._home)
        return f" {_LOCAL}" if far else ""

    def _check_proxy(self, url: str) -> str:
        """Return the hint for a proxy that does not work, with the variable's name if the environment has it."""
        source = "" if self._proxy else f", which are from {_describe_source(_get_proxy_setting(url))}"
        return f"Check the proxy's address, name and password{source}."

    @contextmanager
    def _translate_errors(self, url: str) -> Iterator[None]:
        """Translate aiohttp's errors into ours, without their messages, which may hold a proxy's address."""
        host = show_host(url)
        try:
            yield
        except FluxError:
            raise
        except ValueError as exc:
            raise ProtocolError(f"the Space gave an invalid address: {host}") from exc
        except aiohttp.ConnectionTimeoutError as exc:
            raise TimedOut(
                f"no connection to {host} within {self.limits.connect:g} s", self._check_network(url)
            ) from exc
        except aiohttp.SocketTimeoutError as exc:
            raise TimedOut(f"{host} sent nothing for {self.limits.silence:g} s", "Run the cell again.") from exc
        except aiohttp.ClientHttpProxyError as exc:
            # Not `from exc`: it holds the request, with the password.
            raise ConnectionFailed(f"the proxy refused: HTTP status {exc.status}", self._check_proxy(url)) from None
        except asyncio.TimeoutError as exc:
            raise TimedOut(f"the answer of {host} did not finish in time", "Run the cell again.") from exc
        except aiohttp.ClientPayloadError as exc:
            raise BrokenOff(f"{host} broke off in the middle of its answer", "Run the cell again.") from exc
        except aiohttp.ClientResponseError as exc:
            _remove_headers(exc)
            raise ProtocolError(f"{host} does not answer as HTTP: {type(exc).__name__}") from exc
        except (aiohttp.ClientError, ConnectionResetError) as exc:
            raise self._make_unreachable_error(url, exc) from exc


def _remove_headers(exc: aiohttp.ClientResponseError) -> None:
    """Remove the headers from an error: its repr, which debuggers print, would show the token and cookies."""
    asked = exc.request_info
    bare = aiohttp.RequestInfo(asked.url.with_user(None), asked.method, CIMultiDictProxy(CIMultiDict()))
    exc.request_info, exc.history, exc.headers = bare, (), None
    exc.args = (bare, ())


def _was_connected(exc: Exception) -> bool:
    """Return True if a connection had been made when this happened to it."""
    lost = (ConnectionResetError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)
    return isinstance(exc, lost) and not isinstance(exc, aiohttp.ClientConnectorError)


def _describe_reason(exc: Exception) -> str:
    if isinstance(exc, aiohttp.ServerDisconnectedError | _Reset):
        return "it closed the connection"
    strerror = exc.strerror if isinstance(exc, OSError) else None
    return (strerror or type(exc).__name__).removeprefix("Cannot connect to ")


async def _read_head(response: aiohttp.ClientResponse, most: int) -> bytes:
    head = bytearray()
    while len(head) < most and (chunk := await response.content.read(most - len(head))):
        head += chunk
    return bytes(head)


class TooLarge(ProtocolError):
    """An answer that is larger than the limits allow."""


class BrokenOff(ConnectionLost, ProtocolError):
    """A connection that broke in the middle of an answer."""


async def _send_twice(send: Callable[[], Awaitable[T]]) -> T:
    """Return what `send` gives, which is called again if the server closed the connection before it answered."""
    try:
        return await send()
    except ConnectionLost as lost:
        if not isinstance(lost.__cause__, ConnectionResetError):
            raise
        _log.info("sent once more: %s", lost.message)
    return await send()


def _check_proxy_address(proxy: str, source: str = "") -> URL:
    """Return the proxy's address; raise InvalidRequest if no request can pass it, with `source` as where it is from."""
    try:
        url = URL(proxy)
    except ValueError:
        url = URL()
    if url.scheme in {"http", "https"} and url.host and not re.search(r"[\s<>\"'$%{}|\\^`]", url.host):
        return url
    kind = f"a {url.scheme} proxy" if url.scheme not in {"", "http", "https"} else "this proxy's address"
    if not source:
        raise InvalidRequest(f"cannot use {kind}: give one such as http://proxy.example:3128")
    raise InvalidRequest(
        f"cannot use {kind}, which is from {source}: set it to an http proxy such as http://proxy.example:3128, "
        "name the host in NO_PROXY, or give --proxy"
    )


def _find_environment_proxy(url: str) -> URL | None:
    host = urlsplit(url).hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    found = _get_proxy_setting(url)
    return (
        _check_proxy_address(found if "://" in found else f"http://{found}", _describe_source(found)) if found else None
    )


def _get_proxy_setting(url: str) -> str:
    proxies = getproxies()
    return proxies.get(urlsplit(url).scheme) or proxies.get("all") or ""


def _describe_source(proxy: str) -> str:
    """Return where a proxy is set: the environment's variable, as it is spelled there, or the system's settings."""
    names = [name for name, value in os.environ.items() if value == proxy and name.lower().endswith("_proxy")]
    return f"the environment's {names[0]}" if names else "the system's settings"


def _make_proxy_options(proxy: URL | None) -> dict[str, Any]:
    """Return the proxy's options. The password is kept apart from the address, so that no error can show it."""
    if proxy is None:
        return {}
    if not proxy.user and not proxy.password:
        return {"proxy": proxy}
    credentials = base64.b64encode(f"{proxy.user or ''}:{proxy.password or ''}".encode()).decode()
    # aiohttp moves it to Proxy-Authorization, of the request or of the CONNECT before it.
    return {"proxy": proxy.with_user(None), "proxy_headers": {"Authorization": f"Basic {credentials}"}}


def _join_url(url: str, target: str) -> str:
    try:
        joined = urljoin(url, target)
        usable = urlsplit(joined).scheme in {"http", "https"}
    except ValueError:
        usable = False
    if not usable:
        raise ProtocolError(f"{show_host(url)} redirects to an address that is not http")
    return joined

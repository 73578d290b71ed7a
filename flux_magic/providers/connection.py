"""HTTP for the providers: one ClientSession, its limits and proxies, and errors in our own words."""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from ..errors import ConnectionFailed, InvalidRequest, ProtocolError, TimedOut
from .base import Limits

KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: uvicorn, which serves Gradio, closes it after 5."""

_PROXIED = "Check the proxy's address, name and password."
_ONLINE = "Check the address and your connection; behind a proxy give --proxy."


def open_session() -> aiohttp.ClientSession:
    """A session for the running loop; whoever opens it closes it."""
    connector = aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE)
    return aiohttp.ClientSession(connector=connector, headers={"User-Agent": "flux_magic"})


@asynccontextmanager
async def open_connection(proxy: str | None = None, limits: Limits | None = None) -> AsyncIterator[Connection]:
    """A connection with a session of its own, closed at the end."""
    async with open_session() as session:
        yield Connection(session, proxy=proxy, limits=limits)


class Connection:
    """Requests over one session.

    Args:
        session: of the running loop; its owner closes it.
        proxy: an http(s) proxy's URL, which may hold a user name and a password. None takes the
            environment's proxy, except for addresses of this machine.
        limits: how long things may take, and how large files may be.

    Every method raises ConnectionFailed, TimedOut, or ProtocolError for an HTTP error.
    """

    def __init__(
        self, session: aiohttp.ClientSession, *, proxy: str | None = None, limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        self._session = session
        self._proxy = _checked_proxy(proxy) if proxy else None
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self.limits.connect, sock_read=self.limits.silence
        )

    @asynccontextmanager
    async def request(self, method: str, url: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """An open response of any status; what fails while it is used is translated too."""
        proxy = self._proxy or _environment_proxy(url)
        options |= {"timeout": self._timeout, **_proxy_options(proxy)}
        with self._translated(url):
            async with self._session.request(method, URL(url, encoded=True), **options) as response:
                if response.status == 407:
                    raise ConnectionFailed("the proxy refused: HTTP status 407", _PROXIED)
                yield response

    async def get_json(self, url: str) -> tuple[int, Any]:
        """The status and the JSON (None where the body is none) at `url`."""
        async with self.request("GET", url) as response:
            return response.status, _json_or_none(await self._body(response))

    async def post_json(self, url: str, payload: object) -> tuple[int, str]:
        """The status and the text that answer a POST of `payload`.

        A POST that meets a kept connection just as the server closes it is sent once more.
        """
        try:
            return await self._post(url, payload)
        except ConnectionFailed as failed:
            if not isinstance(failed.__cause__, aiohttp.ServerDisconnectedError | ConnectionResetError):
                raise
        return await self._post(url, payload)

    async def _post(self, url: str, payload: object) -> tuple[int, str]:
        async with self.request("POST", url, json=payload) as response:
            body = await self._body(response)
            return response.status, body.decode(errors="replace")

    async def stream(self, url: str) -> AsyncGenerator[bytes, None]:
        """The chunks of an open-ended body; raises ProtocolError where the status is not 200."""
        async with self.request("GET", url, headers={"Accept": "text/event-stream"}) as response:
            if response.status != 200:
                raise http_error(response.status, (await self._body(response)).decode(errors="replace"))
            async for chunk in response.content.iter_any():
                yield chunk

    async def get_bytes(self, url: str, most: int | None = None) -> bytes:
        """The body at `url`, or its first `most` bytes."""
        async with self.request("GET", url) as response:
            if response.status != 200:
                raise http_error(response.status, (await self._body(response)).decode(errors="replace"))
            return await self._body(response) if most is None else await response.content.read(most)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self.limits.body:
                raise ProtocolError(f"the Space's answer is larger than {self.limits.body // 2**20} MiB")
        return bytes(body)

    @contextmanager
    def _translated(self, url: str) -> Iterator[None]:
        """Turns aiohttp's errors into ours. Their own texts may hold a proxy's address, and are left out."""
        host = urlsplit(url).netloc
        try:
            yield
        except aiohttp.ConnectionTimeoutError as exc:
            raise TimedOut(f"no connection to {host} within {self.limits.connect:g} s", _ONLINE) from exc
        except aiohttp.SocketTimeoutError as exc:
            raise TimedOut(f"{host} sent nothing for {self.limits.silence:g} s", "Run the cell again.") from exc
        except aiohttp.ClientHttpProxyError as exc:
            # Not `from exc`: it holds the request, with the password.
            raise ConnectionFailed(f"the proxy refused: HTTP status {exc.status}", _PROXIED) from None
        except aiohttp.ClientProxyConnectionError as exc:
            raise ConnectionFailed(f"no connection to the proxy: {_reason(exc)}", _PROXIED) from exc
        except aiohttp.TooManyRedirects as exc:
            raise ProtocolError(f"{host} redirects without end") from exc
        except aiohttp.ClientPayloadError as exc:
            raise ProtocolError(f"{host} broke off in the middle of its answer", "Run the cell again.") from exc
        except aiohttp.ClientResponseError as exc:
            raise ProtocolError(f"{host} does not answer as HTTP: {type(exc).__name__}") from exc
        except (aiohttp.ClientError, ConnectionResetError) as exc:
            raise ConnectionFailed(f"no connection to {host}: {_reason(exc)}", _ONLINE) from exc


def _reason(exc: Exception) -> str:
    if isinstance(exc, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    strerror = exc.strerror if isinstance(exc, OSError) else None
    return (strerror or type(exc).__name__).removeprefix("Cannot connect to ")


class StatusError(ProtocolError):
    """An HTTP status other than 200."""

    def __init__(self, message: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


def http_error(status: int, text: str) -> StatusError:
    """The error for a status, with the Space's own words where they are words and not a page."""
    detail = _json_or_none(text.encode())
    if isinstance(detail, dict):
        detail = detail.get("detail") or detail.get("error") or detail.get("message")
    words = detail if isinstance(detail, str) else "" if "<" in text else text
    said = f": {' '.join(words.split())[:300]}" if words.strip() else ""
    hint = "Try again in a moment." if status in {429, 502, 503, 504} else ""
    return StatusError(f"the Space answered with HTTP status {status}{said}", hint, status)


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _checked_proxy(proxy: str) -> URL:
    try:
        url = URL(proxy)
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        kind = f"a {url.scheme} proxy" if url.scheme not in {"", "http", "https"} else "this proxy's address"
        raise InvalidRequest(f"cannot use {kind}: give one such as http://proxy.example:3128")
    return url


def _environment_proxy(url: str) -> URL | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found:
        return None
    return _checked_proxy(found if "://" in found else f"http://{found}")


def _proxy_options(proxy: URL | None) -> dict[str, Any]:
    """The password goes beside the address, so that no error of aiohttp's can show it."""
    if proxy is None:
        return {}
    if not proxy.user and not proxy.password:
        return {"proxy": proxy}
    credentials = base64.b64encode(f"{proxy.user or ''}:{proxy.password or ''}".encode()).decode()
    # aiohttp moves it to Proxy-Authorization, of the request or of the CONNECT before it.
    return {"proxy": proxy.with_user(None), "proxy_headers": {"Authorization": f"Basic {credentials}"}}


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified

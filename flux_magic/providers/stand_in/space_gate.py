"""The gate of the local Space: the requests that reach the app, and what a browser may do with its answers."""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

MOST_BODY = 2**20
"""Bytes of a request's body; the parameters of an image are far smaller."""

MOST_UPLOAD = 64 * MOST_BODY
"""Bytes of a request that uploads images."""

_MOST_FILES = 16
_MOST_HEARD = 16 * MOST_BODY

HEADERS = {
    b"content-security-policy": b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'",
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}
"""Headers of every answer: its pages load nothing from other hosts, and no page shows them in a frame."""

_ROUTE = re.compile(r"(/gradio_api)?/+((?P<start>startup-events)|(?P<upload>upload/*)|file=(?P<file>.*))", re.DOTALL)
_AUTHORITY = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:@/?#\[\]]+)(:(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_FORM = re.compile(r'multipart/form-data; *boundary=(?P<quote>"?)(?P<boundary>[^"\s;]+)(?P=quote)', re.IGNORECASE)
_IMAGE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP", re.DOTALL)
_KINDS = "PNG, JPEG, WebP or GIF"
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


class Gate:
    """ASGI middleware that refuses other hosts' names, other sites' pages, and clients without the secret.

    Uploads pass if every file in them begins as an image does.

    Args:
        app: the application behind the gate.
        host: the name or address that the server listens on.
        port: its port.
        secret: the bearer token that every request must have; "" lets everyone in.
        folder: the images' folder. An image's name is a secret too, so that a page can show it without the token.
    """

    def __init__(self, app: Any, host: str, port: int, secret: str, folder: Path) -> None:
        self._app = app
        self._hosts = Hosts(host, port)
        self._secret = secret.encode()
        self._image = re.compile(re.escape(str(folder)) + r"[\\/]([0-9a-f]+[\\/])?[0-9a-f]{32}\.webp")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer one that is refused."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(scope, receive, _add_headers(send))

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        refusal = self._find_refusal(scope)
        is_upload = _is_upload(scope)
        most = MOST_UPLOAD if is_upload else MOST_BODY
        body = await _read(receive, 0 if refusal else most)
        if body is None and not refusal:
            refusal = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {most} bytes")
        if is_upload and not refusal and not _holds_images(scope, body or b""):
            refusal = (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"an upload is 1 to {_MOST_FILES} images: {_KINDS}")
        if refusal:
            await _refuse(send, *refusal)
        else:
            await self._app(scope, _replay_body(body or b"", receive), send)

    def _find_refusal(self, scope: Any) -> tuple[int, str] | None:
        """Return the status and the words that a request is refused with; None for one that may pass."""
        route = _ROUTE.fullmatch(scope["path"])
        is_read = scope["method"] in {"GET", "HEAD"}
        is_image = is_read and route is not None and bool(self._image.fullmatch(route["file"] or ""))
        hosts = _get_headers(scope, b"host")
        if len(hosts) != 1 or not self._hosts.has(hosts[0]):
            return HTTPStatus.MISDIRECTED_REQUEST, "it has another name"
        if _is_foreign(scope, hosts[0]) and not is_image:
            return HTTPStatus.FORBIDDEN, "pages of other sites may not use it"
        is_open = is_image or (is_read and route is not None and bool(route["start"]))  # Gradio starts itself so
        if not is_open and not self._has_secret(_get_headers(scope, b"authorization")):
            return (
                HTTPStatus.UNAUTHORIZED,
                "it answers the program that started it. For one of your own: flux-magic space",
            )
        return None

    def _has_secret(self, sent: Sequence[str]) -> bool:
        found = _BEARER.fullmatch(sent[0]) if len(sent) == 1 else None
        return not self._secret or (found is not None and hmac.compare_digest(found[1].encode(), self._secret))


class Hosts:
    """The names by which a server may be asked for. A page that points its own name to this machine has another one.

    A server that listens beyond this machine has any address, and its port may be another one outside.
    """

    def __init__(self, host: str, port: int) -> None:
        self._names = {"localhost", "127.0.0.1", "[::1]", host.lower()}
        self._port = str(port)
        self._is_near = host.lower() == "localhost" or _is_loopback(host)
        if not self._is_near:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def has(self, authority: str) -> bool:
        """Return True if a Host header names this server."""
        found = _AUTHORITY.fullmatch(authority)
        if found is None:
            return False
        name = found["name"].lower()
        if self._is_near:
            return name in self._names and (found["port"] or "80") == self._port
        return name in self._names or _is_address(name.strip("[]"))


def _is_upload(scope: Any) -> bool:
    route = _ROUTE.fullmatch(scope["path"])
    return route is not None and bool(route["upload"])


def _holds_images(scope: Any, body: bytes) -> bool:
    """Return True for a form whose parts are all files that begin as an image does, at least one."""
    kind = _FORM.fullmatch("".join(_get_headers(scope, b"content-type")))
    if kind is None:
        return False
    mark = b"--" + kind["boundary"].encode("latin-1")
    first, *parts = (b"\r\n" + body).split(b"\r\n" + mark, _MOST_FILES + 1)
    *files, end = parts or [b""]
    heads = [file.partition(b"\r\n\r\n")[2][:16] for file in files]
    return not first and end.startswith(b"--") and bool(heads) and all(_IMAGE.match(head) for head in heads)


def _is_foreign(scope: Any, host: str) -> bool:
    """Return True if a browser says that a request comes from another site's page, a click on a link apart."""
    clicked = "navigate" in _get_headers(scope, b"sec-fetch-mode") and scope["method"] == "GET"
    sites = _get_headers(scope, b"sec-fetch-site")
    if not clicked and any(site not in {"same-origin", "none"} for site in sites):
        return True
    return any(origin.partition("://")[2].lower() != host.lower() for origin in _get_headers(scope, b"origin"))


def _get_headers(scope: Any, name: bytes) -> list[str]:
    """Return the values of a header."""
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key.lower() == name]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


async def _read(receive: Any, most: int) -> bytes | None:
    """Return the body of a request; None for one of more than `most` bytes.

    The rest of that is read and forgotten, within bounds: a client that is still sending hears no answer.
    """
    body, size, more = bytearray(), 0, True
    while more and size < max(_MOST_HEARD, 2 * most):
        message = await receive()
        part = message.get("body", b"")
        more, size = message.get("more_body", False), size + len(part)
        if size <= most:
            body += part
    return bytes(body) if size <= most else None


def _replay_body(body: bytes, receive: Any) -> Any:
    """Return a `receive` that gives a body that was read, then what follows it."""
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Any:
        return unread.pop() if unread else await receive()

    return next_message


def _add_headers(send: Any) -> Any:
    """Return a `send` that adds the headers of every answer."""

    async def with_headers(message: Any) -> None:
        if message["type"] == "http.response.start":
            others = [(name, value) for name, value in message["headers"] if name.lower() not in HEADERS]
            message = {**message, "headers": [*others, *HEADERS.items()]}
        await send(message)

    return with_headers


async def _refuse(send: Any, status: int, words: str) -> None:
    body = f"flux_magic's local Space: {words}\n".encode()
    headers = {b"content-type": b"text/plain; charset=utf-8", b"content-length": str(len(body)).encode()}
    start = {
        "type": "http.response.start",
        "status": int(status),
        "headers": [*headers.items(), (b"connection", b"close")],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})

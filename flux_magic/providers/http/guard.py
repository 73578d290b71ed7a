"""A guard against redirects and addresses that lead from the network out there to this machine or its own network.

A host name says nothing about where it leads, so the check is made where a connection is: at the resolver, on the very
addresses that are connected to. Addresses that are written as numbers reach no resolver; they are checked before.
A proxy resolves names by itself: of what passes one, only such addresses are checked.
"""

from __future__ import annotations

import socket
from contextvars import ContextVar
from typing import Any

from aiohttp import TCPConnector, ThreadedResolver
from yarl import URL

from ...errors import ProtocolError
from .hosts import Address, get_address, is_loopback, is_private, show_host

guarding: ContextVar[Guard | None] = ContextVar("guard", default=None)
"""The guard of the request that is being sent, if it has one; the resolver asks it."""


class Guard:
    """Keeps requests away from private addresses, but for the server that the user named.

    Args:
        url: the address that the user named, of an image or a Space. If it is private itself, an image's redirects may
            stay at its host and port, or go from http to https there, and a Space may use any port of its host.
        is_space: True if the address is a Space's.
    """

    def __init__(self, url: str, *, is_space: bool = False) -> None:
        self._named = _parse_url(url)
        self._host = _normalize_host(self._named.host)
        self._is_space = is_space
        address = get_address("127.0.0.1" if is_loopback(self._host) else self._host)
        self._own: set[Address] | None = None  # the private addresses of the named host, not known before a look-up
        if address is not None:
            self._own = {address} if is_private(str(address)) else set()
        self._is_mixed = False

    def follow(self, url: str, target: str) -> None:
        """Raise ProtocolError if a redirect from `url` to `target` may not be followed."""
        if self._is_space and _parse_url(url).scheme == "https" and _parse_url(target).scheme != "https":
            raise ProtocolError(
                f"{self._host[:100]} redirects to {show_host(target)[:100]} by plain http, and is not followed",
                "Give the address that the Space has now.",
            )
        self.check_url(target)

    def check_url(self, url: str) -> None:
        """Raise ProtocolError if an address that a server named is private, or a name of this machine."""
        target = _parse_url(url)
        host = _normalize_host(target.host)
        if self._is_named(host):
            if self._is_space:
                return
            secured = target.scheme == "https" and self._named.is_default_port() and target.is_default_port()
            if target.port != self._named.port and not secured:
                raise self._make_refusal(f"{host}:{target.port}")
        elif is_private(host):
            raise self._make_refusal(host)

    def check_addresses(self, host: str, addresses: list[str], *, connected: bool = False) -> list[str]:
        """Return the addresses of a host that may be connected to, or that one that is `connected`.

        The first answer for the name that the user gave counts: from then on it leads to no other private address. If
        it has public addresses as well, the first connection decides between them.

        Raises ProtocolError if none may be, or if a name of somebody else leads to a private one.
        """
        if is_loopback(host) and not all(map(is_loopback, addresses)):
            raise ProtocolError(f"{host[:100]} is another machine here, not this one, and is not asked")
        is_named = _normalize_host(host) == self._host
        if is_named and self._own is None:
            self._own = {known for one in addresses if is_private(one) and (known := get_address(one))}
            self._is_mixed = 0 < len(self._own) < len(set(addresses))
            return addresses
        # By another name, an image's redirect would pass the check of the port.
        known_name = is_named or self._is_space or is_loopback(host)
        passed = [one for one in addresses if not is_private(one) or (known_name and self._is_own(one))]
        if not passed or (len(passed) < len(addresses) and not (is_named and self._is_mixed)):
            raise self._make_refusal(host)
        if connected and is_named and self._is_mixed and not any(map(is_private, passed)):
            self._own = set()
        return passed

    def _is_named(self, host: str) -> bool:
        """Return True for the private host that the user named, by any of its names and addresses."""
        return self._is_own(host) or (bool(self._own) and host == self._host)

    def _is_own(self, host: str) -> bool:
        """Return True for a private address of the named host. All names of this machine are one."""
        own = self._own or set()
        return get_address(host) in own or (is_loopback(host) and any(is_loopback(str(one)) for one in own))

    def _make_refusal(self, host: str) -> ProtocolError:
        if self._is_space:
            said = f"the Space points to {host[:100]}, an address of your own network, which is not followed"
            return ProtocolError(said)
        return ProtocolError(
            f"{self._host[:100]} redirects to {host[:100]}, an address of your own network, which is not followed",
            "Save the image, and name the file.",
        )


class GuardedResolver(ThreadedResolver):
    """The system's resolver, which lets the guard of a request see the addresses of a name."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[Any]:
        """Return the addresses of a host, if the guard lets them pass."""
        found = await super().resolve(host, port, family)
        if guard := guarding.get():
            passed = guard.check_addresses(host, [str(one["host"]) for one in found])
            return [one for one in found if str(one["host"]) in passed]
        return list(found)


class GuardedConnector(TCPConnector):
    """A connector whose every connection passes the guard of the request, one that was kept as well."""

    async def connect(self, req: Any, *args: Any, **options: Any) -> Any:
        """Return a connection to the host of a request, if the guard lets its address pass."""
        connection = await super().connect(req, *args, **options)
        guard = guarding.get()
        peer = connection.transport.get_extra_info("peername") if guard and connection.transport else None
        if guard and peer:
            try:
                guard.check_addresses(req.url.host or "", [str(peer[0])], connected=True)
            except ProtocolError:
                connection.close()
                raise
        return connection


def _parse_url(url: str) -> URL:
    """Return the address as aiohttp understands it; an empty one for what is none."""
    try:
        return URL(url, encoded=True)
    except ValueError:
        return URL()


def _normalize_host(host: str | None) -> str:
    return (host or "").casefold().strip("[]").rstrip(".")

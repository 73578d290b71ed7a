"""Whose machine or network a host is on, and how an address names its host in a message."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_DIGITS: Final = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)
_WRAPPERS: Final = {
    ipaddress.IPv6Network("::ffff:0:0/96"): 0,
    ipaddress.IPv6Network("::ffff:0:0:0/96"): 0,
    ipaddress.IPv6Network("64:ff9b::/96"): 0,
    ipaddress.IPv6Network("64:ff9b:1::/48"): 0,
    ipaddress.IPv6Network("::/96"): 0,
    ipaddress.IPv6Network("2002::/16"): 80,
}
"""IPv6 networks whose addresses hold an IPv4 address, and by how many bits it is shifted."""


@lru_cache(64)  # each request asks some ten times for the same few hosts
def get_address(host: str) -> Address | None:
    """Return the address that a host is, in any form that a system takes for one; None for a name.

    `127.1`, `0x7f.1`, `2130706433` and `[::ffff:127.0.0.1]` are all 127.0.0.1.
    """
    name = unicodedata.normalize("NFKC", host).replace("\u3002", ".").strip("[]").partition("%")[0].rstrip(".")
    try:
        return _unwrap_ipv4(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name)) if _DIGITS.fullmatch(name) else None
    except OSError:
        return None


def _unwrap_ipv4(address: Address) -> Address:
    """Return the IPv4 address in an IPv6 address, if any."""
    if isinstance(address, ipaddress.IPv6Address) and int(address) > 1:
        for network, shift in _WRAPPERS.items():
            if address in network:
                return ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return address


@lru_cache(64)
def is_loopback(host: str) -> bool:
    """Return True if a host's name or address is this machine's own."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = get_address(name)
    return address is not None and (address.is_loopback or address.is_unspecified)


@lru_cache(64)
def is_private(host: str) -> bool:
    """Return True if a host is an address that means something in one's own network alone."""
    address = get_address(host)
    if address is None:
        return is_loopback(host)
    return is_loopback(host) or not address.is_global or address.is_multicast or _is_site_local(address)


def _is_site_local(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address.is_site_local


def show_host(url: str) -> str:
    """Return the host and port of an address for a message, without user name and password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2][:200]
    except ValueError:
        return "an unreadable one"


def shown_address(url: str) -> str:
    """Return an address as the log shows it: without a password, and without its query, which may hold a key."""
    host = show_host(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return host
    return f"{parts.scheme[:10]}://{host}{parts.path[:200]}{'?…' if parts.query else ''}"


def is_meant_for(url: str, base: str) -> bool:
    """Return True if the token of the server at `base` may go with a request to `url`.

    This decides for every request. The token goes to that server's own scheme, host and port, or from http to https
    there, and never in the clear over a network.
    """
    try:
        asked, named = urlsplit(url), urlsplit(base)
        host, known = _get_host(asked), _get_host(named)
        same = (asked.scheme, asked.port or _PORTS[asked.scheme]) == (named.scheme, named.port or _PORTS[named.scheme])
        secured = asked.scheme == "https" and named.scheme == "http" and (asked.port, named.port) in _SECURED
    except (ValueError, KeyError):
        return False
    return bool(host) and host == known and (same or secured) and (asked.scheme == "https" or is_loopback(host))


def _get_host(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


_PORTS: Final = {"https": 443, "http": 80}
_SECURED: Final = tuple((https, http) for https in (None, 443) for http in (None, 80))

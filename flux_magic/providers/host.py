"""Whose machine or network a host is on, and how an address names its host in a message."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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


def is_private(host: str) -> bool:
    """Whether a host is an address that means something in one's own network alone."""
    try:
        return is_loopback(host) or not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def shown_host(url: str) -> str:
    """The host and port of an address, for a message: without a name and a password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2][:200]
    except ValueError:
        return "an unreadable one"

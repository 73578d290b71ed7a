"""The address of a server as the name of a model: a dedicated endpoint, or a server of one's own."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from ...errors import InvalidRequest

_ENDPOINTS: Final = ".endpoints.huggingface.cloud"
"""The domain of the Hub's dedicated endpoints."""


def is_address(model: str) -> bool:
    """Return True for an http(s) URL in place of a model's name."""
    return bool(re.match(r"(?i)https?://", model))


def check_address(model: str) -> str:
    """Return the address. Raises InvalidRequest for one that is not whole, or that a record should not hold."""
    try:
        parts = urlsplit(model)
        is_whole = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_whole = False
    if not is_whole or re.search(r"[\s<>\"'{}|\\^`]", model):
        raise InvalidRequest("the model is not a whole address: give one such as https://example.com/generate")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidRequest(
            "the model's address holds a name, a password or a query, which its record would show: give the address "
            "alone, and a key as the token"
        )
    return model


def is_endpoint(model: str) -> bool:
    """Return True for a dedicated endpoint of the Hub, asked by https."""
    parts = urlsplit(model)
    return parts.scheme == "https" and (parts.hostname or "").endswith(_ENDPOINTS)

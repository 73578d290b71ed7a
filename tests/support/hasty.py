"""Tries that follow one another at once, for tests of what comes of them; the wait itself has tests of its own."""

from __future__ import annotations

from functools import partial

import pytest

from flux_magic.client import async_client
from flux_magic.providers.base import Limits
from flux_magic.providers.http import connection

BACKOFF = 0.01

CODE = f"""
from functools import partial as _partial
from flux_magic.client import async_client as _client
from flux_magic.providers.http import connection as _connection
from flux_magic.providers.base import Limits as _Limits
_client.Limits = _connection.Limits = _partial(_Limits, backoff={BACKOFF})
"""
"""The same for a kernel, or a program of its own."""


def hasten(patch: pytest.MonkeyPatch) -> None:
    """Let this process try again at once."""
    for module in (async_client, connection):
        patch.setattr(module, "Limits", partial(Limits, backoff=BACKOFF))

"""When to try again, and how long to wait before."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...errors import ConnectionFailed, ConnectionLost, FluxError, QueueFull, RateLimited, SpaceAsleep, StreamLost
from ..base import Limits
from ..log import get_logger
from .response import BUSY, StatusError

T = TypeVar("T")
_log = get_logger(__name__)

_UNHEARD = 2
"""The number of retries if no connection can be made."""
_SOON = 4
"""The longest wait after a connection that broke, in units of `Limits.backoff`: the next one may hold."""


class Patience:
    """Counts one job's tries: before a Space has accepted it, and how often it is submitted again.

    A job whose stream was lost is submitted again, `limits.reconnections` times if the connection broke and
    `limits.resubmissions` times else. Tried again before that are: no connection, one that broke, too many requests
    (429), a full queue or a Space that is busy (502 to 504), each with jittered back-off; and a Space that sleeps,
    until it is awake or `limits.wake` seconds are over.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tries = 1
        self._lost_connections = self._lost_streams = 0
        self._begin = time.monotonic()

    def compute_delay(self, error: FluxError) -> float | None:
        """Return the seconds to wait before the next try, or None if there is to be none."""
        delay = self._delay(error)
        again = "submitted again" if isinstance(error, StreamLost) else "tried again"
        if delay is None:
            _log.info("not %s: %s", again, error.message)
        else:
            _log.info("%s in %.1f s: %s", again, delay, error.message)
        return delay

    def _delay(self, error: FluxError) -> float | None:
        if isinstance(error, StreamLost):
            return self._delay_resubmission(error)
        if isinstance(error, SpaceAsleep):
            waited = time.monotonic() - self._begin
            return 3 * self._limits.backoff if waited < self._limits.wake else None
        most = self._limits.retries
        if isinstance(error, ConnectionLost):
            most = self._limits.reconnections
        elif isinstance(error, ConnectionFailed):
            most = min(most, _UNHEARD)  # a server that does not respond at all is seldom there a little later
        if not _is_temporary(error) or self._tries > most:
            return None
        longest = _SOON * self._limits.backoff if isinstance(error, ConnectionLost) else 30
        delay = getattr(error, "retry_after", None) or self._back_off(longest)
        self._tries += 1
        return float(delay) if delay <= self._limits.longest_wait else None

    def _delay_resubmission(self, lost: StreamLost) -> float | None:
        """Return the wait before a job is submitted again; it then has all its tries once more."""
        self._tries, self._begin = 1, time.monotonic()
        if isinstance(lost.__cause__, ConnectionLost):
            self._lost_connections += 1
            return 0 if self._lost_connections <= self._limits.reconnections else None
        self._lost_streams += 1
        return self._limits.backoff if self._lost_streams <= self._limits.resubmissions else None

    def _back_off(self, longest: float) -> float:
        backoff = self._limits.backoff
        jitter = random.uniform(0, backoff)  # noqa: S311 - it spreads requests, and is no secret
        return min(backoff * 2.0 ** (self._tries - 1), longest) + jitter


async def retry(work: Callable[[], Awaitable[T]], limits: Limits) -> T:
    """Return what `work` gives, which is called again after each temporary failure; raises the last one."""
    patience = Patience(limits)
    while True:
        try:
            return await work()
        except FluxError as error:
            delay = patience.compute_delay(error)
            if delay is None:
                raise
        await asyncio.sleep(delay)


def _is_temporary(error: FluxError) -> bool:
    if isinstance(error, StatusError):
        return error.status in BUSY
    return isinstance(error, ConnectionFailed | RateLimited | QueueFull)

"""The cluster `local`: workers on this machine, started once for this process, and the address of any other."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from ..errors import ClusterUnavailable, MissingExtra, format_count
from ..providers.http.hosts import is_loopback

INSTALL: Final = 'pip install "flux-magic[dask]"'

_SECURE: Final = ("tls", "wss", "inproc", "gateway")
"""The schemes of addresses that others on the network cannot read."""

_lock: Final = threading.Lock()


@dataclass(slots=True)
class _Local:
    """The cluster of this process, and the process that started it: a forked child does not own it."""

    cluster: Any = None
    process: int = 0


_local: Final = _Local()


@dataclass(frozen=True, slots=True)
class Place:
    """A scheduler: its address, and Dask's own Security for it, or None for that of Dask's configuration."""

    address: str
    security: Any = None

    @property
    def is_encrypted(self) -> bool:
        """True if others on the network cannot read what is sent."""
        return self.address.partition("://")[0] in _SECURE

    def is_here(self, addresses: Iterable[str]) -> bool:
        """Return True if the scheduler and all who have these addresses are on this machine."""
        each = [address.partition("://") for address in (self.address, *addresses)]
        return all(scheme == "inproc" or is_loopback(rest.rpartition(":")[0].strip("[]")) for scheme, _, rest in each)


def require_distributed() -> None:
    """Raise MissingExtra if Dask's package `distributed` is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as exc:
        raise MissingExtra(f"a cluster needs {exc.name}, which is not installed: {INSTALL}") from None


def describe_start(given: Any) -> str:
    """Return what happens before a cluster answers, in words for the user."""
    if given != "local":
        return "connecting to Dask"
    if _local.cluster is not None and _has_workers(_local.cluster):
        return "connecting to workers on this machine"
    from distributed.deploy.utils import nprocesses_nthreads

    return f"starting {format_count(nprocesses_nthreads()[0], 'worker')} on this machine"


def find_place(given: Any) -> Place:
    """Return the scheduler that is meant; `local` is started for it, so this may take some seconds.

    Raises ClusterUnavailable for a Client or a cluster that is closed, and if `local` does not start.
    """
    if given == "local":
        return _find(_start())
    return Place(given.rstrip("/")) if isinstance(given, str) else _find(given)


def _find(given: Any) -> Place:
    """Return the scheduler of a Client or a cluster of Dask."""
    status = str(getattr(getattr(given, "status", ""), "name", getattr(given, "status", "")))
    address = getattr(given, "scheduler_address", None) or getattr(getattr(given, "scheduler", None), "address", None)
    if not address or status in {"closed", "closing", "failed"}:
        raise ClusterUnavailable(f"the {type(given).__name__} of Dask is closed", "Give one that is connected.")
    return Place(str(address), getattr(given, "security", None))


def _start() -> Any:
    with _lock:
        cluster = _local.cluster if _local.process == os.getpid() else None
        if cluster is not None and _has_workers(cluster):
            return cluster
        _close(cluster)
        from distributed import LocalCluster

        try:
            with _hide_interrupts():
                # Another cluster may have the usual port of the dashboard.
                started: Any = LocalCluster(dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL)
        except (OSError, RuntimeError, ValueError) as exc:
            reason = " ".join(str(exc).split())[:200]
            raise ClusterUnavailable(
                f"the local cluster does not start: {reason}",
                'A script needs its calls under: if __name__ == "__main__":',
            ) from exc
        _local.cluster, _local.process = started, os.getpid()
        return started


def _has_workers(cluster: Any) -> bool:
    """Return True if a worker runs, or is started again by the one who watches it."""
    alive = {"init", "starting", "running"}
    return cluster.status.name == "running" and any(one.status.name in alive for one in cluster.workers.values())


@contextmanager
def _hide_interrupts() -> Iterator[None]:
    """Let what is started within the block get no Ctrl-C, which the terminal and Jupyter send to all of a group.

    The mask of a thread is that of its processes and threads, so also of a worker that is started later.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start would take the mask away
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def close_local() -> bool:
    """End the workers of `local`, and with them what they have loaded; returns True if there were any."""
    with _lock:
        cluster, _local.cluster = _local.cluster, None
        if cluster is None or _local.process != os.getpid():
            return False
        _close(cluster)
        return True


def _close(cluster: Any) -> None:
    """End a cluster; what does not end in time is killed by Dask when this process ends."""
    if cluster is not None:
        with suppress(Exception):  # a worker that is being started again, or is gone
            cluster.close(timeout=10)


atexit.register(close_local)

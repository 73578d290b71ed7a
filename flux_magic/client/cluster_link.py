"""A connection to a Dask scheduler, on the caller's own loop: which workers there are, and what they answer."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import pickle
import uuid
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..errors import ClusterError, ClusterUnavailable, FluxError, list_few
from ..parameters.settings import Settings
from ..providers import local
from ..records.record import get_version
from ..types import fit_one_line
from .cluster_local import Place, find_place
from .cluster_order import SPACE_SECRET

if TYPE_CHECKING:
    from .cluster_order import Answer

TOPIC: Final = f"flux_magic-{uuid.uuid4().hex}"
"""The topic of the workers' progress for this process: one name, since a scheduler keeps each that it has heard."""

_CONNECT: Final = 10.0
"""Seconds that a scheduler has to answer."""

_LARGE: Final = 5 * 10**6
"""Bytes of a task above which Dask may advise to send data in another way."""

_NOISY: Final = ("distributed.client", "distributed.core", "distributed.comm.tcp", "tornado.application")


class Killed(Exception):
    """The workers died on which a task was tried, as often as the scheduler allows."""


@dataclass(eq=False, slots=True)
class Link:
    """A connection that is open.

    Attributes:
        client: Dask's, asynchronous.
        place: the scheduler.
        run: the name of the caller's run.
        workers: their addresses, with what the scheduler knows of them.
        is_here: True if the scheduler and all workers are on this machine.
        secrets: the settings that the scheduler keeps for the workers, by name.
    """

    client: Any
    place: Place
    run: str
    workers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_here: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    async def open(cls, settings: Settings, run: str, on_message: Callable[[Mapping[str, Any]], None]) -> Link:
        """Connect to the cluster of the settings; each message of a worker is handed to a function.

        Raises ClusterUnavailable.
        """
        place = await asyncio.to_thread(find_place, settings.cluster)
        link = cls(await _connect(place), place, run)
        try:
            link.client.subscribe_topic(TOPIC, lambda event: on_message(event[1]))
            link.is_here = place.is_here([await link.look(), *link.workers])
            secrets = _pick_secrets(settings) | ({SPACE_SECRET: local.shared.secret} if link.is_here else {})
            if link.is_private and secrets:
                await link._open_variable().set(secrets)
                link.secrets = secrets
        except BaseException as exc:
            await link.close()
            if isinstance(exc, OSError):
                raise link.make_lost() from exc
            raise
        return link

    @property
    def is_private(self) -> bool:
        """True if no other machine can read what is sent: it is encrypted, or all are on this one."""
        return self.is_here or self.place.is_encrypted

    def _open_variable(self) -> Any:
        """Return the place at the scheduler from which workers take the secrets: no task and no page shows it."""
        from distributed import Variable

        return Variable(f"flux_magic-{self.run}", client=self.client)

    async def look(self) -> str:
        """Take in which workers there are, and return the scheduler's own address. Raises OSError if it is lost."""
        known = await self.client.scheduler.identity(n_workers=-1)
        self.workers = known["workers"]
        return str(known["address"])

    def count_slots(self, *, of_gpus: bool) -> int:
        """Return how many tasks run at once: a thread each, or a GPU if the workers name theirs."""
        threads = sum(int(one["nthreads"]) for one in self.workers.values())
        return (self.count_gpus() if of_gpus else 0) or threads

    def count_gpus(self) -> int:
        """Return how many GPUs the workers name, by `dask worker --resources "GPU=1"`."""
        return sum(int(one.get("resources", {}).get("GPU", 0)) for one in self.workers.values())

    async def ask(self, call: bytes, key: str, *, on_gpu: bool, avoid: Collection[str]) -> Answer:
        """Return what a worker answers to a task, one that is not to be avoided if there is another.

        If the caller is cancelled, the task is dropped. Raises ClusterUnavailable, Killed, and what the task raises.
        """
        from distributed.scheduler import KilledWorker

        others = [one for one in self.workers if one not in avoid] if avoid else []
        where = {"workers": others, "allow_other_workers": True} if others else {}
        where |= {"resources": {"GPU": 1}} if on_gpu and self.count_gpus() else {}
        with _hush(call):
            future = self.client.submit(pickle.loads, call, key=key, pure=False, **where)
        try:
            answer: Answer | FluxError = pickle.loads(await future)  # noqa: S301 - of a worker of the user's
        except concurrent.futures.CancelledError as exc:
            raise self.make_lost() from exc
        except KilledWorker as exc:
            raise Killed from exc
        except ModuleNotFoundError as exc:
            raise await self._explain_missing(str(exc.name)) from None
        finally:
            future.release()
        if isinstance(answer, FluxError):
            raise answer
        return answer

    async def _explain_missing(self, name: str) -> ClusterUnavailable:
        """Return the error for a module that a task did not find, with the workers that lack it."""

        def lacks_it() -> bool:
            from importlib.util import find_spec

            try:
                return find_spec(name) is None
            except ImportError:  # it lacks the package around it
                return True

        each: Mapping[str, bool] = {}
        with suppress(OSError, asyncio.TimeoutError):
            each = await asyncio.wait_for(self.client.run(lacks_it, on_error="ignore"), _CONNECT)
        listed = ", ".join(list_few([address for address, is_so in each.items() if is_so], 4))
        who = f"the worker {listed}" if listed else "a worker"
        if name == "flux_magic":
            again = f"Install it there as well: pip install flux-magic=={get_version()}"
            return ClusterUnavailable(f"no flux_magic is installed on {who}", again)
        if name.startswith("flux_magic."):
            return ClusterUnavailable(f"another version of flux_magic is installed on {who}", "Install the same there.")
        what = f"the module {name}, which the provider needs, is not installed on {who}"
        return ClusterUnavailable(what, "Install it there as well.")

    def hide_secrets(self, settings: Settings, *, is_paid: bool) -> list[str]:
        """Return the settings that do not travel with a task. Raises ClusterUnavailable if one cannot travel at all.

        A token may be left out, since a worker may have one of its own; not if it says whose account is billed.
        """
        secrets = _pick_secrets(settings)
        others = [name for name in secrets if name != "token" or is_paid]
        if others and not self.is_private:
            what = "token" if others[0] == "token" else f"password in the address of the {others[0]}"
            raise ClusterUnavailable(
                f"the {what} is not sent to {self.place.address}, which is not encrypted",
                "Use a scheduler with tls://, or leave it out and set it on the workers.",
            )
        return [*secrets]

    def make_lost(self) -> ClusterUnavailable:
        """Return the error for a connection that broke."""
        return ClusterUnavailable(
            f"the connection to the scheduler at {self.place.address} was lost",
            "What was finished is kept. Run it again, to make what is missing.",
        )

    async def close(self) -> None:
        """Close the connection: the scheduler drops its tasks, and what they were to know."""
        with _quiet_logs(), suppress(Exception):  # it may be lost already
            if self.secrets and self.client.status == "running":
                self._open_variable().delete()
            await self.client.close(timeout=2)


async def _connect(place: Place) -> Any:
    """Return Dask's client. Raises ClusterUnavailable."""
    from distributed import Client

    client: Any = None
    options: dict[str, Any] = {"security": place.security, "timeout": _CONNECT, "name": "flux_magic"}
    with _quiet_logs():
        try:
            client = Client(place.address, asynchronous=True, set_as_default=False, **options)
            await client
        except BaseException as exc:
            if client is not None:
                with suppress(Exception):
                    await client.close(timeout=1)
            if isinstance(exc, OSError | ValueError | TypeError | RuntimeError | ImportError):
                raise _explain_failed(place.address, exc) from exc
            raise
    return client


def _explain_failed(address: str, exc: Exception) -> ClusterUnavailable:
    why = fit_one_line(str(exc), 160)
    if isinstance(exc, TypeError) or "ssl" in why.lower():
        return ClusterUnavailable(
            f"{address} needs certificates that fit: {why}",
            "They are in Dask's own configuration, distributed.comm.tls: ca-file, client.cert, client.key.",
        )
    return ClusterUnavailable(
        f"no scheduler answers at {address}: {why}",
        "Is the address right, and the scheduler running? `dask scheduler` starts one.",
    )


def _pick_secrets(settings: Settings) -> dict[str, str]:
    """Return the settings that are secret, by name: the token, and addresses with a password in them."""
    found = {name: getattr(settings, name) for name in ("token", "proxy", "space")}
    return {name: value for name, value in found.items() if value and (name == "token" or "@" in value)}


def make_died() -> ClusterError:
    """Return the error of an image whose workers died."""
    return ClusterError("every worker died that began to make it", "Had they too little memory? Their logs say more.")


@contextmanager
def _hush(call: bytes) -> Iterator[None]:
    """Let Dask give no advice on a task that is large, as an image goes in."""
    if len(call) < _LARGE:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        yield


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Drop the lines of Dask's client on its connection within the block: an error says it in one."""

    def drop(_record: logging.LogRecord) -> bool:
        return False

    for name in _NOISY:
        logging.getLogger(name).addFilter(drop)
    try:
        yield
    finally:
        for name in _NOISY:
            logging.getLogger(name).removeFilter(drop)

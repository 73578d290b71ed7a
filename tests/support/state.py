"""The state of this process that a test must leave as it found it, and the differences in words."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flux_magic.providers import local
from tests.support.limits import PATIENCE

State = Mapping[str, Mapping[Any, object]]
"""Named parts, each with members that can be compared."""

_RUN, _SHARED = asyncio.run, local.shared
_SIGNALS = (signal.SIGINT,)  # nbclient puts the default in place of what coverage does at SIGTERM
SESSION = "session"
"""A thread with a name that begins so belongs to a fixture of the session."""

_FOR_GOOD = (SESSION, "execnet", "tqdm", "IPythonHistorySavingThread", "Dummy", "Dask-Offload")
"""Threads that a library starts once for the process, by how their names begin."""
_HELPERS = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
"""Processes of the same kind."""


def take_state() -> State:
    """Return what there is now; a module of the package that is not loaded has no state."""
    return {
        "the environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "the folder": {"": Path.cwd()},
        "a signal's handler": {number.name: signal.getsignal(number) for number in _SIGNALS},
        "a thread": {one: one.name for one in threading.enumerate() if _may_end(one)},
        "a process": dict(_list_children()),
        "asyncio": {"is patched": asyncio.run is not _RUN},
        "flux_magic": dict(_list_package()),
    }


def _may_end(thread: threading.Thread) -> bool:
    """Return True if a test that started this thread must end it; the runner's is looked at by itself."""
    is_tqdm = type(thread).__name__ == "TMonitor"  # it has no name before tqdm 4.67
    return thread.name != "flux_magic" and not thread.name.startswith(_FOR_GOOD) and not is_tqdm


def find_left(before: State) -> list[str]:
    """Return what is not as it was, a line each, once what is about to end has ended."""
    for thread in set(threading.enumerate()) - set(before["a thread"]):
        if not thread.daemon and _may_end(thread):
            thread.join(PATIENCE)
    end = time.monotonic() + 5
    while (found := list(_compare(before, take_state()))) and time.monotonic() < end and _is_ending(found):
        time.sleep(0.01)
    return found


def _is_ending(found: list[str]) -> bool:
    """Return True if only threads and processes differ: they take a moment to end."""
    return all(line.startswith(("a thread", "a process")) for line in found)


def _compare(before: State, now: State) -> Iterator[str]:
    for part, members in now.items():
        earlier = before[part]
        for name in {**earlier, **members}:
            if members.get(name) == earlier.get(name) or (part == "flux_magic" and name not in earlier):
                continue
            if part in {"a thread", "a process"}:
                if name in members:
                    yield f"{part}: {members[name]}"
            elif part == "the environment":
                yield f"{part}: {name}"
            else:
                yield f"{part}: {name} was {earlier.get(name)!r}, is {members.get(name)!r}"


def _list_children() -> Iterator[tuple[int, str]]:
    for listed in Path("/proc/self/task").glob("*/children"):
        try:
            for pid in map(int, listed.read_text().split()):
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                if not any(helper in command for helper in _HELPERS):
                    yield pid, command.replace(b"\0", b" ").decode(errors="replace")[:200]
        except OSError:  # it has ended
            continue


def _list_package() -> Iterator[tuple[str, object]]:
    modules = sys.modules
    yield "local.shared", local.shared
    yield "the shared Space's process", _SHARED.pid  # a fixture's own may start at its first use
    if runner := modules.get("flux_magic.client.runner"):
        thread = runner.background._thread
        yield "the runner's thread", thread and thread.is_alive() and "alive"
        yield "what the runner keeps", len(runner.background._kept)
    if underway := modules.get("flux_magic.client.underway"):
        yield "jobs under way", len(underway.list_underway())
    if settings := modules.get("flux_magic.parameters.settings"):
        yield "settings._configured", settings._configured
    if errors := modules.get("flux_magic.errors"):
        yield "FluxError.verbose", errors.FluxError.verbose
    if api := modules.get("flux_magic.client.blocking"):
        yield "the history's length", len(api.history)
    if extension := modules.get("flux_magic.jupyter.extension"):
        yield "loaded extensions", len(extension._loaded)
    if hub := modules.get("flux_magic.providers.gradio.hub"):
        yield "what the Hub said", dict(hub._answers)
    if shell := modules.get("IPython.core.interactiveshell"):
        yield "IPython's shell", shell.InteractiveShell._instance

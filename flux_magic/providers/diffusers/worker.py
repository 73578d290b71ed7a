"""The one thread that loads and runs pipelines, and the one pipeline that it keeps."""

from __future__ import annotations

import atexit
import concurrent.futures
import os
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from .loading import Loaded

T = TypeVar("T")

_AT_EXIT: Final = 10.0
"""Seconds that Python waits for a step to end before it exits."""


class Worker:
    """A thread with a queue of tasks, started at the first.

    Attributes:
        loaded: the pipeline that is kept; only the thread itself may use it.
        stopping: set when Python exits: a pipeline that runs ends with its step.
    """

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self.loaded: Loaded | None = None
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def has_started(self) -> bool:
        """True if the thread runs."""
        return self._thread is not None

    def submit(self, task: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Let the thread run a task after those that came before."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(task())
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                future.set_exception(error)

        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="flux_magic diffusers", daemon=True)
                self._thread.start()
            self._tasks.put(run)
        return future

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
            del task  # it may hold a pipeline

    def release(self) -> bool:
        """Forget the pipeline, on the thread itself; returns True if there was one."""
        if self.loaded is None:
            return False
        self.loaded = None
        import gc

        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()
        return True

    def close(self) -> None:
        """End the thread with the step that runs, and forget the pipeline."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is None:
                return
            self.stopping.set()
            self._tasks.put(None)
        thread.join(_AT_EXIT)
        self._restart()


worker: Final = Worker()
"""The one worker of this process."""

atexit.register(worker.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=worker._restart)  # noqa: SLF001 - the thread is the parent's


def unload_soon() -> concurrent.futures.Future[bool] | None:
    """Free the memory of the pipeline that is loaded when what runs has ended; None if there never was one."""
    return worker.submit(worker.release) if worker.has_started else None

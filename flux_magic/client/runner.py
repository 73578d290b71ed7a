"""Runners of asynchronous code for a caller that blocks: a cell, a script, a thread.

The one background loop lives on a daemon thread. So it works whether or not the caller has a running loop, and also
inside a cell that awaits. It never prints or displays anything.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import queue
import selectors
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager, suppress
from typing import Any, Protocol, TypeVar

from ..errors import InvalidArgument, Stopped, WouldDeadlock, show_value
from .log_output import output

T = TypeVar("T")
Kept = AbstractAsyncContextManager[Any]

SLICE = 0.2
"""Seconds between two checks for an interrupt: on Windows nothing else lets one in."""

UNWIND = 0.5
"""Seconds that an interrupted caller waits for its work to end; after these it ends in the background."""

AHEAD = 16
"""Items of a generator that may wait for a slow caller; beyond these the generator waits."""

_END = object()


class Runner(Protocol):
    """A way to run coroutines from code that blocks."""

    def run(self, coroutine: Coroutine[Any, Any, T], keep: Kept | None = None) -> T:
        """Return the coroutine's result. An interrupt cancels it. For `keep` see `iterate`."""

    def iterate(
        self, events: AsyncGenerator[T, None], ahead: int = AHEAD, keep: Kept | None = None
    ) -> Generator[T | None, None, None]:
        """Yield the generator's items as they come; None about every 0.2 s while there are no items.

        At most `ahead` items are taken from it before the caller takes them. It is closed at the end, also if the
        caller stops early or is interrupted. A loop that lives on enters `keep` before, once, until it ends or releases
        it.
        """


class ThreadRunner:
    """One loop on a daemon thread, started at the first use."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._kept: dict[int, Kept] = {}

    def submit(self, coroutine: Coroutine[Any, Any, T], keep: Kept | None = None) -> concurrent.futures.Future[T]:
        """Start the coroutine on the loop. Raises WouldDeadlock on the loop's own thread. For `keep` see `iterate`."""
        try:
            self.refuse_own_thread()
            loop = self._ensure_started()
        except RuntimeError:
            coroutine.close()
            raise
        if keep is not None:
            asyncio.run_coroutine_threadsafe(self.keep(keep), loop)
        return asyncio.run_coroutine_threadsafe(coroutine, loop)

    def is_own_thread(self) -> bool:
        """Return True on the loop's own thread."""
        return threading.current_thread() is self._thread

    def refuse_own_thread(self) -> None:
        """Raise WouldDeadlock on the loop's own thread, on which a wait for the loop would never end."""
        if self.is_own_thread():
            raise WouldDeadlock("a blocking call on flux_magic's own loop would wait for itself: use await instead")

    def run(self, coroutine: Coroutine[Any, Any, T], keep: Kept | None = None) -> T:
        if not asyncio.iscoroutine(coroutine):
            raise InvalidArgument(
                f"{show_value(coroutine)} is not a coroutine: call the async function, as in run(main())"
            )
        result: list[T] = []

        async def once() -> AsyncGenerator[None, None]:
            result.append(await coroutine)
            yield

        try:
            for _ in self.iterate(once(), keep=keep):
                pass
        finally:
            coroutine.close()
        return result[0]

    def iterate(
        self, events: AsyncGenerator[T, None], ahead: int = AHEAD, keep: Kept | None = None
    ) -> Generator[T | None, None, None]:
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        unwound = threading.Event()
        room, full = asyncio.Event(), threading.Event()

        async def pump() -> None:
            try:
                async with aclosing(events):
                    if keep is not None:
                        await self.keep(keep)
                    async for event in events:
                        inbox.put(event)
                        full.set()  # set before the count is read: otherwise the caller may not wake the generator
                        while inbox.qsize() >= ahead:
                            await room.wait()
                            room.clear()
                        full.clear()
            finally:
                unwound.set()
                inbox.put(_END)

        with _stop_at_exit():
            future, loop = self.submit(pump()), self._ensure_started()
        try:
            while True:
                # Not in the loop's condition, where CPython 3.13.0 lets an interrupt past the `finally`.
                event = _take_next(inbox)
                if full.is_set():
                    with suppress(RuntimeError):  # the loop has ended
                        loop.call_soon_threadsafe(room.set)
                if event is _END:
                    break
                yield event
            with _stop_at_exit():
                future.result()
        finally:
            if not future.done():
                future.cancel()
                unwound.wait(UNWIND)

    async def keep(self, resource: Kept) -> None:
        """Enter `resource` on this loop, once; it is exited when it is released or the loop ends."""
        if not self.has(resource):
            self._kept[id(resource)] = resource
            await resource.__aenter__()

    def has(self, resource: Kept) -> bool:
        """Return True if `resource` is kept."""
        return id(resource) in self._kept

    async def release(self, resource: Kept) -> None:
        """Exit a kept resource."""
        if self._kept.pop(id(resource), None) is not None:
            await resource.__aexit__(None, None, None)

    def release_soon(self, resource: Kept) -> None:
        """Exit a kept resource, from any thread, without a wait and without a lock, as a finalizer requires."""
        loop = self._loop
        if loop is not None and self.has(resource):
            leaving = self.release(resource)
            try:
                asyncio.run_coroutine_threadsafe(leaving, loop)
            except RuntimeError:  # the loop has ended, and what it kept with it
                leaving.close()

    def _ensure_started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = _make_loop()
                thread = threading.Thread(target=self._serve, args=(loop,), name="flux_magic", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # Python is ending
                    loop.close()
                    raise
                self._loop, self._thread = loop, thread
            return self._loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while not loop.is_closed():
            # A task that exits the program ends its own caller, and not the shared loop.
            with suppress(SystemExit, KeyboardInterrupt):
                loop.run_forever()
                loop.close()

    def let_go(self) -> None:
        """Start over after a fork: the child has no such thread, and the loop's connections are the parent's."""
        if self._loop is not None:
            # Otherwise each discarded connection warns that it was never closed.
            self._loop.set_exception_handler(lambda *_: None)
        self._restart()

    def close(self) -> None:
        """Cancel running tasks, exit kept resources, and end the loop and its thread."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None or not thread.is_alive():
            return
        ending = asyncio.run_coroutine_threadsafe(self._wind_up(), loop)
        with suppress(concurrent.futures.TimeoutError):
            ending.result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)

    async def _wind_up(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for resource in list(self._kept.values()):
            await self.release(resource)
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()


@contextmanager
def _stop_at_exit() -> Iterator[None]:
    """Raise Stopped in place of the RuntimeError when no thread can be started any more, as in an exit handler."""
    try:
        yield
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise
        raise Stopped("Python is exiting: no more images can be made", "Make it before the program ends.") from error


def _make_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that a forked child can discard without harm to its parent.

    The usual epoll or kqueue is shared with the child: when the child discards a connection, the parent would miss its
    events.
    """
    if hasattr(os, "fork"):
        return asyncio.SelectorEventLoop(selectors.PollSelector())
    return asyncio.new_event_loop()


def _take_next(inbox: queue.SimpleQueue[Any]) -> Any:
    try:
        return inbox.get(timeout=SLICE)
    except queue.Empty:
        return None
    finally:
        output.print_lines()


background = ThreadRunner()
"""The one background loop of this process."""


atexit.register(background.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=background.let_go)


@contextmanager
def hide_traceback() -> Iterator[None]:
    """Make a notebook show an interrupt in one line: the place of the wait helps no user."""
    try:
        yield
    except KeyboardInterrupt as stop:
        vars(stop)["_render_traceback_"] = lambda: ["KeyboardInterrupt: stopped"]
        raise


def get_runner(name: str) -> Runner:
    """Return the runner of this name: `thread` or `nest`."""
    if name == "nest":
        from .nest import NestRunner

        return NestRunner()
    return background

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from flux_magic.client import runner
from flux_magic.client.runner import ThreadRunner
from tests.support.limits import PATIENCE
from tests.unit.samples import python


@pytest.fixture
def thread() -> Iterator[ThreadRunner]:
    made = ThreadRunner()
    yield made
    made.close()


class Counter:
    """An async generator's source: counts up, and remembers that it was closed."""

    def __init__(self, items: int = 3, pause: float = 0) -> None:
        self.items, self.pause = items, pause
        self.closed = threading.Event()

    async def events(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.items):
                yield number
                await asyncio.sleep(self.pause)
        finally:
            self.closed.set()


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


async def failing() -> int:
    await asyncio.sleep(0)
    raise ZeroDivisionError("by design")


def interrupt_soon() -> threading.Timer:
    """Do what Ctrl-C does, from another thread: half a second later, so that the caller is at its wait by then."""
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    return timer


def test_a_call_as_python_ends_is_one_clear_line() -> None:
    late = """import asyncio, atexit
from flux_magic.client import runner
async def work(): return await asyncio.to_thread(int)
def late():
    try:
        runner.background.run(work())
    except Exception as error:
        print(type(error).__name__, error.message)
atexit.register(late)
runner.background.run(work())
"""
    assert python(late) == "Stopped Python is exiting: no more images can be made\n"


def test_a_coroutine_gives_its_result(thread: ThreadRunner) -> None:
    assert [thread.run(doubled(number)) for number in (1, 2)] == [2, 4]


def test_a_coroutines_error_comes_out_as_it_is(thread: ThreadRunner) -> None:
    with pytest.raises(ZeroDivisionError, match="by design"):
        thread.run(failing())


def test_a_coroutine_runs_while_a_loop_runs_here(thread: ThreadRunner) -> None:
    async def caller() -> int:
        return thread.run(doubled(4))

    assert asyncio.run(caller()) == 8


def test_all_runs_on_one_loop_of_a_daemon_thread(thread: ThreadRunner) -> None:
    async def here() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        return asyncio.get_running_loop(), threading.current_thread()

    first, second = thread.run(here()), thread.run(here())
    assert first == second
    assert first[1] is not threading.current_thread()
    assert (first[1].daemon, first[1].name) == (True, "flux_magic")


def test_no_thread_is_started_before_it_is_needed() -> None:
    before = threading.active_count()
    idle = ThreadRunner()
    idle.iterate(Counter().events())
    idle.close()
    assert threading.active_count() == before


def test_events_come_in_order_and_the_generator_is_closed(thread: ThreadRunner) -> None:
    counter = Counter()
    assert [event for event in thread.iterate(counter.events()) if event is not None] == [0, 1, 2]
    assert counter.closed.is_set()


def test_time_that_passes_is_told_by_none(thread: ThreadRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SLICE", 0.02)
    seen: list[int | None] = []

    async def waits() -> AsyncGenerator[int, None]:
        yield 0
        while seen.count(None) < 2:  # noqa: ASYNC110 - the caller fills it
            await asyncio.sleep(0.01)
        yield 1

    seen.extend(thread.iterate(waits()))
    assert [event for event in seen if event is not None] == [0, 1]


def test_a_generators_error_comes_after_its_events(thread: ThreadRunner) -> None:
    async def events() -> AsyncGenerator[int, None]:
        yield 1
        raise ZeroDivisionError

    seen: list[int | None] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(thread.iterate(events()))
    assert seen == [1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, GeneratorExit])
def test_a_caller_that_stops_closes_the_generator(thread: ThreadRunner, error: type[BaseException]) -> None:
    counter = Counter(items=9, pause=9)
    events = thread.iterate(counter.events())
    assert next(events) == 0
    with pytest.raises(error):
        events.throw(error())
    assert counter.closed.wait(PATIENCE)


def test_an_interrupt_ends_the_wait_for_events_and_closes_the_generator(thread: ThreadRunner) -> None:
    counter = Counter(items=9, pause=900)
    events = thread.iterate(counter.events())
    assert next(events) == 0
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may come at any moment from the timer's start
        timer = interrupt_soon()
        list(events)
    timer.join()
    assert counter.closed.wait(PATIENCE)


def test_an_interrupt_cancels_a_coroutine_and_the_runner_goes_on(thread: ThreadRunner) -> None:
    ended = threading.Event()
    timers: list[threading.Timer] = []

    async def endless() -> None:
        timers.append(interrupt_soon())
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        thread.run(endless())
    timers[0].join()
    assert ended.wait(PATIENCE)
    assert thread.run(doubled(3)) == 6


def test_an_interrupted_caller_does_not_wait_for_a_slow_end(
    thread: ThreadRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "UNWIND", 0.05)
    may_end, ended = threading.Event(), threading.Event()

    async def stubborn() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            while not may_end.is_set():  # noqa: ASYNC110 - another thread sets it
                await asyncio.sleep(0.01)
            ended.set()

    events = thread.iterate(stubborn())
    next(events)
    events.close()
    assert not ended.is_set()
    may_end.set()
    assert ended.wait(PATIENCE)


def test_the_loops_own_thread_may_not_wait_for_itself(thread: ThreadRunner) -> None:
    coroutine = doubled(1)

    async def inside() -> None:
        thread.submit(coroutine)

    with pytest.raises(RuntimeError, match="use await instead"):
        thread.run(inside())
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED  # so that nothing warns of it later


def test_what_is_kept_is_entered_once_and_left_when_the_loop_ends(thread: ThreadRunner) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def resource() -> AsyncIterator[None]:
        seen.append("entered")
        yield
        seen.append("left")

    kept = resource()
    thread.run(thread.keep(kept))
    thread.run(thread.keep(kept))
    assert seen == ["entered"]
    thread.close()
    assert seen == ["entered", "left"]


def test_closing_cancels_what_runs_and_ends_the_thread(thread: ThreadRunner) -> None:
    counter = Counter(items=9, pause=9)
    next(thread.iterate(counter.events()))
    future = thread.submit(asyncio.sleep(9))
    served = thread._thread
    assert served is not None
    thread.close()
    assert future.cancelled()
    assert counter.closed.is_set()
    assert not served.is_alive()


def test_closing_twice_or_before_the_first_use_does_nothing() -> None:
    unused = ThreadRunner()
    unused.close()
    assert unused.run(doubled(1)) == 2
    unused.close()
    unused.close()
    assert unused._thread is None


def test_a_closed_runner_starts_anew_when_it_is_used_again(thread: ThreadRunner) -> None:
    thread.run(doubled(1))
    thread.close()
    assert thread.run(doubled(2)) == 4


def test_the_thread_runner_is_the_one_of_the_process() -> None:
    assert runner.get_runner("thread") is runner.get_runner("thread") is runner.background


FORK = """
import os, sys
from flux_magic.client import runner
async def twice(number):
    return number * 2
first = runner.background.run(twice(1))
child = os.fork()
second = runner.background.run(twice(2))
if child == 0:
    sys.exit(0 if second == 4 else 1)
print(first, second, os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_after_a_fork_parent_and_child_have_a_loop_each() -> None:
    # Python 3.12 and later warn of any fork while there are threads: that is the caller's choice.
    assert python(FORK, "-W", "ignore::DeprecationWarning") == "2 4 0\n"


def test_a_coroutine_that_exits_the_program_does_so_in_its_caller_and_the_loop_lives_on(thread: ThreadRunner) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def stay() -> str:
        return "here"

    with pytest.raises(SystemExit):
        thread.run(leave())
    assert thread.run(stay()) == "here"


def test_what_was_kept_is_kept_again_after_an_end(thread: ThreadRunner) -> None:
    seen: list[str] = []

    class Resource:
        async def __aenter__(self) -> None:
            seen.append("in")

        async def __aexit__(self, *_: object) -> None:
            seen.append("out")

    kept = Resource()
    for _ in range(2):
        thread.run(thread.keep(kept))
        thread.close()
    assert seen == ["in", "out", "in", "out"]


def test_a_coroutine_that_cannot_be_run_here_is_closed(thread: ThreadRunner) -> None:
    async def nothing() -> None:
        pass

    async def inside() -> None:
        thread.run(nothing())

    with pytest.raises(RuntimeError, match="would wait for itself"):
        thread.run(inside())
    gc.collect()  # a coroutine never awaited is a warning, and so an error

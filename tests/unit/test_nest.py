"""The runner on the caller's own loop, each time in a process of its own: nest-asyncio patches all of asyncio."""

from __future__ import annotations

import pytest

from tests.unit.samples import python

HEAD = """
import asyncio, signal, threading
from flux_magic.client import runner
nest = runner.get_runner("nest")
async def twice(number):
    await asyncio.sleep(0)
    return number * 2
async def fail():
    await asyncio.sleep(0)
    return 1 / 0
async def count(items, pause=0, fail=False, stops=False):
    try:
        for number in range(items):
            if stops:
                interrupt_soon()
            yield number
            await asyncio.sleep(pause)
        if fail:
            1 / 0
    finally:
        print("closed")
def interrupt_soon():
    # To this very thread: a loop that waits for its sockets does not see a signal that another one took.
    me = threading.get_ident()
    threading.Timer(0.5, signal.pthread_kill, [me, signal.SIGINT]).start()
"""

CLIENT = """
import flux_magic
for name in ("nest", "thread"):
    try:
        flux_magic.Client(runner=name, replay="only").generate("a fox", seed=1, quiet=True)
    except flux_magic.NotInStore:
        print(name, "flux_magic" in [thread.name for thread in threading.enumerate()])
"""

MADE_ANEW = "runner.get_runner('nest').run(twice(5))"

INTERRUPT = """
async def wait():
    interrupt_soon()
    await asyncio.sleep(900)
try:
    nest.run(wait())
except KeyboardInterrupt:
    print("interrupted", nest.run(twice(1)))
"""

INTERRUPTED_EVENTS = """
try:
    list(nest.iterate(count(9, 900, stops=True)))
except KeyboardInterrupt:
    print("interrupted", nest.run(twice(1)))
"""

LATE = """
import flux_magic.client.nest
flux_magic.client.nest.SLICE = 0.02
events = []
async def late():
    yield 0
    while events.count(None) < 2:
        await asyncio.sleep(0.01)
events.extend(nest.iterate(late()))
print(events[0], "late")
"""


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        pytest.param("print(nest.run(twice(2)))", "4", id="a result"),
        pytest.param("print(list(nest.iterate(count(3))))", "closed [0, 1, 2]", id="events"),
        pytest.param(
            "async def main(): print(nest.run(twice(3)))\nasyncio.run(main())", "6", id="inside a running loop"
        ),
        pytest.param(f"threading.Thread(target=lambda: print({MADE_ANEW})).start()", "10", id="in a thread"),
        pytest.param(
            "async def cell(): print(asyncio.run(twice(4)))\nasyncio.run(cell())", "8", id="a script's own asyncio.run"
        ),
        pytest.param(LATE, "0 late", id="time that passes"),
        pytest.param("try: nest.run(fail())\nexcept ZeroDivisionError: print('failed')", "failed", id="an error"),
        pytest.param(
            "try: list(nest.iterate(count(2, fail=True)))\nexcept ZeroDivisionError: print('failed')",
            "closed failed",
            id="a generator's error",
        ),
        pytest.param(
            "events = nest.iterate(count(9, 9))\nprint(next(events))\nevents.close()", "0 closed", id="a stop"
        ),
        pytest.param(
            "events = nest.iterate(count(9, 9))\nprint(next(events), next(events))\nevents.close()",
            "0 None closed",
            id="a stop while it waits",
        ),
        pytest.param(CLIENT, "nest False thread True", id="a client's"),
        pytest.param(INTERRUPT, "interrupted 2", id="an interrupt"),
        pytest.param(INTERRUPTED_EVENTS, "closed interrupted 2", id="an interrupt between events"),
    ],
)
def test_the_nest_runner_runs_on_the_callers_own_loop(code: str, printed: str) -> None:
    assert python(f"{HEAD}\n{code}", "-W", "ignore::DeprecationWarning").split() == printed.split()


def test_the_first_nest_runner_may_be_made_in_a_thread_that_has_no_loop() -> None:
    head = HEAD.replace('nest = runner.get_runner("nest")', "")
    code = f"{head}\nthreading.Thread(target=lambda: print({MADE_ANEW})).start()"
    assert python(code, "-W", "ignore::DeprecationWarning") == "10\n"

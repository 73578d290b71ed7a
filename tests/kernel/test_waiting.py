"""The wait: a bar that leaves nothing, Interrupt, and cells that stand behind."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import pytest

from flux_magic import AsyncClient
from flux_magic.client.runner import UNWIND
from tests.support.hostile import PICTURE, Answer, answer_json, answer_stream, format_message, run_hostile_beside
from tests.support.kernel import Kernel, run_kernel

ipykernel = tuple(int(part) for part in version("ipykernel").split(".")[:2])


def test_the_wait_is_visible_and_leaves_nothing(kernel: Kernel, slow_space: str) -> None:
    cell = kernel.run_ok(f"%flux --steps 9 --size 256x256 --space {slow_space} a fox")
    said = [update["data"].get("text/plain", "") for update in cell.updates]
    assert any(re.fullmatch("step [1-9] of 9", text) for text in said)
    assert cell.outputs[0]["data"] == cell.updates[-1]["data"] == {}
    assert (cell.stdout, cell.stderr) == ("", "")


def test_the_first_image_says_that_the_local_space_starts(kernel: Kernel) -> None:
    cell = kernel.run_ok("%flux --space local --size 256x256 a fox")
    again = kernel.run_ok("%flux --space local --size 256x256 a fox")
    first, second = ([update["data"].get("text/plain") for update in one.updates] for one in (cell, again))
    assert "starting the local Space" in first
    assert "starting the local Space" not in second


def test_quiet_shows_no_bar(kernel: Kernel, slow_space: str) -> None:
    cell = kernel.run_ok(f"%flux --steps 3 --size 256x256 --quiet --space {slow_space} a fox")
    assert len(cell.outputs) == 2
    assert not cell.updates


def assert_interrupted_at_once(kernel: Kernel, code: str, after: float) -> None:
    """Interrupt a cell, and then one that only sleeps: in one of three tries the machine is as busy for both."""
    tries = []
    for _ in range(3):
        tries.append((interrupted(kernel, code, after), interrupted(kernel, "import time; time.sleep(600)", 0.1)))
        if tries[-1][0] < 5 * tries[-1][1] + UNWIND + 1:
            return
    raise AssertionError(f"seconds to the end, and of a cell that sleeps: {tries}")


def interrupted(kernel: Kernel, code: str, after: float) -> float:
    """Run a cell, interrupt it, and return the seconds that it took to end."""
    sent = kernel.send(code)
    kernel.wait_until_begun(sent)
    time.sleep(after)
    begin = time.monotonic()
    kernel.interrupt()
    cell = kernel.wait(sent)
    seconds = time.monotonic() - begin
    assert cell.status == "error"
    assert "KeyboardInterrupt" in cell.error
    assert cell.traceback.count("\n") < 3 or "sleep(600)" in code
    return seconds


@pytest.mark.parametrize("after", [pytest.param(0.3, id="early"), pytest.param(1.5, id="running")])
def test_an_interrupt_ends_the_cell_and_the_next_one_works(kernel: Kernel, slow_space: str, after: float) -> None:
    assert_interrupted_at_once(kernel, f"%flux --steps 40 --space {slow_space} a fox", after)
    assert kernel.run_ok("%flux --size 256x256 a fox").get_shown("image/png")


def test_an_interrupt_ends_generate_and_run_too(kernel: Kernel, slow_space: str) -> None:
    kernel.run_ok("import asyncio, flux_magic")
    assert_interrupted_at_once(kernel, f"flux_magic.generate('a fox', steps=40, space='{slow_space}')", 1)
    assert_interrupted_at_once(kernel, "flux_magic.run(asyncio.sleep(900))", 0.5)
    assert kernel.run_ok("print(flux_magic.run(asyncio.sleep(0, 'done')))").stdout == "done\n"


def test_what_is_finished_is_shown_when_the_rest_is_interrupted(kernel: Kernel, space: str) -> None:
    many = f"%flux -n 9999 --yes --output many --size 256x256 --space {space} a fox"
    # Each image is shown as soon as it is made, and the bar moves below it.
    cell = kernel.run_interrupted(many, when=lambda cell: cell.outputs[3:] and not cell.outputs[-1]["data"])
    kinds = ["image" if "image/png" in one["data"] else "table" if one["data"] else "bar" for one in cell.outputs]
    assert re.fullmatch("(bar )?(image table (bar )?)+", f"{' '.join(kinds)} ")
    assert kinds.count("bar") <= kinds.count("image") + 1
    made = len(cell.get_shown("image/png"))
    assert cell.notes == [f"note: {made} of 9999 images {'was' if made == 1 else 'were'} made"]
    assert kernel.run_ok("print(len(many))").stdout == f"{made}\n"


def test_run_all_runs_every_queued_cell(kernel: Kernel) -> None:
    sent = [kernel.send(f"%flux --size 256x256 --seed {seed} a fox") for seed in range(4)]
    assert [kernel.wait(one).status for one in sent] == ["ok"] * 4


def test_a_cell_may_await_and_make_images(kernel: Kernel) -> None:
    cell = kernel.run_ok(
        "import asyncio\nawait asyncio.sleep(0.01)\nget_ipython().run_line_magic('flux', '--size 256x256 a fox')"
    )
    assert cell.get_shown("image/png")
    client = (
        "async with flux_magic.AsyncClient(width=256, height=256) as client:\n    fox = await client.generate('x')\nfox"
    )
    assert kernel.run_ok(f"import flux_magic\n{client}").get_shown("image/png")


@pytest.mark.thorough
def test_run_all_works_where_the_user_applied_nest_asyncio(space: str) -> None:
    with run_kernel(FLUX_MAGIC_SPACE=space) as nested:
        nested.run_ok("import nest_asyncio; nest_asyncio.apply()\n%load_ext flux_magic")
        sent = [nested.send(f"%flux --size 256x256 --seed {seed} a fox") for seed in range(4)]
        assert [nested.wait(one).status for one in sent] == ["ok"] * 4


def test_the_nest_runner_makes_images_on_the_kernels_own_loop(space: str) -> None:
    with run_kernel(FLUX_MAGIC_SPACE=space) as nested:
        nested.run_ok("%load_ext flux_magic")
        warned = nested.run_ok("%config FluxMagics.runner = 'nest'")
        # ipykernel 7.1 is the first on which it costs something.
        assert ["cells queued behind" in note for note in warned.notes] == [True] * (ipykernel >= (7, 1))
        assert nested.run_ok("%flux --size 256x256 a fox").get_shown("image/png")
        ran = nested.run_ok("import asyncio, threading\nasync def main():\n    return threading.current_thread().name")
        assert ran.status == "ok"
        assert nested.run_ok("import flux_magic; print(flux_magic.run(main()), asyncio.run(main()))").stdout == (
            "MainThread MainThread\n"
        )


@pytest.fixture(scope="module")
def deaf() -> Iterator[str]:
    """Yield the address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def stuck() -> Iterator[str]:
    """Yield the address of a Space whose image stops in the middle."""
    with run_hostile_beside(file=Answer(PICTURE.body[:200], kind="image/png", then="silence")) as server:
        yield server.address


@pytest.mark.parametrize("phase", ["connecting", "queued", "running", "downloading"])
def test_an_interrupt_ends_each_phase_and_leaves_the_space_free(
    kernel: Kernel, slow_space: str, deaf: str, stuck: str, phase: str
) -> None:
    where = {"connecting": deaf, "downloading": stuck}.get(phase, slow_space)
    code = f"%flux --steps 50 --size 256x256 --space {where} a fox"
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            ahead = pool.submit(occupied, slow_space) if phase == "queued" else None
            time.sleep(0.3 if ahead else 0)
            assert_interrupted_at_once(kernel, code, 0.7)
            if ahead is not None:
                ahead.result()
    kernel.run_ok(f"%flux --steps 1 --size 256x256 --space {slow_space} a fox")


def occupied(space: str) -> None:
    """Keep a Space busy for about a second and a half."""
    client = AsyncClient(space=space, width=256, height=256, steps=4)
    asyncio.run(client.generate("a lighthouse"))


def test_cancel_all_ends_a_cell_from_elsewhere(kernel: Kernel, slow_space: str) -> None:
    stop = "def stop():\n    while not flux_magic.cancel_all():\n        time.sleep(0.1)"
    kernel.run_ok(f"import threading, time, flux_magic\n{stop}\nthreading.Timer(1, stop).start()")
    cell = kernel.run(f"%flux --steps 50 --size 256x256 --space {slow_space} a fox")
    assert cell.traceback == "Stopped: stopped by cancel_all()"
    assert kernel.run_ok("print(flux_magic.cancel_all())").stdout == "0\n"


def test_the_status_of_a_space_is_shown(kernel: Kernel, space: str) -> None:
    shown = kernel.run_ok(f"%flux_status {space}").stdout
    assert re.search(r"Gradio +\d+\.\d+", shown)
    assert re.search(r"--width +width +a whole number from 256 to 2048", shown)
    assert "no: ConnectionFailed" in kernel.run_ok("%flux_status http://127.0.0.1:9").stdout


@pytest.mark.thorough
def test_an_interrupt_at_any_moment_ends_the_cell_at_once(kernel: Kernel, slow_space: str) -> None:
    """24 moments, from the parsing of the line to the third image: each is a KeyboardInterrupt, and leaves nothing."""
    chance = random.Random(16)
    code = f"%flux -n 9 --steps 2 --size 256x256 --space {slow_space} a fox"
    usual = interrupted(kernel, "import time; time.sleep(600)", 0.1)
    seconds = sorted(interrupted(kernel, code, chance.uniform(0, 2)) for _ in range(24))
    assert seconds[12] < 2 * usual + 0.6  # on a busy machine one of them may be late
    assert seconds[-1] < 5 * usual + UNWIND + 1
    assert kernel.run_ok("print(flux_magic.cancel_all())").stdout == "0\n"
    assert kernel.run_ok("%flux --size 256x256 a fox").get_shown("image/png")


def test_the_log_appears_below_the_cell_at_work_and_only_if_asked_for(kernel: Kernel) -> None:
    queued = format_message("estimation", rank=2, queue_size=12)
    with run_hostile_beside(
        post=[Answer(status=503), answer_json({"event_id": "abc"})], queue=answer_stream(queued, then="silence")
    ) as at:
        hanging = f"%flux --size 256x256 --fresh --space {at.address} a fox"
        refused = kernel.run('%config FluxMagics.log_level = "LOUD"').stderr  # IPython lets the root logger print it
        assert re.fullmatch(r".*log_level stays None: .* give any of \['DEBUG', 'INFO'\].*\n", refused)
        cell = kernel.run_interrupted(hanging, lambda cell: any("in the queue" in str(one) for one in cell.updates))
        assert cell.stderr == ""
        kernel.run_ok('%config FluxMagics.log_level = "debug"')
        cell = kernel.run_interrupted(hanging, lambda cell: "event message: Queued" in cell.stderr)
        assert re.search(
            r"^[\d:.]{12} INFO job \d+: cancelled after", cell.stderr + kernel.run_ok("1").stderr, re.MULTILINE
        )
        assert {line.split()[1] for line in cell.stderr.splitlines()} == {"DEBUG", "INFO"}
        kernel.run_ok("%config FluxMagics.log_level = None")
        cell = kernel.run_interrupted(hanging, lambda cell: any("in the queue" in str(one) for one in cell.updates))
        assert cell.stderr == ""


def test_a_job_that_hangs_shows_where_while_the_main_thread_is_free(kernel: Kernel) -> None:
    with run_hostile_beside(queue=answer_stream(format_message("estimation", rank=2), then="silence")) as at:
        kernel.run_ok(
            "from flux_magic.client.debug import describe_jobs\n"
            f"options = dict(seed=3, size='256x256', space={at.address!r}, fresh=True)\n"
            "made = flux_magic.submit('a cat', **options)\n"
            "while 'Queued' not in describe_jobs(): pass"
        )
        cell = kernel.run_ok("%flux_status --debug")
        assert re.match(r"job \d+: 'a cat', seed 3, 256x256\n  Space +http://127", cell.stdout)
        assert re.search(r"\n +aiohttp/streams.py:\d+ in _wait\n$", cell.stdout)
        refused = kernel.run("%flux_status --debug local").traceback
        assert refused == "UsageError: %flux_status --debug shows the jobs of every Space: leave the Space out"
        stopped = kernel.run("flux_magic.cancel_all()\nmade.result()").traceback
        assert stopped == "Stopped: stopped by cancel_all()"
        assert kernel.run_ok("flux_magic.debug()").stdout == "no job is under way\n"

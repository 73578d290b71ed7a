"""The log and `flux_magic.debug()`: they explain a hang, and hold no secret."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

import flux_magic
from flux_magic.client import debug, runner, underway
from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import FluxError, Stopped
from flux_magic.providers import base
from flux_magic.providers.http.connection import Connection, open_session
from flux_magic.types import Queued
from tests.support import hasty
from tests.support.hostile import (
    COMPLETED,
    NO_SESSION,
    PICTURE,
    Answer,
    answer_json,
    answer_stream,
    format_message,
    run_hostile,
    run_hostile_beside,
)
from tests.support.limits import PATIENCE
from tests.support.space import make_image, run

CANARY = "hf_canaryCANARY0123"
QUEUED = format_message("estimation", rank=2, queue_size=12)
SIGNED = Answer(status=307, headers={"Location": f"/gradio_api/file=/{CANARY}/x.png?X-Signature=canary"})
FORGED = f"\x1b[2J\x9b {CANARY}\r\nforged: http://me:canary@h.example/".encode()


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Yield all that is logged, by whomever; there is no secret in it, no control, and no warning of ours."""
    hasty.hasten(monkeypatch)
    caplog.set_level(logging.DEBUG)

    def ours() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name.startswith("flux_magic.")]

    yield ours
    seen = [one for one in caplog.get_records("call") if one.name != "aiohttp.access"]  # of the server, which is ours
    told_by_us = [one for one in seen if one.name.startswith("flux_magic")]
    assert "canary" not in "".join(f"{vars(one)}" for one in seen).lower()
    assert not [one for one in told_by_us if not one.getMessage().isprintable() or one.levelno > logging.INFO]


CASES = [
    pytest.param(
        {},
        [
            "'a red fox', seed 42, 256x256, http://127",
            "no image in the store: Space http.*, key [0-9a-f]{12}$",
            "GET http://127.0.0.1:[0-9]+/config$",
            "status 200 after [0-9.]+ s: POST http.*/gradio_api/call/infer$",
            "the Space took the job: its id is abc$",
            r"GET http.*/queue/data\?…$",
            "event message: Finished$",
            "kept as .*-a-red-fox-42-.*json in",
            "done after [0-9.]+ s$",
        ],
        id="an image",
    ),
    pytest.param({"file": [SIGNED, PICTURE]}, [r"redirected from 127.* to http.*/x\.png\?…$"], id="a redirect"),
    pytest.param(
        {"post": [Answer(FORGED, 503), answer_json({"event_id": "abc"})]},
        [r"tried again in 0\.\d s: .*\*\*\* forged: http://\*\*\*@h", "took the job"],
        id="a retry, with a forged line and an echoed token",
    ),
    pytest.param(
        {"queue": [NO_SESSION, answer_stream(COMPLETED)], "call": NO_SESSION},
        ["the simple route is asked in place of the queue: the Space does not know", "submitted again in 0.0 s"],
        id="a lost job",
    ),
    pytest.param(
        {"queue": answer_stream(f"event: \x1b[2J\x9b\u202e{CANARY}\ndata: null\n\n", COMPLETED)},
        [r"event \ufffd\[2J\ufffd\ufffd\*\*\*: nothing of the job$", "done after"],
        id="a name that steers",
    ),
    pytest.param(
        {"post": Answer(FORGED, 401)}, ["not tried again: .*refused", "failed: TokenRefused: "], id="a failure"
    ),
    pytest.param(
        {"queue": answer_stream(QUEUED, then="silence"), "cancel": answer_json({})},
        [
            r"event message: Queued\(position=3, size=12",
            "no event for 0 s",
            "cancel sent for the job abc",
            "cancel answered with status 200",
            "failed: TimedOut: no image within 0.5 s",
        ],
        id="silence, a time limit and a cancel",
    ),
]


@pytest.mark.parametrize(("script", "expected"), CASES)
def test_the_log_tells_what_happens_in_order_each_line_with_its_job(
    script: dict[str, Any],
    expected: list[str],
    lines: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "_SILENCE", 0.1)
    limit = 0.5 if "cancel" in script else None

    async def work() -> None:
        async with run_hostile(**script) as server:
            with suppress(FluxError):
                await make_image(server.address, token=CANARY, timeout=limit, replay="auto", store=tmp_path)

    run(work())
    left = iter(lines())
    for pattern in expected:
        assert any(re.search(pattern, line) for line in left), f"{pattern!r} not in its place in {lines()}"
    assert len({line.partition(":")[0] for line in lines()}) == 1


def test_a_replay_and_its_reason_are_logged(lines: Callable[[], list[str]], tmp_path: Path) -> None:
    async def work() -> None:
        async with run_hostile() as server:
            for replay in ("auto", "auto", "off"):
                await make_image(server.address, store=tmp_path, replay=replay)

    run(work())
    told_of = [line.partition(": ")[2] for line in lines() if "store" in line and "kept" not in line]
    found = [
        "no image in the store: Space",
        "the image is in the store: ",
        'the store is not looked at: replay is "off"',
    ]
    assert [line.startswith(start) for line, start in zip(told_of, found, strict=True)] == [True] * 3


def test_a_proxy_is_named_without_its_password(lines: Callable[[], list[str]]) -> None:
    async def work() -> None:
        async with open_session() as session:
            proxied = Connection(session, proxy="http://me:canary@127.0.0.1:9", space="http://space.example")
            await proxied.get_text("http://space.example/x?key=canary")

    with pytest.raises(FluxError):
        run(work())
    assert lines() == ["GET http://space.example/x?… through the proxy 127.0.0.1:9"]


def test_a_job_that_hangs_shows_where(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On its own loop, from another thread, and with its loop blocked."""

    async def work() -> list[str]:
        async with run_hostile(queue=answer_stream(QUEUED, then="silence")) as server:
            client = AsyncClient(space=server.address, store=False, width=256, height=256)
            events = client.stream(flux_magic.ImageRequest(f"a {'very ' * 40}red\nfox", seed=7))
            async with aclosing(events):
                while not isinstance(await anext(events), Queued):
                    pass
                waiting = asyncio.ensure_future(anext(events))
                for _ in range(20):  # each await of another task takes one round of the loop
                    await asyncio.sleep(0)
                here, elsewhere = debug.describe_jobs(), await asyncio.to_thread(debug.describe_jobs)
                monkeypatch.setattr(debug, "_ANSWER", 0.05)
                thread = threading.Thread(target=flux_magic.debug)
                thread.start()
                thread.join()
                waiting.cancel()
                await asyncio.wait({waiting})
        return [here, elsewhere, capsys.readouterr().out]

    here, elsewhere, blocked = run(work())
    for told_of in (here, elsewhere, blocked):
        assert re.match(r"job \d+: 'a very very .{40,60}…', seed 7, 256x256\n  Space +http://127", told_of)
        assert re.search(r"\n  last event +Queued, 3rd of 12 in the queue; \d+\.\d s ago\n", told_of)
    for told_of in (here, elsewhere):
        assert re.search(
            r"flux_magic/client/async_client.py:\d+ in stream\n(.*\n)+.*aiohttp/streams.py:\d+ in _wait$", told_of
        )
    assert re.search(r"loop is blocked.*\n(.*\n)+.*test_log.py:\d+ in work\n(.*\n)*.*in join\n", blocked)
    flux_magic.debug()
    assert capsys.readouterr().out == "no job is under way\n"


def test_an_event_passes_at_most_eight_generators_from_the_socket_to_the_cell() -> None:
    with run_hostile_beside(queue=answer_stream(QUEUED, then="silence")) as server:
        made = threading.Thread(target=_stopped, args=(server.address,))
        made.start()
        end = time.monotonic() + PATIENCE
        while not [job for job in underway.list_underway() if job.last and isinstance(job.last[0], Queued)]:
            assert time.monotonic() < end
            time.sleep(0.02)
        (job,) = underway.list_underway()

        async def look() -> list[tuple[str, int]]:
            await asyncio.sleep(0.1)
            assert job.task
            return [(frame.f_code.co_name, frame.f_code.co_flags) for frame in debug.walk_awaits(job.task)]

        frames = runner.background.run(look())
        flux_magic.cancel_all()
        made.join(PATIENCE)
    names = [name for name, _ in frames]
    assert (names[0], names[-1]) == ("pump", "_wait")
    generators = [name for name, flags in frames if flags & inspect.CO_ASYNC_GENERATOR]
    assert generators[-3:] == ["stream", "read_events", "stream"]
    assert len(generators) <= 8


def _stopped(space: str) -> None:
    with pytest.raises(Stopped):
        flux_magic.generate("a fox", seed=1, size="256x256", space=space, store=False)

"""Many images at once, on a real Space and against the Hub's quota."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import Incomplete
from flux_magic.parameters.settings import resolve
from flux_magic.results.generation import Generation
from flux_magic.types import ImageRequest
from tests.support.hasty import hasten
from tests.support.hostile import (
    COMPLETED,
    NO_ANSWER,
    PICTURE,
    Answer,
    answer_json,
    answer_page,
    answer_stream,
    format_finished,
    run_hostile,
)
from tests.support.limits import PATIENCE
from tests.support.space import make_image, run

LEFT = {"base": 1500, "current": 240, "resetsAt": "2026-11-27T00:00:00Z"}


def requests(count: int, **more: Any) -> list[ImageRequest]:
    return [
        ImageRequest("a red fox", width=256, height=256, steps=2, seed=42 + number, **more) for number in range(count)
    ]


async def made(client: AsyncClient, wanted: list[ImageRequest], **options: Any) -> list[Generation]:
    return [one async for one in client.generate_many(wanted, **options)]


def test_many_at_once_are_the_images_that_each_is_alone(space: str) -> None:
    several = {one.request.seed: one.digest for one in run(made(AsyncClient(space=space), requests(8), concurrency=8))}
    assert sorted(several) == list(range(42, 50))
    assert all(several[seed] == run(make_image(space, seed=seed)).digest for seed in (42, 49))


def test_one_that_the_space_refuses_does_not_stop_the_others(space: str) -> None:
    wanted = [
        *requests(3),
        ImageRequest("a red fox", width=256, height=256, steps=60, seed=1),
        *requests(2, model="flux"),
    ]
    with pytest.raises(Incomplete, match="1 of 6 images failed; steps is 60: this Space takes 1 to 50") as failed:
        run(made(AsyncClient(space=space), wanted))
    assert list(failed.value.failures) == [3]


BAD_FILES: list[Any] = [
    pytest.param(answer_page(404), "HTTP status 404", id="404"),
    pytest.param(answer_page(502), "HTTP status 502", id="502"),
    pytest.param(answer_page(403), "refused the request", id="403"),
    pytest.param(Answer(status=429, headers={"Retry-After": "0"}), "too many requests", id="429"),
    pytest.param(NO_ANSWER, "closed the connection", id="closed"),
    pytest.param(replace(PICTURE, body=PICTURE.body[:100], then="cut"), "broke off", id="cut"),
    pytest.param(Answer(b"words", kind="image/png"), "the Space's file is", id="no image"),
    pytest.param(Answer(status=302, headers={"Location": "http://no.such.invalid/x"}), "no connection", id="no host"),
    pytest.param(Answer(status=302, headers={"Location": "http://127.0.0.1:9/x"}), "no connection", id="no server"),
]


@pytest.mark.parametrize(("bad", "words"), BAD_FILES)
def test_a_file_that_cannot_be_fetched_ends_no_other_image_of_the_run(
    bad: Answer, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)

    async def work() -> int:
        async with run_hostile(file=bad) as other:
            file = {"path": None, "url": f"{other.address}/gradio_api/file=/x.png"}
            jobs = [
                *[answer_stream(COMPLETED)] * 20,
                answer_stream(format_finished({"data": [file, 42]})),
                answer_stream(COMPLETED),
            ]
            async with run_hostile(queue=jobs) as server:
                coming = AsyncClient(space=server.address, store=False).generate_many(requests(40))
                seeds = {(await anext(coming)).request.seed for _ in range(39)}
                with pytest.raises(Incomplete, match=rf"^1 of 40 images failed; .*{words}"):
                    await anext(coming)
                return len(seeds)

    assert run(work()) == 39


def test_the_connections_of_a_client_serve_them_all(space: str) -> None:
    async def several() -> int:
        async with AsyncClient(space=space) as client:
            await made(client, requests(3), concurrency=1)
            (kept,) = client._kept.values()
            connector = kept.session.connector
            assert connector is not None
            return sum(len(idle) for idle in connector._conns.values())

    assert run(several()) == 1


# The quota


async def quota(address: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> str:
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return await AsyncClient().fetch_quota(resolve(**options))


@pytest.mark.parametrize(
    ("options", "answer", "words", "asked"),
    [
        pytest.param(
            {"space": "a/b", "token": "hf_mine"}, answer_json(LEFT), "240 of 1500 s of GPU time left", 1, id="known"
        ),
        pytest.param(
            {"space": "a/b", "token": "hf_mine"},
            answer_json({"current": 1.5, "base": "\x1b]0;x\x07", "resetsAt": "\x1b[2J"}),
            "1.5 of ? s of GPU time left, resets \ufffd[2J",
            1,
            id="controls",
        ),
        pytest.param(
            {"space": "a/b", "token": "hf_mine"}, answer_json({"current": 10**4000}), "", 1, id="a huge number"
        ),
        pytest.param({"space": "a/b"}, answer_json(LEFT), "", 0, id="no token"),
        pytest.param(
            {"space": "https://a.example", "token": "hf_mine"}, answer_json(LEFT), "", 0, id="no Space of the Hub's"
        ),
        pytest.param({"space": "local", "token": "hf_mine"}, answer_json(LEFT), "", 0, id="the local Space"),
        pytest.param(
            {"space": "a/b", "token": "hf_mine", "replay": "only"}, answer_json(LEFT), "", 0, id="nothing is asked"
        ),
        pytest.param({"space": "a/b", "token": "hf_mine"}, Answer(b"no", 500), "", 1, id="the Hub does not tell"),
    ],
)
def test_the_quota_is_told_where_it_is_known(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], answer: Answer, words: str, asked: int
) -> None:
    async def work() -> None:
        async with run_hostile("/api/spaces", quota=answer) as server:
            said = await quota(server.address, monkeypatch, **options)
            assert said.startswith(words) if words else not said
            assert server.seen.count("quota") == asked

    run(work())


def test_no_sweep_waits_long_for_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flux_magic.providers.gradio.hub.HUB_TIMEOUT", 0.1)

    async def work() -> None:
        async with run_hostile("/api/spaces", quota=Answer(then="silence")) as server:
            said = await asyncio.wait_for(quota(server.address, monkeypatch, space="a/b", token="hf_mine"), PATIENCE)
            assert not said

    run(work())

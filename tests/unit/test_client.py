from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import pytest

from flux_magic.client import underway
from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import (
    ConnectionFailed,
    EmptyResult,
    FluxError,
    Incomplete,
    InvalidRequest,
    NotAnImage,
    QuotaExceeded,
    SpaceError,
    Stopped,
    TimedOut,
)
from flux_magic.parameters import settings
from flux_magic.parameters.settings import Settings
from flux_magic.results.generation import ClientEvent, Generation
from flux_magic.results.generations import Generations
from flux_magic.types import Event, ImageRequest, Queued, Running, Waiting
from tests.support.limits import PATIENCE
from tests.support.space import run
from tests.unit.samples import encoded
from tests.unit.scripted import ADDRESS, Painter, Scripted, answer, installed, painting

REQUEST = ImageRequest("a fox", "flux", 260, 200, 4, 42)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLUX_MAGIC_SPACE", raising=False)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    return installed(monkeypatch)


async def events_of(request: ImageRequest = REQUEST, **options: Any) -> list[ClientEvent]:
    return [event async for event in AsyncClient(**options).stream(request)]


def made_by(request: ImageRequest = REQUEST, **options: Any) -> Generation:
    event = asyncio.run(events_of(request, **options))[-1]
    assert isinstance(event, Generation)
    return event


def one(prompt: str, **options: Any) -> Generation:
    made = asyncio.run(AsyncClient().generate(prompt, **options))
    assert isinstance(made, Generation)
    return made


def test_a_request_gives_the_providers_events_and_last_its_generation(provider: type[Scripted]) -> None:
    before: list[Event] = [Waiting("sending"), Queued(2, 3), Running(1, 4)]
    provider.script = [*before, answer()]
    *events, last = asyncio.run(events_of())
    assert events == before
    assert isinstance(last, Generation)
    assert last.request is REQUEST
    assert (last.data, last.url) == (encoded(), ADDRESS)
    assert provider.made[0].requests == [REQUEST]


@pytest.mark.usefixtures("provider")
def test_a_record_has_what_was_asked_for_and_what_was_run() -> None:
    made = made_by().record
    assert (made.prompt, made.seed, made.steps) == ("a fox", 42, 4)
    assert (made.model, made.requested_model, made.provider) == ("scripted-1", "flux", "Scripted")
    assert (made.requested_width, made.requested_height, made.width, made.height) == (260, 200, 256, 200)
    assert [(file.width, file.height) for file in made.files] == [(8, 6)]
    assert made.circumstances.version == version("flux-magic")


@pytest.mark.usefixtures("provider")
def test_a_record_says_when_it_was_made_and_how_long_it_took() -> None:
    made = made_by().record
    assert datetime.fromisoformat(made.circumstances.started).utcoffset() == timedelta(0)
    assert made.circumstances.seconds is not None
    assert 0 <= made.circumstances.seconds < PATIENCE


@pytest.mark.parametrize(("reported", "recorded"), [(None, 42), (7, 7), (0, 0)])
def test_the_seed_that_the_space_reports_is_the_one_recorded(
    provider: type[Scripted], reported: int | None, recorded: int
) -> None:
    provider.script = [answer(seed=reported)]
    assert made_by().seed == recorded


def test_all_files_of_a_job_are_fetched_in_order(provider: type[Scripted]) -> None:
    provider.script = [answer("http://h/b", "http://h/a")]
    provider.pictures = {"http://h/a": encoded("jpeg"), "http://h/b": encoded("webp")}
    assert [file.media_type for file in made_by().files] == ["image/webp", "image/jpeg"]


@pytest.mark.parametrize(
    ("asked", "identity", "named"),
    [
        pytest.param(None, "hf:own/space", None, id="the model's own"),
        pytest.param("own/space", "hf:own/space", None, id="the model's own, asked for"),
        pytest.param("https://own-space.hf.space/", "hf:own/space", None, id="the model's own, by its URL"),
        pytest.param("c/d", "hf:c/d", "c/d", id="another one of the Hub"),
        pytest.param("http://h.example:1/x/", "http://h.example:1/x", "http://h.example:1/x", id="a URL"),
    ],
)
def test_a_record_names_the_space_and_what_a_cell_needs_to_reach_it(
    provider: type[Scripted], asked: str | None, identity: str, named: str | None
) -> None:
    provider.space, provider.url = "own/space", "https://own-space.hf.space"
    made = made_by(space=asked).record
    assert (made.space, made.requested_space) == (identity, named)


def test_a_space_that_is_not_on_the_hub_is_named_by_its_url(provider: type[Scripted]) -> None:
    assert made_by().record.space == "https://scripted.example"
    assert provider.made[0].at == "https://scripted.example"


def test_the_space_asked_for_is_the_one_that_is_asked(provider: type[Scripted]) -> None:
    made_by(space="c/d")
    assert provider.made[0].at == "https://c-d.hf.space"


def test_a_stand_in_is_recorded_as_what_it_is(provider: type[Scripted]) -> None:
    provider.drawing = "3"
    made = made_by(space="http://127.0.0.1:1").record
    assert (made.model, made.space, made.requested_space) == ("flux_magic stand-in", "local:3", "local")
    assert made.stand_in


@pytest.mark.usefixtures("provider")
def test_inline_is_handed_on_to_the_generation() -> None:
    assert made_by(inline="jpeg").inline == "jpeg"


@pytest.mark.usefixtures("provider")
def test_a_calls_own_settings_are_those_that_count() -> None:
    own = Settings(space="c/d", store=False, replay="off")

    async def made() -> list[ClientEvent]:
        return [event async for event in AsyncClient(space="a/b").stream(REQUEST, own)]

    last = asyncio.run(made())[-1]
    assert isinstance(last, Generation)
    assert last.record.requested_space == "c/d"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param([Running()], EmptyResult, id="no answer"),
        pytest.param([Running(), SpaceError("the Space says: no")], SpaceError, id="an error on the way"),
        pytest.param([answer("http://h/page")], NotAnImage, id="no picture"),
    ],
)
def test_what_goes_wrong_comes_out_and_the_stream_is_closed(
    provider: type[Scripted], script: list[Any], error: type[Exception]
) -> None:
    provider.script = script
    provider.pictures = {ADDRESS: encoded(), "http://h/page": b"<html>"}
    with pytest.raises(error):
        made_by()
    assert provider.made[0].closed


def test_a_limit_names_itself(provider: type[Scripted]) -> None:
    provider.script = [3600.0, answer()]
    with pytest.raises(TimedOut, match=r"no image within 0\.5 s, the limit that was set"):
        made_by(timeout=0.5)
    assert all(one.closed for one in provider.made if one.requests)


def test_a_caller_that_stops_early_closes_the_providers_stream(provider: type[Scripted]) -> None:
    provider.script = [Running(), 9, answer()]

    async def first() -> ClientEvent:
        async with aclosing(AsyncClient().stream(REQUEST)) as events:
            return await anext(events)

    assert asyncio.run(first()) == Running()
    assert provider.made[0].closed


def test_within_async_with_the_connection_is_kept(provider: type[Scripted]) -> None:
    async def twice(made: AsyncClient) -> None:
        for seed in (1, 2):
            await made.generate("a fox", seed=seed)

    async def both() -> None:
        async with AsyncClient() as made:
            await twice(made)
        await twice(made)

    asyncio.run(both())
    sessions = [item.connection._session for item in provider.made]
    assert sessions[0] is sessions[1]
    assert len({id(session) for session in sessions}) == 3
    assert all(session.closed for session in sessions)


@pytest.mark.usefixtures("provider")
def test_leaving_a_client_on_a_loop_that_never_entered_it_does_nothing() -> None:
    asyncio.run(AsyncClient().__aexit__(None, None, None))


@pytest.mark.usefixtures("provider")
def test_one_image_is_a_generation_and_more_are_generations() -> None:
    assert one("a fox").prompt == "a fox"
    made = asyncio.run(AsyncClient().generate("a fox", count=3, seed=5))
    assert isinstance(made, Generations)
    assert [item.seed for item in made] == [5, 6, 7]


@pytest.mark.usefixtures("provider")
def test_a_calls_options_are_over_the_clients() -> None:
    made = asyncio.run(AsyncClient(steps=3, seed=1).generate("a fox", steps=5, width=64))
    assert isinstance(made, Generation)
    assert (made.steps, made.seed, made.request.width, made.request.height) == (5, 1, 64, 768)


def test_a_mistake_in_the_clients_options_shows_at_once() -> None:
    with pytest.raises(TypeError, match=r"AsyncClient\(\) has no argument sead: did you mean seed"):
        AsyncClient(sead=1)  # type: ignore[call-arg]  # the mistake
    with pytest.raises(InvalidRequest, match="inline is"):
        AsyncClient(inline="gif")


def test_a_client_that_is_entered_twice_keeps_one_connection_until_the_last_leaves() -> None:
    async def main() -> None:
        made = AsyncClient()
        async with made:
            (first,) = made._kept.values()
            async with made:
                (kept,) = made._kept.values()
                assert kept.session is first.session
            assert not kept.session.closed
        assert kept.session.closed

    asyncio.run(main())


# Several at once

SEVERAL = [ImageRequest("a fox", "flux", 260, 200, 4, seed) for seed in range(9)]


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> type[Painter]:
    return painting(monkeypatch)


@pytest.mark.parametrize(
    ("request_", "options", "call", "seen"),
    [
        pytest.param({}, {}, {}, ("flux", 768, 768, 3), id="%config, then the defaults"),
        pytest.param({}, {"steps": 8, "width": 64}, {}, ("flux", 64, 768, 8), id="the client's"),
        pytest.param({}, {"steps": 8, "height": 64}, {"steps": 9}, ("flux", 768, 64, 9), id="the call's"),
        pytest.param({"steps": 1, "model": ""}, {"steps": 8}, {"steps": 9}, ("", 768, 768, 1), id="its own"),
    ],
)
def test_a_request_inherits_from_the_call_the_client_and_the_configuration(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch, request_: Any, options: Any, call: Any, seen: Any
) -> None:
    monkeypatch.setattr(settings, "_configured", lambda: {"steps": 3})

    async def requests() -> list[ImageRequest]:
        made = AsyncClient(**options, store=False).generate_many([ImageRequest("a fox", **request_)] * 3, **call)
        return [generation.request async for generation in made]

    made = asyncio.run(requests())
    assert {(one.model, one.width, one.height, one.steps) for one in made} == {seen}
    assert {one.requests[0] for one in provider.made} == set(made), "a provider gets what the result tells"
    assert all(one.chosen for one in made)
    assert len({one.seed for one in made}) == 3, "each has a random seed of its own"


@pytest.mark.usefixtures("provider")
def test_a_seed_is_inherited_as_well_and_counts_as_given() -> None:
    made = made_by(ImageRequest("a fox"), seed=5)
    assert (made.request.seed, made.request.chosen, made.record.requested_seed) == (5, False, 5)
    assert not made_by(ImageRequest("a fox", randomize_seed=True)).request.chosen


async def many(requests: Iterable[ImageRequest] = SEVERAL, **options: Any) -> list[Generation]:
    return [one async for one in AsyncClient().generate_many(requests, **options)]


@pytest.mark.usefixtures("painter")
def test_many_requests_give_a_generation_each() -> None:
    made = run(many())
    assert sorted(one.request.seed for one in made) == list(range(9))
    assert len({one.digest for one in made}) == 9


@pytest.mark.parametrize(("options", "most"), [({}, 4), ({"concurrency": 1}, 1), ({"concurrency": 16}, 9)])
def test_so_many_are_made_at_once(painter: type[Painter], options: dict[str, Any], most: int) -> None:
    painter.pause = 0.01
    assert len(run(many(**options))) == 9
    assert painter.most_at_work == most


def test_one_that_fails_does_not_stop_the_others(painter: type[Painter]) -> None:
    painter.failing = {3: SpaceError("no: by design", "Try it."), 5: NotAnImage("a page")}
    made: list[Generation] = []

    async def collect() -> None:
        async for one in AsyncClient().generate_many(SEVERAL):
            made.append(one)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(Incomplete) as told:
        run(collect())
    assert str(told.value) == "2 of 9 images failed; the first: no: by design\nTry it."
    assert sorted(one.request.seed for one in made) == [0, 1, 2, 4, 6, 7, 8]
    assert told.value.failures == painter.failing


@pytest.mark.parametrize(
    ("failing", "words"),
    [
        pytest.param({3: SpaceError("no")}, "1 of 9 images failed; no", id="one"),
        pytest.param({n: SpaceError("no") for n in (1, 2)}, "2 of 9 images failed; each: no", id="for the same reason"),
    ],
)
def test_how_many_failed_is_said(painter: type[Painter], failing: dict[int, Exception], words: str) -> None:
    painter.failing = failing
    with pytest.raises(Incomplete) as told:
        run(many())
    assert told.value.message == words


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(QuotaExceeded("no GPU time left"), id="no quota"),
        pytest.param(ConnectionFailed("no connection"), id="no connection"),
        pytest.param(Stopped("stopped"), id="stopped"),
    ],
)
def test_what_would_fail_for_all_stops_the_rest_at_once(painter: type[Painter], error: FluxError) -> None:
    painter.failing, painter.pause = {2: error}, 0.001
    with pytest.raises(type(error)) as told:
        run(many(ImageRequest("a fox", seed=seed) for seed in range(1000)))
    assert told.value is error
    assert len(painter.painted) < 20
    assert painter.at_work == 0


def test_all_of_them_can_be_stopped_from_elsewhere(painter: type[Painter]) -> None:
    painter.pause = 60

    async def stop() -> None:
        task = asyncio.ensure_future(many())
        while painter.at_work < 4:  # noqa: ASYNC110 - the jobs are watched from outside
            await asyncio.sleep(0.01)
        assert underway.cancel_all() == 4
        with pytest.raises(Stopped):
            await task

    run(stop())
    assert painter.at_work == 0


def test_a_reader_that_breaks_off_leaves_no_complaint(painter: type[Painter]) -> None:
    complaints: list[str] = []

    async def broken_off() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
        async for _ in AsyncClient().generate_many(ImageRequest("a fox", seed=seed) for seed in range(30)):
            break

    painter.pause = 0.01
    asyncio.run(broken_off())
    gc.collect()
    assert complaints == []


def test_requests_are_taken_as_there_is_room(painter: type[Painter]) -> None:
    taken = []

    def endless() -> Iterator[ImageRequest]:
        for seed in range(10**9):
            taken.append(seed)
            yield ImageRequest("a fox", seed=seed % 256)

    async def some() -> None:
        async with aclosing(AsyncClient().generate_many(endless(), concurrency=2, store=False)) as made:
            for _ in range(5):
                await anext(made)

    run(some())
    assert len(taken) < 12
    assert painter.at_work == 0


def test_a_mistake_in_the_options_is_told_before_anything_is_asked(painter: type[Painter]) -> None:
    with pytest.raises(InvalidRequest, match="concurrency is 99: give a whole number from 1 to 16"):
        run(many(concurrency=99))
    assert not painter.made

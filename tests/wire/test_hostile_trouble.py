"""What passes, and is waited out; what does not, and is told apart; and redirects."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import weakref
from dataclasses import replace
from functools import partial
from http.cookies import SimpleCookie
from typing import Any

import pytest
from yarl import URL

from flux_magic.client import runner
from flux_magic.client.async_client import AsyncClient
from flux_magic.client.client import Client
from flux_magic.errors import (
    ProtocolError,
    RateLimited,
    ResponseError,
    SpaceAsleep,
    SpaceBroken,
    SpaceNotFound,
    SpacePaused,
    Stopped,
    StreamLost,
    TimedOut,
    TokenRefused,
)
from flux_magic.providers.base import Limits
from flux_magic.providers.gradio import endpoint
from flux_magic.providers.http import background, connection
from flux_magic.providers.http.connection import open_session
from flux_magic.types import ImageResponse, Waiting
from tests.support.hasty import hasten
from tests.support.hostile import (
    COMPLETE,
    COMPLETED,
    FILE,
    NO_ANSWER,
    NO_SESSION,
    PICTURE,
    Answer,
    Hostile,
    answer_configuration,
    answer_json,
    answer_page,
    answer_stream,
    ask_hostile,
    format_event,
    format_finished,
    format_message,
    run_hostile,
    run_hostile_beside,
)
from tests.support.space import collect_events, make_request, move_provider, run

STEP = format_message("progress", progress_data=[{"index": 1, "length": 4, "unit": "steps"}])
RANK = format_message("estimation", rank=0, queue_size=1, rank_eta=None)
WORKING = answer_stream(format_message("process_starts"), then="heartbeats")
FULL = answer_json({"detail": "Queue is full. Max size is 1 and size is 1."}, 503)


CUT = Answer(b'{"event', then="cut")
UNKNOWN = answer_stream(format_event("error", "404: Not Found"))
"""Gradio's answer of the simple route for a job that it does not know."""


def cut_short(answer: Answer) -> Answer:
    return replace(answer, body=answer.body[:100], then="cut")


@pytest.mark.parametrize(
    ("progress", "script", "routes"),
    [
        pytest.param(True, {"queue": [NO_ANSWER, answer_stream(COMPLETED)]}, "post queue post queue", id="once"),
        pytest.param(
            False, {"call": [NO_ANSWER, answer_stream(COMPLETE)]}, "post call post call", id="once, the simple route"
        ),
        pytest.param(
            True,
            {"queue": [NO_SESSION, answer_stream(COMPLETED)], "call": UNKNOWN},
            "post queue call post queue",
            id="a proxy read it twice, and the job is unknown",
        ),
        pytest.param(
            True,
            {"queue": [NO_SESSION, answer_stream(COMPLETED)], "call": Answer(status=404)},
            "post queue call post queue",
            id="unknown, by a status",
        ),
        pytest.param(
            False, {"call": [UNKNOWN, answer_stream(COMPLETE)]}, "post call post call", id="unknown, the simple route"
        ),
        pytest.param(
            True,
            {"queue": [answer_stream(then="heartbeats"), answer_stream(COMPLETED)]},
            "post queue post queue",
            id="a proxy read it twice, and heartbeats come",
        ),
        pytest.param(
            True, {"queue": [answer_page(502), answer_stream(COMPLETED)]}, "post queue post queue", id="a gateway's 502"
        ),
    ],
)
def test_a_job_that_the_space_has_forgotten_is_submitted_again_with_the_same_seed(
    progress: bool,  # noqa: FBT001 - a table's column
    script: dict[str, Any],
    routes: str,
) -> None:
    """Gradio has forgotten a job whose events were read once: anyone who reads again waits for ten minutes."""

    async def work() -> tuple[list[str], list[str]]:
        async with run_hostile(cancel=answer_json({"success": True}), **script) as server:
            await collect_events(move_provider(server.address), progress=progress, limits=Limits(unheard=0.2))
            return server.seen, server.bodies

    seen, bodies = run(work())
    assert [route for route in seen if route in {"post", "queue", "call"}] == routes.split()
    assert [json.loads(body)["data"][1] for body in bodies if "data" in body] == [42, 42]


def says(words: str) -> Answer:
    return Answer(f"<!doctype html><html><h1>{words}</h1></html>".encode(), 503, "text/html")


SLEEPING = says("This Space is sleeping due to inactivity")
BUSY: list[Any] = [
    pytest.param({"post": [FULL, FULL, answer_json({"event_id": "abc"})]}, id="the queue was full"),
    pytest.param(
        {"post": [Answer(status=429, headers={"Retry-After": "0"}), answer_json({"event_id": "abc"})]}, id="429"
    ),
    pytest.param(
        {"post": [answer_page(503), answer_page(502), answer_page(504), answer_json({"event_id": "abc"})]},
        id="503, 502 and 504",
    ),
    pytest.param({"post": [NO_ANSWER] * 4 + [answer_json({"event_id": "abc"})]}, id="no answer, four times"),
    pytest.param(
        {"config": [NO_ANSWER, NO_ANSWER, answer_configuration("/gradio_api")]}, id="no answer for the configuration"
    ),
    pytest.param({"queue": [answer_stream(then="cut"), answer_stream(COMPLETED)]}, id="a stream that is cut at once"),
    pytest.param(
        {"queue": [answer_stream(format_message("process_starts"), then="cut"), answer_stream(COMPLETED)]},
        id="a cut stream",
    ),
    pytest.param(
        {"queue": [answer_stream(), answer_stream(format_message("close_stream")), answer_stream(COMPLETED)]},
        id="two lost streams",
    ),
    pytest.param(
        {"queue": [*[NO_ANSWER] * 8, answer_stream(), answer_stream(COMPLETED)]},
        id="no answer for the stream, eight times",
    ),
    pytest.param({"queue": answer_stream(then="silence")}, id="a silent queue stream"),
    pytest.param({"post": [CUT, answer_json({"event_id": "abc"})]}, id="an answer to the job that is cut"),
    pytest.param({"config": [CUT, answer_configuration("/gradio_api")]}, id="a cut configuration"),
    pytest.param({"file": [answer_page(502), PICTURE]}, id="502 for the image"),
    pytest.param({"file": [cut_short(PICTURE), PICTURE]}, id="an image that is cut in the middle"),
    pytest.param({"file": [NO_ANSWER, NO_ANSWER, NO_ANSWER, PICTURE]}, id="no answer for the image, three times"),
    pytest.param(
        {"queue": answer_stream(format_message("process_starts") * 3, COMPLETED, COMPLETED)}, id="all of it twice"
    ),
    pytest.param({"queue": answer_stream(STEP, RANK, format_message("process_starts"), COMPLETED)}, id="out of order"),
    pytest.param({"queue": answer_stream("data: garbled\n\n", ": a comment\n", "id: 7\n\n", COMPLETED)}, id="garbled"),
    pytest.param(
        {"post": [SLEEPING, answer_json({"event_id": "abc"})], "config": [SLEEPING] * 2}, id="a sleeping Space"
    ),
]


@pytest.mark.parametrize("script", BUSY)
def test_a_trouble_that_passes_is_waited_out(script: dict[str, Any]) -> None:
    got = ask_hostile(limits=Limits(silence=2), **script)
    assert (got.seed, [file.media_type for file in got.files]) == (42, ["image/png"])


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param(
            {"post": [FULL, answer_json({"event_id": "abc"})]}, "trying again in 0 s: the Space's queue", id="full"
        ),
        pytest.param(
            {"queue": [answer_stream(), answer_stream(COMPLETED)]}, "asking again with the same seed: ", id="lost"
        ),
        pytest.param(
            {"post": [SLEEPING, answer_json({"event_id": "abc"})], "config": [SLEEPING] * 2},
            "waking the Space",
            id="asleep",
        ),
    ],
)
def test_what_is_waited_for_is_told(script: dict[str, Any], said: str) -> None:
    async def work() -> list[str]:
        async with run_hostile(**script) as server:
            coming = await collect_events(move_provider(server.address))
            return [event.reason for event in coming if isinstance(event, Waiting)]

    assert any(reason.startswith(said) for reason in run(work()))


def test_a_job_whose_seed_the_space_chooses_is_not_submitted_again() -> None:
    async def work() -> list[str]:
        async with run_hostile(queue=[answer_stream(), answer_stream(COMPLETED)]) as server:
            with pytest.raises(StreamLost):
                await collect_events(move_provider(server.address), make_request(randomize_seed=True))
            return server.seen

    assert run(work()).count("post") == 1


STATES: list[Any] = [
    pytest.param(SLEEPING, SpaceAsleep, id="asleep"),
    pytest.param(says("This Space has been paused by its owner."), SpacePaused, id="paused"),
    pytest.param(says("Runtime error"), SpaceBroken, id="broken"),
    pytest.param(says("404: we cannot find the page"), SpaceNotFound, id="not found"),
    pytest.param(says("Welcome to my shop"), SpaceNotFound, id="a shop"),
    pytest.param(Answer(status=401), TokenRefused, id="401"),
    pytest.param(Answer(status=429), RateLimited, id="429"),
]


@pytest.mark.parametrize(("everywhere", "kind"), STATES)
def test_a_space_that_is_not_there_for_us_says_why(everywhere: Answer, kind: type[ResponseError]) -> None:
    with pytest.raises(kind) as caught:
        ask_hostile(config=everywhere, post=everywhere)
    assert 1 <= len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_post_keeps_its_method_and_its_body(status: int) -> None:
    async def work() -> list[str]:
        async with run_hostile() as there:
            moved = Answer(status=status, headers={"Location": f"{there.address}/gradio_api/call/infer"})
            async with run_hostile(post=moved) as here:
                await collect_events(move_provider(here.address))
            return there.bodies

    assert run(work()) == ['{"data": ["a red fox", 42, false, 256, 256, 2]}']


def test_a_redirect_to_what_is_not_http_is_not_followed() -> None:
    with pytest.raises(ProtocolError, match="redirects to an address that is not http"):
        ask_hostile(post=Answer(status=307, headers={"Location": "file:///etc/passwd"}))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(
            {"queue": answer_stream(b"data: " + b"x" * 300_000, then="silence")}, "an event without end", id="event"
        ),
        pytest.param(
            {"queue": answer_stream(b"data:\n" * 50_000, then="silence")}, "an event without end", id="empty lines"
        ),
        pytest.param({"queue": answer_stream(b": x\n\n" * 50_000, then="silence")}, "without end", id="comments"),
        pytest.param(
            {"queue": answer_stream(b"data: 1\n\n" * 2000, then="silence")}, "stream has no end", id="many events"
        ),
        pytest.param(
            {"queue": answer_stream((b"data: " + b"1" * 90_000 + b"\n\n") * 5, then="silence")},
            "has no end",
            id="large events",
        ),
        pytest.param({"post": Answer(b" " * 300_000, then="silence")}, "larger than 0.0954 MiB", id="answer to a job"),
        pytest.param({"post": Answer(b"no " * 300_000, 500, then="silence")}, "status 500: no no", id="an error"),
    ],
)
def test_what_is_no_image_has_bounds_of_its_own(script: dict[str, Any], words: str) -> None:
    """Return an image may have 64 MiB; JSON and pages are read on the loop, which a long one would hold up."""
    assert Limits().document < Limits().body
    with pytest.raises(ResponseError, match=words):
        ask_hostile(limits=Limits(document=100_000, events=1000, stream=400_000, retries=0), **script)


def test_a_configuration_that_is_too_large_counts_as_none() -> None:
    for large in (Answer(b" " * 300_000), Answer(b"[" + b"[1]," * 70_000 + b"1]")):
        assert ask_hostile(limits=Limits(document=299_000), config=large).seed == 42
    with pytest.raises(ResponseError, match="larger than"):
        ask_hostile(limits=Limits(document=1000, retries=0), config=Answer(b" " * 300_000), post=Answer(status=404))


@pytest.mark.parametrize(
    "script", [[answer_page(502), PICTURE], [cut_short(PICTURE), PICTURE], [NO_ANSWER] * 3 + [PICTURE]]
)
def test_the_originals_interface_looks_at_a_file_again_too(
    script: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    assert len(run(first_of(file=script)).images) == 1


async def first_of(**script: Any) -> ImageResponse:
    async with run_hostile(**script) as server:
        return await anext(
            move_provider(server.address).create_async_generator("", [], prompt="a fox", randomize_seed=False)
        )


def test_the_originals_interface_has_a_limit_on_its_last_look_at_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "Limits", partial(Limits, silence=1))
    with pytest.raises(TimedOut, match="the image's address did not answer within 1 s"):
        run(first_of(file=Answer(PICTURE.body[:1], then="heartbeats")))


@pytest.mark.parametrize("cancel", [answer_json({"success": True}), Answer(then="silence")], ids=["heard", "unheard"])
def test_a_time_limit_is_no_longer_for_the_cancel_and_leaves_nothing(
    cancel: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_CANCEL", 60)
    with run_hostile_beside(queue=WORKING, cancel=cancel) as server:
        begin = time.monotonic()
        with pytest.raises(TimedOut, match="no image within 2 s"):
            asyncio.run(AsyncClient(space=server.address, store=False, timeout=2).generate("a fox", seed=1))
        assert time.monotonic() - begin < 30
        assert server.seen[-1] == "cancel"
    gc.collect()  # what was left open warns now, and a warning is an error


async def until_it_works(server: Hostile) -> None:
    while "queue" not in server.seen:  # noqa: ASYNC110 - it is on a thread of its own
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("kept", [False, True], ids=["a session of the job's own", "a session that is kept"])
@pytest.mark.parametrize("cancel", [answer_json({"success": True}), Answer(then="silence")], ids=["heard", "unheard"])
def test_a_loop_that_ends_takes_the_job_under_way_off_the_space_and_leaves_nothing(
    kept: bool,  # noqa: FBT001 - a table's column
    cancel: Answer,
) -> None:
    with run_hostile_beside(queue=WORKING, cancel=cancel) as server:

        async def work() -> None:
            client = AsyncClient(space=server.address, store=False)
            if kept:
                await client.__aenter__()
            under_way = asyncio.ensure_future(client.generate("a fox", seed=1))
            await until_it_works(server)
            assert not under_way.done()

        asyncio.run(work())
        assert server.seen[-1] == "cancel"
    gc.collect()


@pytest.mark.parametrize("blocks", [True, False], ids=["a Client's", "an AsyncClient's"])
def test_a_handle_that_is_cancelled_takes_its_job_off_the_space(blocks: bool) -> None:  # noqa: FBT001 - a table's column
    with run_hostile_beside(queue=WORKING, cancel=answer_json({"success": True})) as server:

        async def work() -> None:
            under_way = AsyncClient(space=server.address, store=False).submit("a fox", seed=1)
            await until_it_works(server)
            assert under_way.cancel()
            with pytest.raises(Stopped):
                await under_way

        if blocks:
            with Client(space=server.address, store=False) as client:
                job = client.submit("a fox", seed=1)
                asyncio.run(until_it_works(server))
                assert job.cancel()
                with pytest.raises(Stopped):
                    job.result()
            runner.background.close()
        else:
            asyncio.run(work())
        assert server.seen[-1] == "cancel"
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_of_a_loop_that_is_closed_under_a_job_nothing_is_kept() -> None:
    """Python warns of the pending task and its connection; that they are forgotten closes them."""
    with run_hostile_beside(queue=WORKING) as server:
        loop = asyncio.new_event_loop()
        under_way = loop.create_task(AsyncClient(space=server.address, store=False).generate("a fox", seed=1))
        loop.run_until_complete(until_it_works(server))
        loop.close()
        job = weakref.ref(under_way)
        del under_way, loop
        gc.collect()
        assert job() is None


def test_two_replicas_are_told_apart_by_their_cookie() -> None:
    """Return the stream of a job is on the replica that took it, which a cookie names."""

    async def work() -> list[str]:
        taken = Answer(b'{"event_id": "abc"}', headers={"Set-Cookie": "replica=two; Path=/"})
        async with run_hostile(post=taken) as server:
            await collect_events(move_provider(server.address))
            return server.cookies

    assert run(work()) == ["", "", "replica=two"]


def test_a_cookie_stays_with_the_origin_that_set_it_whatever_domain_it_names() -> None:
    async def work() -> list[str]:
        async with open_session() as session:
            for name in ("a", "b"):
                cookie = SimpleCookie(f"{name}=1; Domain=hf.space; Path=/")
                session.cookie_jar.update_cookies(cookie, URL(f"https://{name}.hf.space/"))
            asked = ("https://a.hf.space/x", "https://c.hf.space/", "http://a.hf.space/", "https://a.hf.space:8443/")
            return [session.cookie_jar.filter_cookies(URL(url)).output(header="") for url in asked]

    assert run(work()) == [" a=1", "", "", ""]


@pytest.mark.parametrize(
    ("lost", "jobs"),
    [
        pytest.param(answer_stream(), 3, id="by the Space"),
        pytest.param(NO_ANSWER, 9, id="with the connection"),
        pytest.param(
            answer_stream(format_message("process_starts"), then="cut"), 9, id="with the connection, in the middle"
        ),
    ],
)
def test_a_stream_that_is_always_lost_is_an_error_in_the_end(lost: Answer, jobs: int) -> None:
    async def work() -> list[str]:
        async with run_hostile(queue=lost) as server:
            with pytest.raises(StreamLost):
                await collect_events(move_provider(server.address))
            return server.seen

    assert run(work()).count("post") == jobs


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:99999/x", "http://exa mple..com/", f"http://{'a' * 80}.example/", "http://[x/"]
)
def test_an_address_that_is_none_is_a_protocol_error(target: str) -> None:
    with pytest.raises(ProtocolError):
        ask_hostile(post=Answer(status=307, headers={"Location": target}))


def test_the_seed_that_was_sent_is_told_from_other_numbers() -> None:
    assert ask_hostile(queue=answer_stream(format_finished({"data": [FILE, 42, 3.0]}))).seed == 42


def test_a_job_that_is_given_up_while_it_is_posted_is_taken_off_the_space() -> None:
    async def work() -> tuple[list[str], list[str]]:
        late = Answer(answer_json({"event_id": "abc"}).body, after=2)
        async with (
            run_hostile(post=late, cancel=answer_json({"success": True})) as server,
        ):
            task = asyncio.create_task(collect_events(move_provider(server.address)))
            while "post" not in server.seen:  # noqa: ASYNC110 - the answer comes 2 s later
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while "cancel" not in server.seen:  # noqa: ASYNC110 - it goes on behind the caller's back
                await asyncio.sleep(0.01)
            await asyncio.gather(*background._closing)
            return server.seen, server.bodies

    seen, bodies = run(work())
    assert seen == ["config", "post", "cancel"]
    assert json.loads(bodies[-1]) == {"session_hash": "abc", "event_id": "abc", "fn_index": 0}

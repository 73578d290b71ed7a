"""What may go wrong around a job: statuses, pages, broken connections, files that are none."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from flux_magic.errors import (
    ConnectionFailed,
    InvalidRequest,
    NotAnImage,
    ProtocolError,
    QueueFull,
    ResponseError,
    SpaceChanged,
    SpaceNotFound,
    TimedOut,
    TokenRefused,
    UnreadableFormat,
)
from flux_magic.providers.base import Limits
from flux_magic.types import ImageResponse
from tests.support.hasty import hasten
from tests.support.hostile import (
    COMPLETE,
    FILE,
    NO_ANSWER,
    PICTURE,
    Answer,
    answer_json,
    answer_page,
    answer_stream,
    ask_hostile,
    format_event,
    make_png,
    run_hostile,
)
from tests.support.space import collect_events, make_image, make_request, move_provider, run

NOT_FOUND = Answer(b"Not Found", 404, "text/plain")
FULL = answer_json({"detail": "Queue is full. Max size is 1 and size is 1."}, 503)
UNFIT = answer_json({"detail": [{"loc": ["body", "data"], "msg": "Field required"}]}, 422)
LOOP = Answer(status=302, headers={"Location": "/config"})
CUT_PICTURE = Answer(make_png()[:500], kind="image/png", headers={"Content-Length": "5000"}, then="cut")
OTHER_SPACE = answer_json({"dependencies": [{"id": 0, "api_name": "predict"}], "api_prefix": "/gradio_api"})

WRONG: list[Any] = [
    pytest.param({"post": NOT_FOUND, "config": NOT_FOUND}, SpaceNotFound, "no Gradio Space at", id="404 everywhere"),
    pytest.param({"post": answer_page(500)}, ProtocolError, "HTTP status 500", id="500 with a page"),
    pytest.param({"post": Answer(b"KeyError: 'x'", 500)}, ProtocolError, "500: KeyError: 'x'", id="500 with a text"),
    pytest.param({"post": FULL}, QueueFull, "Queue is full. Max size is 1", id="the queue is full"),
    pytest.param({"post": UNFIT}, ProtocolError, "HTTP status 422", id="422"),
    pytest.param({"post": answer_json({})}, ProtocolError, "gave it no id", id="no event id"),
    pytest.param({"post": answer_json({"event_id": "../x?"})}, ProtocolError, "gave it no id", id="a strange event id"),
    pytest.param({"post": answer_json([1])}, ProtocolError, "gave it no id", id="JSON that is no object"),
    pytest.param({"post": answer_page()}, ProtocolError, "answered a job with a page", id="a page for the event id"),
    pytest.param({"post": Answer(b"{" * 100_000)}, ProtocolError, "gave it no id", id="no end of brackets"),
    pytest.param({"post": LOOP, "config": LOOP}, ProtocolError, "redirects without end", id="a redirect loop"),
    pytest.param({"config": OTHER_SPACE}, SpaceChanged, "no endpoint infer, only predict", id="another Space"),
    pytest.param({"file": answer_page()}, NotAnImage, "file is a web page, not PNG", id="a page for the image"),
    pytest.param({"file": Answer()}, NotAnImage, "file is empty, not PNG", id="nothing for the image"),
    pytest.param({"file": Answer(b"\xff\x0a")}, UnreadableFormat, "file is JPEG XL, which", id="a JPEG XL"),
    pytest.param({"file": Answer(make_png()[:500])}, NotAnImage, "is damaged", id="half an image"),
    pytest.param({"file": Answer(make_png()[:20])}, NotAnImage, "is damaged", id="the head of an image"),
    pytest.param({"file": CUT_PICTURE}, ProtocolError, "broke off in the middle", id="an image that breaks off"),
    pytest.param({"file": answer_page(404)}, ProtocolError, "HTTP status 404", id="no image at its address"),
    pytest.param({"file": answer_page(403)}, TokenRefused, "refused the request", id="a forbidden image"),
]


@pytest.mark.parametrize(("script", "kind", "words"), WRONG)
def test_what_a_space_does_wrong_is_a_response_error_of_few_lines(
    script: dict[str, Any], kind: type[ResponseError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        ask_hostile(**script)
    assert isinstance(caught.value, ResponseError)
    assert words in str(caught.value)
    assert "<" not in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("script", [{"file": answer_page()}, {"file": answer_page(404)}, {"file": Answer()}])
def test_the_plain_interface_answers_only_with_addresses_that_hold_images(script: dict[str, Any]) -> None:
    async def work() -> ImageResponse:
        async with run_hostile(**script) as server:
            return await anext(move_provider(server.address).create_async_generator("flux", [], prompt="a fox"))

    with pytest.raises(ResponseError):
        run(work())


def test_a_damaged_image_does_not_become_a_generation() -> None:
    async def work() -> None:
        async with run_hostile(file=Answer(make_png()[:500])) as server:
            await make_image(server.address)

    with pytest.raises(NotAnImage, match="is damaged"):
        run(work())


ODD: list[Any] = [
    pytest.param({"config": NOT_FOUND}, id="no configuration"),
    pytest.param({"config": answer_page()}, id="a page for the configuration"),
    pytest.param({"config": answer_page(500)}, id="500 for the configuration"),
    pytest.param({"config": answer_json([1])}, id="a list for the configuration"),
    pytest.param({"config": answer_json({"dependencies": None})}, id="an empty configuration"),
    pytest.param({"file": Answer(make_png(), kind="text/html")}, id="an image that calls itself a page"),
    pytest.param({"post": [NO_ANSWER, answer_json({"event_id": "abc"})]}, id="a closed connection at the first POST"),
    pytest.param({"file": [NO_ANSWER, PICTURE]}, id="a closed connection at the first GET"),
]


@pytest.mark.parametrize("prefix", ["", "/gradio_api"], ids=["Gradio 4", "Gradio 5 and 6"])
@pytest.mark.parametrize("script", ODD)
def test_what_does_not_matter_does_not_keep_the_image_away(script: dict[str, Any], prefix: str) -> None:
    got = ask_hostile(prefix=prefix, **script)
    assert (got.seed, [file.media_type for file in got.files]) == (42, ["image/png"])


def test_a_post_on_a_connection_that_closes_is_sent_once_more_and_no_oftener() -> None:
    async def work() -> list[str]:
        async with run_hostile(post=NO_ANSWER) as server:
            with pytest.raises(ConnectionFailed, match="it closed the connection"):
                await collect_events(move_provider(server.address), limits=Limits(retries=0, reconnections=0))
            return server.seen

    assert run(work()) == ["config", "post", "post"]


@pytest.mark.parametrize(
    "answer", [UNFIT, answer_page(500), answer_json({"detail": "no"}, 400)], ids=["422", "500", "400"]
)
def test_a_post_with_an_error_for_an_answer_is_not_sent_again(answer: Answer) -> None:
    async def work() -> list[str]:
        async with run_hostile(post=answer) as server:
            with pytest.raises(ProtocolError):
                await collect_events(move_provider(server.address))
            return server.seen

    assert run(work()) == ["config", "post"]


@pytest.mark.parametrize(
    ("path", "at"),
    [("/tmp/image.png", "{address}/gradio_api/file=/tmp/image.png"), (None, "http://127.0.0.1:{port}/elsewhere.png")],
    ids=["with a path", "without a path"],
)
def test_an_address_on_another_host_is_used_only_where_there_is_no_path(path: str | None, at: str) -> None:
    async def work() -> tuple[list[str], str]:
        async with run_hostile() as other:
            port = other.address.rpartition(":")[2]
            file = {"path": path, "url": f"{other.address}/elsewhere.png"}
            async with run_hostile(call=answer_stream(format_event("complete", [file, 42]))) as server:
                *_, response = await collect_events(move_provider(server.address), progress=False)
                assert isinstance(response, ImageResponse)
                return response.images, at.format(address=server.address, port=port)

    urls, expected = run(work())
    assert urls == [expected]


def test_an_image_at_another_address_of_the_space_is_fetched_from_there() -> None:
    file = {**FILE, "path": "", "url": "/gradio_api/file=/tmp/x.png"}
    got = ask_hostile(progress=False, call=answer_stream(format_event("complete", [file, 42])))
    assert got.seen[-1] == "file"
    assert got.files[0].width == 64


def test_a_body_larger_than_the_limit_is_not_read_to_its_end() -> None:
    endless = Answer(b"\x89PNG\r\n\x1a\n" + bytes(3 * 2**20), then="heartbeats")
    with pytest.raises(ProtocolError, match="larger than 2 MiB"):
        ask_hostile(file=endless, limits=Limits(body=2 * 2**20))


@pytest.mark.parametrize("route", ["config", "post", "file"])
def test_silence_at_any_time_comes_to_a_limit(route: str) -> None:
    script: dict[str, Any] = {route: Answer(then="silence")}
    with pytest.raises(TimedOut, match=r"127\.0\.0\.1:\d+ sent nothing for 0\.3 s"):
        ask_hostile(limits=Limits(silence=0.3), **script)


@pytest.mark.parametrize("route", ["config", "post", "file"])
def test_a_connection_that_always_closes_is_a_failed_connection(route: str) -> None:
    script: dict[str, Any] = {route: NO_ANSWER}
    with pytest.raises(ConnectionFailed, match="it closed the connection"):
        ask_hostile(**script)


def test_where_nobody_listens_is_a_failed_connection_that_names_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unheard.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match=f"no connection to {address}: ") as caught:
            run(make_image(f"http://{address}"))
    assert "Check the address" in str(caught.value)


def test_a_server_of_another_kind_is_told_apart() -> None:
    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(hello, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await make_image(f"http://127.0.0.1:{port}")

    with pytest.raises(ProtocolError, match="does not answer as HTTP") as caught:
        run(work())
    assert len(str(caught.value).splitlines()) <= 3


BOUNDED = {
    "api_prefix": "/gradio_api",
    "dependencies": [{"id": 0, "api_name": "infer", "inputs": [1, 2, 3, 4, 5, 6]}],
    "components": [{"id": 1, "props": {}}, {"id": 2, "props": {"minimum": 100, "maximum": 200}}],
}


def test_a_value_out_of_bounds_is_refused_before_anything_is_sent() -> None:
    async def work() -> list[str]:
        async with run_hostile(config=answer_json(BOUNDED)) as server:
            with pytest.raises(InvalidRequest, match="seed is 42: this Space takes 100 to 200"):
                await collect_events(move_provider(server.address))
            return server.seen

    assert run(work()) == ["config"], "nothing is posted"


def test_the_configuration_is_asked_for_once() -> None:
    async def work() -> list[str]:
        async with run_hostile(queue=answer_stream(), call=answer_stream(COMPLETE)) as server:
            for seed in (1, 2):
                await collect_events(move_provider(server.address), make_request(seed=seed), progress=False)
            return server.seen

    assert run(work()) == ["config", "post", "call", "post", "call"]

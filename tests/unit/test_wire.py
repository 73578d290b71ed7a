"""The results of a Space; its events are in test_wire_events, what it says of itself in test_contract."""

from __future__ import annotations

from typing import Any

import pytest

from flux_magic.errors import EmptyResult, NotAnImage, ProtocolError, ResponseError
from flux_magic.providers.gradio import decoding
from flux_magic.providers.gradio.decoding import find_files, find_seed, parse_event_id

G5, G4 = "http://127.0.0.1:7860/gradio_api", "http://127.0.0.1:7860"


def file_data(path: str | None = "/tmp/g/image.webp", url: str | None = None) -> dict[str, Any]:
    return {"path": path, "url": url, "orig_name": "image.webp", "meta": {"_type": "gradio.FileData"}}


def test_a_posts_answer_has_the_event_id() -> None:
    assert parse_event_id('{"event_id": "b889-AF_0.1"}') == "b889-AF_0.1"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "<html>", '{"event_id": null}', '{"event_id": 5}', '{"event_id": "../x"}', '{"event_id": ""}', "{}"],
)
def test_a_post_without_an_id_in_its_answer_is_a_broken_protocol(text: str) -> None:
    with pytest.raises(ProtocolError, match="gave it no id"):
        parse_event_id(text)


@pytest.mark.parametrize(
    ("data", "routes", "urls"),
    [
        pytest.param([file_data(), 42], G5, [f"{G5}/file=/tmp/g/image.webp"], id="one file"),
        pytest.param([file_data(), 42], G4, [f"{G4}/file=/tmp/g/image.webp"], id="Gradio 4"),
        pytest.param(
            [file_data(url="http://other.example/image.webp")], G5, [f"{G5}/file=/tmp/g/image.webp"], id="path first"
        ),
        pytest.param(
            [[{"image": file_data("/a.png"), "caption": None}, {"image": file_data("/b.png"), "caption": "b"}], 7],
            G5,
            [f"{G5}/file=/a.png", f"{G5}/file=/b.png"],
            id="a gallery",
        ),
        pytest.param([[file_data("/a")], file_data("/b")], G5, [f"{G5}/file=/a", f"{G5}/file=/b"], id="several files"),
        pytest.param([7, {"image": file_data("/a")}], G5, [f"{G5}/file=/a"], id="not the first output"),
        pytest.param(
            [file_data("/tmp/ä b?c#d%&.png")], G5, [f"{G5}/file=/tmp/%C3%A4%20b%3Fc%23d%25%26.png"], id="a quoted path"
        ),
        pytest.param(
            [{"url": "https://h.example/a b.png?x=1&y=%20"}], G5, ["https://h.example/a%20b.png?x=1&y=%20"], id="a url"
        ),
        pytest.param([{"path": None, "url": "/file=/a.png"}], G5, ["http://127.0.0.1:7860/file=/a.png"], id="no host"),
        pytest.param(
            [file_data("https://h.example/a.png")], G5, ["https://h.example/a.png"], id="a path that is a url"
        ),
        pytest.param(
            [file_data("http://h.example/a.png", "http://h.example/b.png")], G5, ["http://h.example/b.png"], id="both"
        ),
    ],
)
def test_a_result_tells_where_its_files_are(data: list[Any], routes: str, urls: list[str]) -> None:
    assert find_files(data, routes) == urls


@pytest.mark.parametrize("data", [[], [None, 42], [[], 42], [None], ["", 42], [{}, 42], [[None]], [42]])
def test_a_result_without_a_file_is_empty(data: list[Any]) -> None:
    with pytest.raises(EmptyResult, match="sent no image"):
        find_files(data, G5)


@pytest.mark.parametrize("data", [["a red fox"], [{"label": "fox", "confidences": []}, 1]])
def test_a_result_of_another_kind_is_not_an_image(data: list[Any]) -> None:
    with pytest.raises(NotAnImage, match="the Space's result is no image"):
        find_files(data, G5)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:image/png;base64,AA", "javascript:x", "ftp://h.example/a"])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ProtocolError, match="not http"):
        find_files([{"url": url}], G5)


@pytest.mark.parametrize(
    ("data", "seed"),
    [
        ([file_data(), 42], 42),
        ([file_data(), 0], 0),
        ([file_data(), 42.0], 42),
        ([file_data(), 42, True], 42),
        ([file_data(), 41, 42], 42),
        ([file_data(), "42"], None),
        ([file_data()], None),
    ],
)
def test_the_seed_is_the_last_whole_number_of_a_result(data: list[Any], seed: int | None) -> None:
    assert find_seed(data) == seed


@pytest.mark.parametrize(
    ("text", "value"),
    [("[1, null]", [1, None]), ('"a"', "a"), ("not json", "not json"), ("", ""), ("9" * 5000, "9" * 5000)],
)
def test_json_is_read_and_anything_else_stays_a_text(text: str, value: object) -> None:
    assert decoding.parse(text) == value


@pytest.mark.parametrize(
    ("data", "seed"),
    [([{}, float("nan")], None), ([{}, float("inf")], None), ([{}, 42, 3.7], 42), ([{}, -1], None), ([{}, 7.0], 7)],
)
def test_only_a_whole_number_in_range_is_a_seed(data: list[object], seed: int | None) -> None:
    assert find_seed(data) == seed


@pytest.mark.parametrize(
    "found", [{"path": ""}, {"path": None, "url": ""}, {"url": "http://[bad"}, {"path": "/\ud800"}]
)
def test_a_file_without_a_usable_address_is_a_response_error(found: dict[str, object]) -> None:
    with pytest.raises(ResponseError):
        find_files([found], "http://h/gradio_api")

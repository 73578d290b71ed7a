"""The configuration and the results of a Space; its events are in test_wire_events."""

from __future__ import annotations

from typing import Any

import pytest

from flux_magic.errors import EmptyResult, InvalidRequest, NotAnImage, ProtocolError, ResponseError
from flux_magic.providers import wire
from flux_magic.providers.wire import Contract, contract_from, event_id_from, files_from, seed_from

PARAMETERS = ["prompt", "seed", "randomize_seed", "width", "height", "num_inference_steps"]
G5, G4 = "http://127.0.0.1:7860/gradio_api", "http://127.0.0.1:7860"


def config(**changes: Any) -> dict[str, Any]:
    """A `/config` like that of Gradio 6, as far as it is read."""
    sliders = {2: (0, 2147483647), 4: (256, 2048), 5: (256, 2048), 6: (1, 50)}
    components: list[dict[str, Any]] = [{"id": 1, "props": {"label": "Prompt"}}, {"id": 3, "props": {"value": True}}]
    components += [{"id": key, "props": {"minimum": low, "maximum": high}} for key, (low, high) in sliders.items()]
    endpoints = [{"id": 0, "api_name": "infer", "inputs": [1, 2, 3, 4, 5, 6]}, {"id": 1, "api_name": False}]
    made = {"version": "6.31.0", "api_prefix": "/gradio_api", "title": "FLUX.1 [schnell]"}
    return made | {"dependencies": endpoints, "components": components} | changes


def file_data(path: str | None = "/tmp/g/image.webp", url: str | None = None) -> dict[str, Any]:
    return {"path": path, "url": url, "orig_name": "image.webp", "meta": {"_type": "gradio.FileData"}}


def test_a_configuration_tells_prefix_title_and_the_sliders_bounds() -> None:
    contract = contract_from(config(), "infer", PARAMETERS)
    assert (contract.prefix, contract.title, contract.stand_in) == ("/gradio_api", "FLUX.1 [schnell]", None)
    assert contract.bounds == {
        "seed": (0, 2147483647),
        "width": (256, 2048),
        "height": (256, 2048),
        "num_inference_steps": (1, 50),
    }


@pytest.mark.parametrize(
    ("changes", "prefix"),
    [
        pytest.param({"api_prefix": None, "version": "4.44.1"}, "", id="Gradio 4"),
        pytest.param({"api_prefix": "/gradio_api/"}, "/gradio_api", id="a slash at the end"),
        pytest.param({"dependencies": [{"api_name": "/infer", "inputs": []}]}, "/gradio_api", id="a slash in the name"),
    ],
)
def test_the_prefix_is_empty_where_there_is_none(changes: dict[str, Any], prefix: str) -> None:
    assert contract_from(config(**changes), "infer", PARAMETERS).prefix == prefix


@pytest.mark.parametrize("answer", [None, [], "page", {}, {"dependencies": None}, {"detail": "Not Found"}])
def test_what_is_no_configuration_gives_an_empty_contract(answer: object) -> None:
    assert contract_from(answer, "infer", PARAMETERS) == Contract(None, "", {})


@pytest.mark.parametrize(
    ("dependencies", "words"),
    [
        pytest.param([], "only none", id="none"),
        pytest.param([{"api_name": "chat"}, {"api_name": False}, {"api_name": "/ask"}], "only ask, chat", id="others"),
        pytest.param([{"api_name": None}, {}], "only none", id="nameless ones"),
    ],
)
def test_a_space_without_the_endpoint_is_told_apart(dependencies: list[Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=f"this Space has no endpoint 'infer', {words}"):
        contract_from(config(dependencies=dependencies), "infer", PARAMETERS)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"components": None}, id="no components"),
        pytest.param({"components": ["x", {"id": 2, "props": None}, {}]}, id="odd components"),
        pytest.param({"dependencies": [{"api_name": "infer"}]}, id="no inputs"),
        pytest.param({"dependencies": [{"api_name": "infer", "inputs": [71, 72]}]}, id="unknown inputs"),
        pytest.param({"components": [{"id": 2, "props": {"minimum": "0", "maximum": 9}}]}, id="a bound that is a text"),
    ],
)
def test_bounds_that_are_not_told_are_no_bounds(changes: dict[str, Any]) -> None:
    assert contract_from(config(**changes), "infer", PARAMETERS).bounds == {}


@pytest.mark.parametrize(
    ("title", "drawing"),
    [
        ("flux_magic stand-in, drawing 12", "12"),
        ("flux_magic stand-in", None),
        ("a flux_magic stand-in, drawing 1", None),
    ],
)
def test_the_local_space_is_known_by_its_title(title: str, drawing: str | None) -> None:
    assert Contract(title=title).stand_in == drawing


@pytest.mark.parametrize("width", [256, 2048, None, "wide"])
def test_a_value_within_its_bounds_passes_and_so_does_what_is_no_number(width: object) -> None:
    Contract(bounds={"width": (256, 2048), "height": (1, 2)}).check({"width": width})


@pytest.mark.parametrize("width", [255, 2049, 2048.5])
def test_a_value_out_of_its_bounds_is_refused_before_it_is_sent(width: float) -> None:
    with pytest.raises(InvalidRequest, match=f"^width is {width}: this Space takes 256 to 2048$"):
        Contract(bounds={"width": (256, 2048)}).check({"prompt": "a fox", "width": width})


def test_a_posts_answer_has_the_event_id() -> None:
    assert event_id_from('{"event_id": "b889-AF_0.1"}') == "b889-AF_0.1"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "<html>", '{"event_id": null}', '{"event_id": 5}', '{"event_id": "../x"}', '{"event_id": ""}', "{}"],
)
def test_a_post_without_an_id_in_its_answer_is_a_broken_protocol(text: str) -> None:
    with pytest.raises(ProtocolError, match="gave it no id"):
        event_id_from(text)


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
    assert files_from(data, routes) == urls


@pytest.mark.parametrize("data", [[], [None, 42], [[], 42], [None], ["", 42], [{}, 42], [[None]], [42]])
def test_a_result_without_a_file_is_empty(data: list[Any]) -> None:
    with pytest.raises(EmptyResult, match="sent no image"):
        files_from(data, G5)


@pytest.mark.parametrize("data", [["a red fox"], [{"label": "fox", "confidences": []}, 1]])
def test_a_result_of_another_kind_is_not_an_image(data: list[Any]) -> None:
    with pytest.raises(NotAnImage, match="the Space's result is no image"):
        files_from(data, G5)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:image/png;base64,AA", "javascript:x", "ftp://h.example/a"])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ProtocolError, match="not http"):
        files_from([{"url": url}], G5)


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
    assert seed_from(data) == seed


@pytest.mark.parametrize(
    ("text", "value"),
    [("[1, null]", [1, None]), ('"a"', "a"), ("not json", "not json"), ("", ""), ("9" * 5000, "9" * 5000)],
)
def test_json_is_read_and_anything_else_stays_a_text(text: str, value: object) -> None:
    assert wire.parse(text) == value


@pytest.mark.parametrize(
    ("data", "seed"),
    [([{}, float("nan")], None), ([{}, float("inf")], None), ([{}, 42, 3.7], 42), ([{}, -1], None), ([{}, 7.0], 7)],
)
def test_only_a_whole_number_in_range_is_a_seed(data: list[object], seed: int | None) -> None:
    assert seed_from(data) == seed


@pytest.mark.parametrize(
    "found", [{"path": ""}, {"path": None, "url": ""}, {"url": "http://[bad"}, {"path": "/\ud800"}]
)
def test_a_file_without_a_usable_address_is_a_response_error(found: dict[str, object]) -> None:
    with pytest.raises(ResponseError):
        files_from([found], "http://h/gradio_api")


@pytest.mark.parametrize(
    "config",
    [
        {"dependencies": [None, {"api_name": "infer"}]},
        {"dependencies": [{"api_name": "infer", "inputs": [[1]]}], "components": [{"id": 1, "props": {}}]},
        {"dependencies": [{"api_name": "infer", "inputs": [1]}], "components": [{"id": 1, "props": [1]}]},
    ],
)
def test_a_configuration_of_another_shape_has_no_bounds(config: dict[str, object]) -> None:
    assert contract_from(config, "infer", ["prompt"]).bounds == {}

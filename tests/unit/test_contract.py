"""What a Space says of itself, and where the values of a model go whose file names the endpoint's inputs."""

from __future__ import annotations

from typing import Any

import pytest

from flux_magic.errors import InvalidRequest, SpaceChanged
from flux_magic.providers.gradio.by_file import find_endpoint, place_by_file
from flux_magic.providers.gradio.signature import Contract, Input, Signature, read_contract

ORDER = ["prompt", "seed", "randomize_seed", "width", "height", "num_inference_steps"]
KINDS = ["string", "number", "boolean", "number", "number", "number"]
VALUES = dict(zip(ORDER, ["a fox", 42, False, 768, 512, 4], strict=True))


def config(**changes: Any) -> dict[str, Any]:
    """Return a `/config` like that of Gradio 6, as far as it is read."""
    sliders = {2: (0, 2147483647), 4: (256, 2048), 5: (256, 2048), 6: (1, 50)}
    components: list[dict[str, Any]] = [{"id": 1, "props": {"label": "Prompt"}}, {"id": 3, "props": {"value": True}}]
    components += [{"id": key, "props": {"minimum": low, "maximum": high}} for key, (low, high) in sliders.items()]
    endpoints = [{"id": 7, "api_name": "infer", "inputs": [1, 2, 3, 4, 5, 6]}, {"id": 1, "api_name": False}]
    made = {"version": "6.31.0", "api_prefix": "/gradio_api", "title": "FLUX.1 [schnell]"}
    return made | {"dependencies": endpoints, "components": components} | changes


def told(name: str, kind: str = "number", default: Any = None, *, has_default: bool = False) -> dict[str, Any]:
    return {
        "parameter_name": name,
        "type": {"type": kind},
        "parameter_has_default": has_default,
        "parameter_default": default,
    }


def info(*parameters: dict[str, Any]) -> dict[str, Any]:
    """Return an `/info` with these parameters, the usual ones by default."""
    usual = [told(name, kind) for name, kind in zip(ORDER, KINDS, strict=True)]
    return {"named_endpoints": {"/infer": {"parameters": list(parameters) or usual}}, "unnamed_endpoints": {}}


def read(answer: object = None, /, **changes: Any) -> Signature:
    """Return the endpoint of a Space with this `/info`."""
    return find_endpoint(read_contract(config(**changes), answer), "infer", ORDER)


def named(*names: str, inputs: list[int] | None = None, **changes: Any) -> Signature:
    """Return the endpoint of a Space whose inputs have these names, in this order."""
    dependencies = [{"id": 0, "api_name": "infer", "inputs": inputs or [1, 2, 3, 4, 5, 6]}]
    kinds = dict(zip(ORDER, KINDS, strict=True))
    parameters = [told(name, kinds.get(name, "number")) for name in names]
    return read(info(*parameters), dependencies=dependencies, **changes)


def test_a_configuration_tells_version_prefix_title_function_and_bounds() -> None:
    contract, one = read_contract(config(), info()), read(info())
    assert (contract.version, contract.prefix, contract.title) == ("6.31.0", "/gradio_api", "FLUX.1 [schnell]")
    assert (contract.stand_in, contract.names, one.function) == (None, ["infer"], 7)
    assert [one.name for one in one.inputs] == ORDER
    assert {one.name: (one.least, one.most) for one in one.inputs if one.most is not None} == {
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
    assert read_contract(config(**changes)).prefix == prefix


@pytest.mark.parametrize("answer", [None, [], "page", {}, {"dependencies": None}, {"detail": "Not Found"}])
def test_what_is_no_configuration_gives_an_empty_contract(answer: object) -> None:
    assert read_contract(answer) == Contract()
    assert place_by_file(find_endpoint(Contract(), "infer", ORDER), VALUES) == list(VALUES.values())


@pytest.mark.parametrize(
    ("dependencies", "words"),
    [
        pytest.param([], "only none", id="none"),
        pytest.param([{"api_name": "chat"}, {"api_name": False}, {"api_name": "/ask"}], "only ask, chat", id="others"),
        pytest.param([{"api_name": None}, {}, None], "only none", id="nameless ones"),
    ],
)
def test_a_space_without_the_endpoint_has_changed(dependencies: list[Any], words: str) -> None:
    with pytest.raises(SpaceChanged, match=f"it has no endpoint infer, {words}"):
        read(dependencies=dependencies)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"components": None}, id="no components"),
        pytest.param({"components": ["x", {"id": 2, "props": None}, {}]}, id="odd components"),
        pytest.param({"dependencies": [{"api_name": "infer"}]}, id="no inputs"),
        pytest.param({"dependencies": [{"api_name": "infer", "inputs": [[71], 72]}]}, id="odd inputs"),
        pytest.param({"components": [{"id": 2, "props": {"minimum": "0", "maximum": 9}}]}, id="a bound that is a text"),
    ],
)
def test_bounds_that_are_not_told_are_no_bounds(changes: dict[str, Any]) -> None:
    (one,) = read_contract(config(**changes)).endpoints
    assert all(None in {one.least, one.most} for one in one.inputs)


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


def test_values_go_where_the_space_wants_them_by_name() -> None:
    swapped = named("prompt", "seed", "randomize_seed", "height", "width", "num_inference_steps")
    assert place_by_file(swapped, VALUES) == ["a fox", 42, False, 512, 768, 4]


def test_an_input_that_is_not_ours_gets_its_default() -> None:
    parameters = [*info()["named_endpoints"]["/infer"]["parameters"], told("guidance", default=3.5, has_default=True)]
    one = read(info(*parameters), dependencies=[{"api_name": "infer", "inputs": [1, 2, 3, 4, 5, 6, 9]}])
    assert place_by_file(one, VALUES) == [*VALUES.values(), 3.5]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param(
            ["prompt", "seed", "randomize_seed", "width", "height", "steps"],
            "it takes no num_inference_steps any more, but prompt, seed, randomize_seed, width, height, steps",
            id="renamed",
        ),
        pytest.param([*ORDER, "style"], "it now wants style as well", id="added without a default"),
        pytest.param(["text"], "it takes no prompt and no seed and no", id="another app"),
    ],
)
def test_other_inputs_are_named(names: list[str], said: str) -> None:
    with pytest.raises(SpaceChanged, match=said):
        place_by_file(named(*names, inputs=list(range(1, len(names) + 1))), VALUES)


def test_another_type_is_named() -> None:
    parameters = [told(name, "string" if name == "seed" else kind) for name, kind in zip(ORDER, KINDS, strict=True)]
    with pytest.raises(SpaceChanged, match="it now takes a string as seed"):
        place_by_file(read(info(*parameters)), VALUES)


@pytest.mark.parametrize("width", [255, 2049, 2048.5])
def test_a_value_out_of_its_bounds_is_refused_before_it_is_sent(width: float) -> None:
    with pytest.raises(InvalidRequest, match=f"^width is {width}: this Space takes 256 to 2048$"):
        place_by_file(named(*ORDER), VALUES | {"width": width})


@pytest.mark.parametrize("width", [256, 2048])
def test_the_bounds_themselves_are_allowed(width: int) -> None:
    assert place_by_file(named(*ORDER), VALUES | {"width": width})[3] == width


@pytest.mark.parametrize("answer", [None, {}, [], {"named_endpoints": {}}, {"named_endpoints": {"/infer": []}}])
def test_without_names_the_providers_order_holds_and_so_do_the_bounds(answer: object) -> None:
    assert place_by_file(read(answer), VALUES) == list(VALUES.values())
    with pytest.raises(InvalidRequest, match="width is 1"):
        place_by_file(read(answer), VALUES | {"width": 1})


def test_names_count_for_more_than_inputs() -> None:
    assert place_by_file(read(info(told("prompt", "string"))), {"prompt": "a fox"}) == ["a fox"]


def test_another_number_of_inputs_without_names_is_named() -> None:
    with pytest.raises(SpaceChanged, match="it takes 2 inputs in place of 6"):
        read(dependencies=[{"api_name": "infer", "inputs": [1, 2]}])


def test_what_the_server_fills_itself_is_sent_empty_in_its_place() -> None:
    """Gradio 5 counts it among the values of a job; Gradio 6 takes the values with it or without."""
    components = [*config()["components"], {"id": 8, "type": "state", "props": {}}]
    dependencies = [{"api_name": "infer", "inputs": [8, 1, 2, 3, 4, 5, 6]}]
    one = read(info(), components=components, dependencies=dependencies)
    assert place_by_file(one, VALUES) == [None, *VALUES.values()]


def test_a_value_that_is_no_number_has_no_bounds() -> None:
    assert Input("prompt", least=0, most=1).has_within("a fox")


def test_what_is_out_of_bounds_is_told_as_it_was_asked_for() -> None:
    with pytest.raises(InvalidRequest, match=r"^steps is 51: this Space takes 1 to 50$"):
        place_by_file(named(*ORDER), VALUES | {"num_inference_steps": 51}, {"num_inference_steps": "steps is 51"})


@pytest.mark.parametrize("prefix", [5, ["x"], "@127.0.0.1:9", "x", "//h", True])
def test_a_prefix_that_is_none_is_left_out(prefix: object) -> None:
    assert read_contract(config(api_prefix=prefix)).prefix == ""


@pytest.mark.parametrize(
    ("low", "high"), [(1, None), (20, 10**400), (float("nan"), 5), (50, 1)], ids=["one", "huge", "nan", "inverted"]
)
def test_bounds_that_are_none_do_not_count(low: object, high: object) -> None:
    components = [{"id": 4, "props": {"minimum": low, "maximum": high}}]
    assert place_by_file(read(components=components), VALUES) == list(VALUES.values())


def test_of_two_inputs_of_one_name_the_second_has_another() -> None:
    with pytest.raises(SpaceChanged, match="it now wants prompt_7 as well"):
        place_by_file(named(*ORDER, "prompt", inputs=[1, 2, 3, 4, 5, 6, 7]), VALUES)


def test_without_names_the_components_tell_a_text_from_a_number() -> None:
    components = [{"id": 1, "type": "slider", "props": {}}, {"id": 2, "type": "textbox", "props": {}}]
    with pytest.raises(SpaceChanged, match="it now takes a number as prompt"):
        place_by_file(read([1], components=components), VALUES)


def test_a_list_of_names_without_end_is_cut() -> None:
    many = [f"name{number}" for number in range(10_000)]
    with pytest.raises(SpaceChanged) as caught:
        place_by_file(named(*many, inputs=[1]), VALUES)
    assert len(str(caught.value)) < 1000

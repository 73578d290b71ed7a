"""A Space that describes itself: the meanings of its inputs, its endpoint, the values in their places, its results.

`tests/data/spaces` holds what the Spaces of `tests/wire/look_alikes.py` say of themselves under Gradio 5.50 and 6.31.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flux_magic.errors import EmptyResult, FluxError, InvalidRequest
from flux_magic.parameters.table import check_values
from flux_magic.providers.gradio.choosing import Need, choose_endpoint
from flux_magic.providers.gradio.description import describe_space
from flux_magic.providers.gradio.diffs import Partials
from flux_magic.providers.gradio.meanings import name_all
from flux_magic.providers.gradio.placing import Placed, place
from flux_magic.providers.gradio.results import find_images, find_used_seed
from flux_magic.providers.gradio.signature import Contract, Input, Output, Signature, read_contract
from flux_magic.providers.named.qwen_image import QwenImage
from flux_magic.types import ImageRequest, InputImage, InputRecord

SPACES = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parents[1] / "data" / "spaces").glob("*.json"))
}
VERSIONS = pytest.mark.parametrize("version", SPACES)
SEED = {"seed": 7, "randomize_seed": False}
SIDES = {"width": 1024, "height": 1024}


def contract(name: str, version: str = "gradio-6.31") -> Contract:
    told = SPACES[version][name]
    return name_all(read_contract(told["config"], told["info"]))


def image(number: int, role: str = "image") -> InputImage:
    return InputImage(InputRecord(role, "image/png", 8, 8, f"{number:064x}", f"sha{number}"), b"")


FIELDS = {"steps", "width", "height"}
FILES = {one: {"path": f"/{one.removeprefix('sha')}"} for one in (*(f"sha{n}" for n in range(9)), "layer", "composite")}
ONE, TWO, MASK = [image(1)], [image(1), image(2)], [image(1), image(3, "mask")]


def placed(name: str, version: str = "gradio-6.31", **options: Any) -> tuple[Signature, Placed, dict[str, Any]]:
    """Return the endpoint, the placed request, and its values by the names of the inputs."""
    sizes = options.pop("sizes", {})
    fields = {
        field: options.pop(field)
        for field in ("steps", "width", "height", "images", "seed", "chosen")
        if field in options
    }
    request = ImageRequest("a fox", **{"seed": 7, **fields}, parameters=options)
    there = contract(name, version)
    one = choose_endpoint(there, Need.of(request), str(request.parameters.get("endpoint", "")))
    found = place(one, request, FILES, sizes=sizes)
    check_values({name: value for name, value in found.parameters.items() if name not in FIELDS})
    return one, found, {each.name: value for each, value in zip(one.inputs, found.values, strict=True)}


def gallery(*numbers: int) -> list[dict[str, Any]]:
    return [{"image": {"path": f"/{number}"}, "caption": None} for number in numbers]


PLACES = [
    pytest.param("schnell", {}, {**SEED, **SIDES, "num_inference_steps": 4}, {**SIDES, "steps": 4}, id="schnell"),
    pytest.param(
        "dev",
        {"guidance": 4, "width": 512},
        {**SEED, "width": 512, "height": 1024, "guidance_scale": 4.0, "num_inference_steps": 28},
        {"width": 512, "height": 1024, "guidance": 4.0, "steps": 28},
        id="dev: one side alone",
    ),
    pytest.param(
        "kontext",
        {"images": ONE, "steps": 9},
        {"input_image": FILES["sha1"], **SEED, "guidance_scale": 2.5, "steps": 9},
        {"guidance": 2.5, "steps": 9},
        id="kontext: an image before the prompt",
    ),
    pytest.param(
        "flux2",
        {"images": TWO, "prompt_upsampling": False},
        {
            "input_images": gallery(1, 2),
            **SEED,
            **SIDES,
            "num_inference_steps": 30,
            "guidance_scale": 4,
            "prompt_upsampling": False,
        },
        {**SIDES, "steps": 30, "guidance": 4.0, "prompt_upsampling": False},
        id="flux2: several images, no rewriting",
    ),
    pytest.param(
        "klein",
        {"mode_choice": "Base (50 steps)", "steps": 50},
        {
            "mode_choice": "Base (50 steps)",
            **SEED,
            **SIDES,
            "num_inference_steps": 50,
            "guidance_scale": 1.0,
            "prompt_upsampling": False,
        },
        {"mode_choice": "Base (50 steps)", **SIDES, "steps": 50, "guidance": 1.0, "prompt_upsampling": False},
        id="klein: a mode is a choice of its own",
    ),
    pytest.param(
        "qwen",
        {"aspect_ratio": "1:1"},
        {**SEED, "aspect_ratio": "1:1", "guidance_scale": 4, "num_inference_steps": 50, "prompt_enhance": True},
        {"aspect_ratio": "1:1", "guidance": 4.0, "steps": 50, "prompt_enhance": True},
        id="qwen: a ratio alone says no pixels",
    ),
    pytest.param(
        "qwen",
        {"width": 928, "height": 1664, "sizes": QwenImage.sizes},
        {**SEED, "aspect_ratio": "9:16", "guidance_scale": 4, "num_inference_steps": 50, "prompt_enhance": True},
        {"aspect_ratio": "9:16", "width": 928, "height": 1664, "guidance": 4.0, "steps": 50, "prompt_enhance": True},
        id="qwen: its file knows the pixels",
    ),
    pytest.param(
        "qwen-demo",
        {"negative_prompt": "text"},
        {"negative_prompt": "text", **SEED, "aspect_ratio": "16:9", "guidance_scale": 5, "num_inference_steps": 50},
        {"negative_prompt": "text", "aspect_ratio": "16:9", "guidance": 5.0, "steps": 50},
        id="qwen-demo: a hidden box",
    ),
    pytest.param(
        "qwen-edit",
        {"images": ONE, "guidance": 3.0, "num_images_per_prompt": 2},
        {
            "image": FILES["sha1"],
            **SEED,
            "true_guidance_scale": 3,
            "num_inference_steps": 50,
            "rewrite_prompt": True,
            "num_images_per_prompt": 2,
        },
        {"guidance": 3.0, "steps": 50, "rewrite_prompt": True, "num_images_per_prompt": 2},
        id="qwen-edit: true guidance",
    ),
    pytest.param(
        "qwen-edit-2511",
        {"images": TWO, "width": 512, "height": 768},
        {
            "images": gallery(1, 2),
            **SEED,
            "true_guidance_scale": 4.0,
            "num_inference_steps": 40,
            "height": 768,
            "width": 512,
            "rewrite_prompt": True,
        },
        {"guidance": 4.0, "steps": 40, "height": 768, "width": 512, "rewrite_prompt": True},
        id="qwen-edit-2511: height first",
    ),
    pytest.param(
        "z-image",
        {"width": 1152, "height": 896, "shift": 4, "seed": 2_000_001, "chosen": True},
        {
            "resolution": "1152x896 ( 9:7 )",
            "seed": 1_000_000,
            "steps": 8,
            "shift": 4,
            "random_seed": False,
            "gallery_images": [],
            "enhance": False,
        },
        {"resolution": "1152x896 ( 9:7 )", "width": 1152, "height": 896, "steps": 8, "shift": 4, "enhance": False},
        id="z-image: a resolution, a seed of ours within its range",
    ),
    pytest.param(
        "z-image-fork",
        {"width": 512, "height": 768},
        {"height": 768, "width": 512, "num_inference_steps": 9, **SEED},
        {"height": 768, "width": 512, "steps": 9},
        id="z-image-fork: height first, and a twin",
    ),
    pytest.param(
        "sd3.5",
        {},
        {"negative_prompt": "", **SEED, **SIDES, "guidance_scale": 4.5, "num_inference_steps": 40},
        {**SIDES, "guidance": 4.5, "steps": 40},
        id="sd3.5: an empty negative prompt is none",
    ),
    pytest.param(
        "sd3.5",
        {"negative_prompt": ""},
        {"negative_prompt": "", **SEED, **SIDES, "guidance_scale": 4.5, "num_inference_steps": 40},
        {**SIDES, "guidance": 4.5, "steps": 40, "negative_prompt": ""},
        id="sd3.5: one that was asked for is sent and recorded",
    ),
    pytest.param(
        "lightning",
        {"chosen": True, "steps": 8},
        {"ckpt": "8-Step"},
        {"ckpt": "8-Step", "steps": 8},
        id="lightning: steps",
    ),
    pytest.param(
        "lightning",
        {"chosen": True, "ckpt": "1-Step", "steps": 1},
        {"ckpt": "1-Step"},
        {"ckpt": "1-Step", "steps": 1},
        id="and both",
    ),
    pytest.param(
        "sana",
        {"negative_prompt": "text", "guidance": 5.0, "style": "Anime"},
        {
            "negative_prompt": "text",
            "style": "Anime",
            "use_negative_prompt": True,
            "num_imgs": 2,
            "seed": 7,
            "height": 1024,
            "width": 1024,
            "flow_dpms_guidance_scale": 5,
            "flow_dpms_pag_guidance_scale": 1,
            "flow_dpms_inference_steps": 20,
            "randomize_seed": False,
        },
        {
            "negative_prompt": "text",
            "style": "Anime",
            "use_negative_prompt": True,
            "num_imgs": 2,
            "height": 1024,
            "width": 1024,
            "guidance": 5.0,
            "flow_dpms_pag_guidance_scale": 1,
            "steps": 20,
        },
        id="sana: a switch for the negative prompt",
    ),
    pytest.param(
        "hidream",
        {"width": 768, "height": 1360, "model_type": "fast"},
        {"model_type": "fast", "resolution": "768 × 1360 (Portrait)", "seed": 7},
        {"model_type": "fast", "resolution": "768 × 1360 (Portrait)", "width": 768, "height": 1360},
        id="hidream: another sign",
    ),
    pytest.param(
        "playground",
        {"use_negative_prompt": True},
        {
            "negative_prompt": "ugly",
            "use_negative_prompt": True,
            "seed": 7,
            **SIDES,
            "guidance": 3,
            "randomize_seed": False,
        },
        {"negative_prompt": "ugly", "use_negative_prompt": True, **SIDES, "guidance": 3.0},
        id="playground: its own negative prompt",
    ),
    pytest.param(
        "lora",
        {"images": ONE, "strength": 0.5, "cfg_scale": 4},
        {
            "image_input": FILES["sha1"],
            "image_strength": 0.5,
            "cfg_scale": 4,
            "steps": 28,
            "state": None,
            **SEED,
            **SIDES,
            "lora_scale": 0.95,
        },
        {"strength": 0.5, "guidance": 4.0, "steps": 28, **SIDES, "lora_scale": 0.95},
        id="lora: an own name, a state in its place",
    ),
    pytest.param(
        "pair", {"images": ONE}, {"image": FILES["sha1"], "strength": 0.6, "seed": 7}, {"strength": 0.6}, id="pair"
    ),
    pytest.param(
        "inpaint",
        {"images": MASK},
        {"photo": FILES["sha1"], "mask_image": FILES["sha3"], "seed": 7},
        {},
        id="inpaint: a mask",
    ),
    pytest.param(
        "editor",
        {"images": MASK},
        {
            "canvas": {"background": FILES["sha1"], "layers": [FILES["layer"]], "composite": FILES["composite"]},
            "seed": 7,
        },
        {},
        id="editor: a mask is a layer",
    ),
    pytest.param(
        "two", {"sharpness": 1.5}, {"seed": 7, "sharpness": 1.5}, {"sharpness": 1.5}, id="two: by what is asked for"
    ),
    pytest.param("two", {"endpoint": "/sketch"}, {"seed": 7, "sharpness": 1}, {"sharpness": 1}, id="two: by name"),
]


@VERSIONS
@pytest.mark.parametrize(("name", "options", "values", "parameters"), PLACES)
def test_each_value_goes_to_the_input_that_means_it(
    version: str, name: str, options: dict[str, Any], values: Mapping[str, Any], parameters: Mapping[str, Any]
) -> None:
    _, found, sent = placed(name, version, **options)
    prompts = [sent.pop(one) for one in [*sent] if sent[one] == "a fox"]
    assert prompts == ["a fox"]
    expected = {"input_images": sent["input_images"], **values} if "input_images" in sent else values
    assert sent == expected
    assert dict(found.parameters) == parameters


REFUSED = [
    ("dev", {"shift": 3}, "this Space takes no shift", "It takes width, height, guidance, steps."),
    ("dev", {"guidence": 3}, "this Space takes no guidence: did you mean guidance?", "It takes"),
    ("z-image", {"shfit": 3}, "this Space takes no shfit: did you mean shift?", "It takes resolution, steps, shift"),
    ("schnell", {"guidance": 3}, "this Space takes no guidance", "It takes"),
    ("dev", {"guidance": 16}, "guidance is 16.0: this Space takes 0 to 15", ""),
    ("dev", {"guidance": 1, "guidance_scale": 2}, "guidance_scale is 2, but guidance_scale is given as 1:", ""),
    ("dev", {"randomize_seed": True}, "randomize_seed follows from the seed: leave it out", ""),
    ("dev", {"guidance_scale": "much"}, "guidance_scale is 'much': this Space takes a number", ""),
    ("flux2", {"prompt_upsampling": "no"}, "prompt_upsampling is 'no': this Space takes true or false", ""),
    ("flux2", {"width": 1032, "height": 512}, "width is 1032: this Space takes 256 to 1024", ""),
    (
        "klein",
        {"mode_choice": "Base 50"},
        "mode_choice is 'Base 50', did you mean 'Base (50 steps)': this Space takes",
        "",
    ),
    ("lightning", {}, "this Space takes no seed: leave it out", ""),
    ("lightning", {"steps": 3}, "steps is 3: this Space takes 1, 2, 4, 8", ""),
    ("lightning", {"steps": 8, "ckpt": "1-Step"}, "ckpt is '1-Step', but ckpt is given as 8-Step", ""),
    ("hidream", {"width": 700, "height": 700}, "the size is 700x700: this Space makes only 1024x1024, 768x1360,", ""),
    ("hidream", {"width": 768}, "this Space takes no width or height alone: give the height as well", ""),
    ("qwen", {"width": 928, "height": 1664}, "this Space takes only 1:1, 16:9,", "--set aspect_ratio="),
    ("hidream", {"width": 768, "height": 1360, "resolution": "1024 × 1024 (Square)"}, "but resolution is", ""),
    ("playground", {"seed": 1_000_000}, "seed is 1000000: this Space takes 0 to 999999", ""),
    ("kontext", {}, "this Space needs an image: give one with --image", ""),
    ("kontext", {"images": TWO}, "2 images given: this Space takes 1 image at most", ""),
    ("schnell", {"images": ONE}, "1 image given: this Space takes no images", ""),
    ("flux2", {"images": MASK}, "1 mask(s) given: this Space takes 0", ""),
    ("kontext", {"images": ONE, "width": 512}, "this Space takes no width", "It takes guidance, steps."),
    ("two", {}, "several endpoints that make images: /paint (prompt, seed, contrast); /sketch", "--endpoint /paint"),
    ("two", {"endpoint": "/draw"}, "this Space has no endpoint /draw: choose /paint, /sketch", ""),
    ("chat", {}, "this Space has no endpoint that takes a prompt and gives images, but /chat", ""),
    ("chat", {"endpoint": "chat"}, "this Space makes no images from a prompt at /chat", ""),
]


@pytest.mark.parametrize(("name", "options", "message", "hint"), REFUSED)
def test_what_a_space_does_not_take_is_refused_in_one_line(
    name: str, options: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        placed(name, **options)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


DESCRIBED = [
    ("dev", "seed width height guidance steps", {"seeded": True, "endpoints": ("/infer",), "input_images": 0}),
    ("kontext", "seed guidance steps", {"input_images": 1, "needs_image": True}),
    (
        "flux2",
        "seed width height steps guidance prompt_upsampling",
        {"input_images": 16, "rewrites": ("prompt_upsampling",)},
    ),
    (
        "qwen-edit-2511",
        "seed guidance steps height width rewrite_prompt",
        {"rewrites": ("rewrite_prompt",), "needs_image": False},
    ),
    (
        "z-image",
        "resolution seed steps shift enhance",
        {"sizes": ((1024, 1024), (1152, 896), (896, 1152)), "rewrites": ()},
    ),
    ("z-image-fork", "height width steps seed", {"endpoints": ("/generate_image", "/generate_image_1")}),
    ("lightning", "steps", {"seeded": False}),
    ("inpaint", "seed", {"takes_mask": True, "needs_image": True}),
    ("editor", "seed", {"takes_mask": True}),
    ("lora", "strength guidance steps seed width height lora_scale", {"needs_image": False, "input_images": 1}),
    ("two", "seed contrast", {"endpoints": ("/paint", "/sketch")}),
]


@VERSIONS
@pytest.mark.parametrize(("name", "rows", "facts"), DESCRIBED)
def test_a_space_is_described_by_what_its_inputs_mean(
    version: str, name: str, rows: str, facts: dict[str, Any]
) -> None:
    told = describe_space(contract(name, version), "", None, {})
    assert " ".join(row.name for row in told["parameters"]) == rows
    assert {fact: told[fact] for fact in facts} == facts


def test_a_row_of_a_description_has_the_spaces_own_name_range_choices_and_default() -> None:
    rows = {row.name: row for row in describe_space(contract("klein"), "", None, {})["parameters"]}
    steps, mode = rows["steps"], rows["mode_choice"]
    assert (steps.own_name, steps.least, steps.most, steps.step, steps.default) == ("num_inference_steps", 1, 100, 1, 4)
    assert (steps.kind, steps.title) == (int, "Number of inference steps")
    assert (mode.choices, mode.default) == (("Distilled (4 steps)", "Base (50 steps)"), "Distilled (4 steps)")
    assert (rows["guidance"].kind, rows["guidance"].least, rows["guidance"].most) == (float, 0, 10)
    (steps,) = describe_space(contract("lightning"), "", None, {})["parameters"]
    assert (steps.choices, steps.default, steps.own_name) == ((1, 2, 4, 8), 4, "ckpt")


def file(path: str) -> dict[str, Any]:
    return {"path": path, "url": None, "meta": {"_type": "gradio.FileData"}}


def endpoint(*outputs: tuple[str, str, str]) -> Signature:
    """Return an endpoint with these outputs: component, label, number; the seed is component 1, a gallery 2."""
    inputs = (Input("seed", kind="number", least=0, most=99, number="1", meaning="seed"), Input("old", number="2"))
    return Signature("infer", inputs=inputs, outputs=tuple(Output(*one) for one in outputs))


IMAGE, NUMBER, TEXT = ("image", "Result", "5"), ("number", "", "6"), ("textbox", "", "7")
GALLERY, HISTORY, FED = ("gallery", "", "8"), ("gallery", "History", "9"), ("gallery", "", "2")
UPDATE = {"__type__": "update", "visible": True}
RESULTS = [
    pytest.param([IMAGE, NUMBER], [file("/a"), 3], ["/a"], 3, id="an image and a number"),
    pytest.param([IMAGE, TEXT, NUMBER], [file("/a"), "3", 4], ["/a"], 4, id="the last integer"),
    pytest.param([IMAGE, NUMBER, NUMBER], [file("/a"), 7, 4], ["/a"], 7, id="the one that was sent"),
    pytest.param(
        [IMAGE, ("textbox", "Seed Used", "7"), NUMBER], [file("/a"), "Seed: 8", 7], ["/a"], 8, id="by its label"
    ),
    pytest.param([IMAGE, NUMBER, ("slider", "", "1")], [file("/a"), 7, 9], ["/a"], 9, id="the input's own component"),
    pytest.param([IMAGE, ("number", "Seed", "6")], [file("/a"), 2**32 - 2], ["/a"], 2**32 - 2, id="a large seed"),
    pytest.param([IMAGE, NUMBER], [file("/a"), 100], ["/a"], 7, id="no seed among them: as sent"),
    pytest.param(
        [GALLERY], [[{"image": file("/a"), "caption": None}, {"image": file("/b")}]], ["/a", "/b"], 7, id="a gallery"
    ),
    pytest.param([("imageslider", "", "5")], [[file("/a"), file("/b")]], ["/b"], 7, id="the second of a pair"),
    pytest.param([IMAGE, HISTORY], [file("/a"), [{"image": file("/b")}]], ["/a"], 7, id="a history beside it"),
    pytest.param([HISTORY], [[{"image": file("/b")}]], ["/b"], 7, id="a history alone"),
    pytest.param([FED], [[{"image": file("/new")}, {"image": file("/old")}]], ["/new"], 7, id="fed back, newest first"),
    pytest.param([FED], [[{"image": file("/old")}, {"image": file("/new")}]], ["/new"], 7, id="fed back, newest last"),
    pytest.param(
        [IMAGE, GALLERY], [file("/a"), [{"image": file("/a")}, {"image": file("/b")}]], ["/a", "/b"], 7, id="once each"
    ),
    pytest.param(
        [("button", "", "4"), IMAGE, ("html", "", "3")],
        [UPDATE, file("/a"), {**UPDATE, "value": "<b>"}],
        ["/a"],
        7,
        id="updates",
    ),
    pytest.param([IMAGE], [{**UPDATE, "value": file("/a")}], ["/a"], 7, id="an update that holds it"),
    pytest.param([("file", "", "5")], [file("/a")], ["/a"], 7, id="a file"),
    pytest.param([], [file("/a"), 3], ["/a"], 3, id="outputs that are not told"),
]


@pytest.mark.parametrize(("outputs", "data", "images", "seed"), RESULTS)
def test_images_and_seed_are_found_among_the_outputs(
    outputs: list[tuple[str, str, str]], data: list[Any], images: list[str], seed: int | None
) -> None:
    one = endpoint(*outputs)
    sent: list[Any] = [7, [{"image": file("/old")}]]
    assert find_images(one, data, "http://h", sent) == [f"http://h/file={path}" for path in images]
    assert find_used_seed(one, data, Placed(sent, 7, {}, {})) == seed
    assert find_used_seed(Signature("infer"), data, Placed(sent, None, {}, {})) is None


def test_a_result_without_an_image_is_empty() -> None:
    with pytest.raises(EmptyResult):
        find_images(endpoint(IMAGE, NUMBER), [None, 3], "http://h")


CHANGES = [
    pytest.param([{"path": "/a"}], [[["replace", ["path"], "/b"]]], [{"path": "/b"}], id="replace"),
    pytest.param([{"path": "/a"}, 1], [[["replace", [], {"path": "/b"}]], []], [{"path": "/b"}, 1], id="the whole"),
    pytest.param([[1]], [[["append", [], [2]]]], [[1, 2]], id="append"),
    pytest.param([{"a": "x"}], [[["append", ["a"], "y"], ["add", ["b"], 1]]], [{"a": "xy", "b": 1}], id="add"),
    pytest.param([[1, 2]], [[["add", [0], 0], ["delete", [2], None]]], [[0, 1]], id="delete"),
    pytest.param([{"path": "/a"}], [{"path": "/b"}], [{"path": "/b"}], id="whole again"),
    pytest.param([{"path": "/a"}], [[["replace", ["x", "y"], 1]]], None, id="what does not fit"),
    pytest.param([1], [[["replace", [0] * 40, 1]]], None, id="too deep"),
    pytest.param([1], [1, 2], None, id="another number of outputs"),
]


@pytest.mark.parametrize(("first", "then", "whole"), CHANGES)
def test_later_partial_results_are_changes_of_the_first(first: list[Any], then: list[Any], whole: Any) -> None:
    partials, before = Partials(), json.dumps(first)
    assert partials.take(first) == first
    assert partials.take(then) == whole
    assert json.dumps(first) == before
    if whole is None:
        assert partials.take(first) is None, "nothing is known after that"


NAMES = [
    "prompt",
    "text",
    "negative_prompt",
    "width",
    "height",
    "steps",
    "num_inference_steps",
    "guidance_scale",
    "cfg",
]
NAMES += ["true_guidance_scale", "seed", "randomize_seed", "aspect_ratio", "size", "resolution", "strength", "image"]
NAMES += [
    "images",
    "mask",
    "model",
    "endpoint",
    "shift",
    "prompt_upsampling",
    "use_negative_prompt",
    "ckpt",
    "hf_token",
    "ü",
]
NUMBERS = st.one_of(st.integers(-5, 5000), st.floats(allow_nan=True), st.none(), st.just(10**400))
VALUES = st.one_of(NUMBERS, st.text(max_size=5), st.booleans(), st.lists(st.integers(), max_size=2))
COMPONENTS = [
    "textbox",
    "slider",
    "number",
    "checkbox",
    "dropdown",
    "radio",
    "image",
    "gallery",
    "state",
    "imageeditor",
    "x",
]
CHOICES = st.lists(
    st.one_of(st.sampled_from(["1024x1024 ( 1:1 )", "16:9", "4-Step", "Square", 3]), st.lists(VALUES, max_size=2)),
    max_size=4,
)
PROPS = st.dictionaries(st.sampled_from(["minimum", "maximum", "step", "value", "multiselect"]), VALUES)
INPUT = st.tuples(st.sampled_from(NAMES), st.sampled_from(COMPONENTS), PROPS, CHOICES, st.sampled_from(NAMES))
ASKED = st.dictionaries(
    st.sampled_from([*NAMES, "guidance", "style"]), st.one_of(st.integers(1, 9), st.just("16:9")), max_size=3
)


def told_by(inputs: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the `/config` and `/info` of a Space with these inputs."""
    kinds = {"textbox": "string", "dropdown": "string", "radio": "string", "checkbox": "boolean"}
    components: list[dict[str, Any]] = [{"id": 99, "type": "image", "props": {}}]
    parameters = []
    for number, (name, component, props, choices, label) in enumerate(inputs):
        all_props = {**props, "label": label} | ({"choices": choices} if component in {"dropdown", "radio"} else {})
        components.append({"id": number, "type": component, "props": all_props, "skip_api": component == "state"})
        if component != "state":
            kind = kinds.get(component, "number" if component in {"slider", "number"} else "object")
            has = props.get("value") is not None
            told = {"parameter_name": name, "parameter_has_default": has, "parameter_default": props.get("value")}
            parameters.append(told | {"type": {"type": kind}, "label": label, "component": component.title()})
    endpoint = {"id": 0, "api_name": "infer", "inputs": [*range(len(inputs))], "outputs": [99], "targets": []}
    info = {"named_endpoints": {"/infer": {"parameters": parameters}}}
    return {"components": components, "dependencies": [endpoint], "api_prefix": "/gradio_api"}, info


@given(st.lists(INPUT, max_size=8, unique_by=lambda one: one[0]), ASKED, st.integers(0, 2))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_space_that_nobody_has_seen_gets_a_true_record_or_a_clear_refusal(
    inputs: list[Any], asked: dict[str, Any], images: int
) -> None:
    there = name_all(read_contract(*told_by(inputs)))
    sides = {name: asked.pop(name) * 64 for name in ("width", "height") if isinstance(asked.get(name), int)}
    steps = asked.pop("steps") if isinstance(asked.get("steps"), int) else None
    try:
        request = ImageRequest("a fox", steps=steps, seed=7, parameters=asked, images=[image(1)] * images, **sides)
        one = choose_endpoint(there, Need.of(request))
        found = place(one, request, FILES)
    except FluxError as error:
        refusal = error
        assert 0 < len(str(refusal)) < 2000
        return
    assert len(found.values) == len(inputs)
    sent = {one.name: value for one, value in zip(one.inputs, found.values, strict=True)}
    assert list(sent.values()).count("a fox") >= 1
    for side, value in sides.items():
        assert found.parameters[side] == value, "what was asked for was sent"
    if steps is not None:
        assert found.parameters["steps"] == steps
    check_values({name: value for name, value in found.parameters.items() if name not in FIELDS})
    again = ImageRequest(
        "a fox",
        seed=7,
        width=found.parameters.get("width"),
        height=found.parameters.get("height"),
        steps=found.parameters.get("steps"),
        parameters={name: value for name, value in found.parameters.items() if name not in FIELDS},
        images=[image(1)] * images,
    )
    with suppress(InvalidRequest):  # a default of its own that the Space itself does not take
        assert place(one, again, FILES).values == found.values, "the record's cell sends the same"
    describe_space(there, "", None, {})

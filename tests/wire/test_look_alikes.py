"""Spaces that no file names, asked for images: what arrives, what is recorded, and that its cell makes it again."""

from __future__ import annotations

import hashlib
import io
import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flux_magic.client.async_client import AsyncClient
from flux_magic.client.doctor import examine
from flux_magic.errors import FluxError, InvalidRequest, SpaceError
from flux_magic.images import codecs
from flux_magic.jupyter import cell
from flux_magic.parameters import settings
from flux_magic.parameters.addresses import Space
from flux_magic.parameters.settings import resolve
from flux_magic.providers import BlackForestLabs_Flux1Schnell
from flux_magic.providers.gradio.any_space import AnySpace
from flux_magic.providers.gradio.endpoint import Endpoint
from flux_magic.providers.named.flux1_kontext_dev import Flux1KontextDev
from flux_magic.providers.named.qwen_image import QwenImage
from flux_magic.providers.named.z_image_turbo import ZImageTurbo
from flux_magic.records.record import parse_record
from flux_magic.results.generation import Generation
from flux_magic.types import ImageRequest, InputImage, InputRecord, Log, Preview
from tests.support.space import run, run_space

APP = Path(__file__).with_name("look_alikes.py")


@pytest.fixture(scope="module")
def spaces() -> Iterator[str]:
    """Yield the address below which the Spaces are."""
    with run_space(app=APP) as address:
        yield address


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Endpoint, "_files", {})


def noise(role: str) -> InputImage:
    """Return an image that goes in."""
    out = io.BytesIO()
    Image.frombytes("RGB", (64, 48), hashlib.shake_256(role.encode()).digest(3 * 64 * 48)).save(out, "png")
    known = codecs.describe(out.getvalue())
    record = InputRecord(role, known.media_type, known.width, known.height, known.digest, known.sha256)
    return InputImage(record, out.getvalue())


PICTURE, MASK = noise("image"), noise("mask")
CAME, MASK_CAME = (f"file {one.record.sha256[:8]}" for one in (PICTURE, MASK))


def get_arrived(space: str) -> dict[str, Any]:
    """Return the endpoint and the values of the last request that a Space took."""
    base, _, name = space.rpartition("/")
    with urllib.request.urlopen(f"{base}/arrived/{name}") as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def ask(space: str, request: ImageRequest, **options: Any) -> tuple[Generation, list[Any]]:
    """Return the image of a request, and the events before it."""

    async def collect() -> list[Any]:
        return [event async for event in AsyncClient().stream(request, resolve(space=space, **options))]

    *events, made = run(collect())
    assert isinstance(made, Generation)
    return made, events


def fox(**fields: Any) -> ImageRequest:
    return ImageRequest("a fox", **{"seed": 7, **fields})


SIDES = {"width": 512, "height": 256}
RESOLUTION = {"width": 1152, "height": 896, "parameters": {"shift": 4}}
MADE = [
    ("dev", {**SIDES, "parameters": {"guidance": 4}}, {"guidance_scale": 4, "num_inference_steps": 28, **SIDES}),
    ("z-image", RESOLUTION, {"resolution": "1152x896 ( 9:7 )", "shift": 4, "seed": 7, "gallery_images": None}),
    ("lora", {"parameters": {"strength": 0.5}}, {"image_strength": 0.5, "selected_index": None, "image_input": None}),
    ("sana", {"parameters": {"negative_prompt": "text"}}, {"negative_prompt": "text", "use_negative_prompt": True}),
    ("qwen", {"parameters": {"aspect_ratio": "1:1"}}, {"aspect_ratio": "1:1", "prompt_enhance": True}),
    ("hidream", {"width": 768, "height": 1360}, {"resolution": "768 × 1360 (Portrait)", "seed": 7}),
    ("two", {"parameters": {"endpoint": "/sketch"}}, {"endpoint": "sketch", "sharpness": 1}),
    ("z-image-fork", {"width": 512, "height": 576}, {"endpoint": "generate_image", "height": 576, "width": 512}),
]


@pytest.mark.parametrize(("name", "fields", "values"), MADE)
def test_an_image_is_made_recorded_made_again_by_its_cell_and_replayed_by_both_keys(
    spaces: str, name: str, fields: dict[str, Any], values: Mapping[str, Any]
) -> None:
    space = f"{spaces}/{name}"
    made, _ = ask(space, fox(**fields))
    first = get_arrived(space)
    assert {one: first[one] for one in values} == values
    assert not first.get("randomize_seed", first.get("random_seed"))
    record = made.record
    assert (record.seed, record.model, record.provider) == (7, f"unknown (Space {space})", "Gradio Space")
    assert parse_record(json.loads(json.dumps(record.as_dict()))) == record
    line, prompt = made.command().split("\n")
    asked = cell.read(line.removeprefix("%%flux"), prompt, {})
    assert isinstance(asked.images, list)
    again, _ = ask(space, asked.images[0], replay="off")
    assert (again.digest, again.replayed, get_arrived(space)) == (made.digest, False, first)
    for request in (fox(**fields), asked.images[0]):
        found, _ = ask(space, request, replay="only")
        assert (found.digest, found.replayed) == (made.digest, True)


@pytest.mark.parametrize(
    ("name", "fields", "configured", "lost", "kept"),
    [
        pytest.param(
            "kontext", {"images": [PICTURE]}, SIDES, "width and no height", (None, None, {}, False), id="size"
        ),
        pytest.param("schnell", {}, {"guidance": 3.5, "steps": 2}, "guidance", (None, 2, {}, False), id="parameter"),
        pytest.param("lightning", {"seed": None}, {"seed": 4}, "seed", (None, None, {}, True), id="seed"),
    ],
)
def test_a_configured_default_that_a_model_lacks_is_left_out_and_what_a_call_gives_is_refused(
    spaces: str, name: str, fields: dict[str, Any], configured: dict[str, Any], lost: str, kept: Any
) -> None:
    space = f"{spaces}/{name}"
    settings.configure_by(lambda: configured)
    try:
        made, events = ask(space, fox(**fields))
        notes = [event.message for event in events if isinstance(event, Log)]
        assert notes == [f"this model takes no {lost}: what %config says is left out"]
        request = made.request
        assert (request.width, request.steps, dict(request.parameters), request.chosen) == kept
        assert ask(space, fox(**fields), replay="auto")[0].replayed == (name != "lightning")
        with pytest.raises(InvalidRequest, match="this Space takes no"):
            ask(space, fox(**fields), **configured)
    finally:
        settings.configure_by(dict)


EDITED = [
    ("kontext", [PICTURE], {"input_image": CAME, "steps": 28}),
    ("flux2", [PICTURE, PICTURE], {"input_images": [[CAME, None], [CAME, None]]}),
    ("qwen-edit", [PICTURE], {"image": CAME, "true_guidance_scale": 4.0}),
    ("pair", [PICTURE], {"image": CAME, "strength": 0.6}),
    ("inpaint", [PICTURE, MASK], {"photo": CAME, "mask_image": MASK_CAME, "edit_instruction": "a fox"}),
    ("lora", [PICTURE], {"image_input": CAME, "width": 1024}),
]


@pytest.mark.parametrize(("name", "images", "values"), EDITED)
def test_images_go_in_and_are_recorded(
    spaces: str, name: str, images: list[InputImage], values: Mapping[str, Any]
) -> None:
    space = f"{spaces}/{name}"
    made, _ = ask(space, fox(images=images))
    first = get_arrived(space)
    assert {one: first[one] for one in values} == values
    assert made.record.images == tuple(one.record for one in images)
    found, _ = ask(space, fox(images=images), replay="only")
    assert (found.digest, found.replayed) == (made.digest, True)
    assert len(Endpoint._files) == len(set(images)), "each is uploaded once"


def test_an_editors_mask_is_a_layer(spaces: str) -> None:
    ask(f"{spaces}/editor", fox(images=[PICTURE, MASK]))
    canvas = get_arrived(f"{spaces}/editor")["canvas"]
    assert len(canvas["layers"]) == 1
    assert len({canvas["background"], canvas["composite"], canvas["layers"][0]}) == 3


def test_a_box_for_a_secret_gets_the_spaces_default_which_no_record_holds(spaces: str) -> None:
    record = ask(f"{spaces}/token", fox())[0].record
    assert get_arrived(f"{spaces}/token")["hf_token"] == "secret"
    assert (record.sent, dict(record.parameters)) == ({"hf_token": "***"}, {})
    assert "secret" not in json.dumps(record.as_dict())
    with pytest.raises(InvalidRequest, match=r"this Space takes no \*\*\*"):
        ask(f"{spaces}/token", fox(parameters={"hf_token": "mine"}))


def test_a_generators_steps_are_previews_and_its_last_is_the_result(spaces: str) -> None:
    made, events = ask(f"{spaces}/dev", fox(width=256, height=256))
    previews = [event.images for event in events if isinstance(event, Preview)]
    assert len(previews) == 3
    assert made.files[0].url in previews[-1]
    assert previews[0] != previews[-1]


def test_of_several_images_all_are_kept_and_of_a_pair_the_second(spaces: str) -> None:
    made, _ = ask(f"{spaces}/sana", fox(width=256, height=256, parameters={"num_imgs": 3}))
    assert len({file.record.digest for file in made.files}) == 3
    made, _ = ask(f"{spaces}/pair", fox(images=[PICTURE]))
    assert len(made.files) == 1


def test_where_no_seed_goes_in_none_is_recorded_and_nothing_is_replayed(spaces: str) -> None:
    first, _ = ask(f"{spaces}/lightning", fox(chosen=True))
    again, _ = ask(f"{spaces}/lightning", fox(chosen=True))
    assert [one.record.seed for one in (first, again)] == [None, None]
    assert not again.replayed
    assert (first.record.steps, dict(first.record.parameters)) == (
        4,
        {"ckpt": "4-Step", "endpoint": "/generate_image"},
    )


def test_a_seed_of_ours_is_within_the_spaces_range_and_one_of_the_spaces_is_recorded(spaces: str) -> None:
    made, _ = ask(f"{spaces}/playground", fox(seed=2_000_000_000, chosen=True))
    assert made.record.seed == get_arrived(f"{spaces}/playground")["seed"] == 2_000_000_000 % 1_000_000
    made, _ = ask(f"{spaces}/z-image-fork", fox(randomize_seed=True))
    assert (made.record.seed or 0) >= 2**31


DOUBTED = [
    ("grey", "the Space warned: unsafe: a grey square instead; an image is of one flat colour"),
    ("qwen", "the Space may have rewritten the prompt (prompt_enhance)"),
    ("dev", ""),
]


@pytest.mark.parametrize(("name", "note"), DOUBTED)
def test_a_result_that_may_be_none_is_kept_with_a_note(spaces: str, name: str, note: str) -> None:
    made, _ = ask(f"{spaces}/{name}", fox())
    assert made.note[: len(note) or None] == note
    assert made.record.rewrites == (("prompt_enhance",) if name == "qwen" else ())
    assert made.files


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("dev", {"parameters": {"guidance": 16}}, "guidance is 16.0: this Space takes 0 to 15"),
        ("dev", {"parameters": {"shfit": 3}}, "this Space takes no shfit"),
        ("hidream", {"width": 700, "height": 700}, "this Space makes only 1024x1024"),
        ("schnell", {"images": [PICTURE]}, "this Space takes no images"),
        ("kontext", {}, "this Space needs an image"),
        ("two", {}, "several endpoints that make images"),
        ("chat", {}, "no endpoint that takes a prompt and gives images, but /chat"),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_is_sent(
    spaces: str, name: str, fields: dict[str, Any], message: str
) -> None:
    before = get_arrived(f"{spaces}/{name}")
    with pytest.raises(InvalidRequest, match=message):
        ask(f"{spaces}/{name}", fox(**fields))
    assert get_arrived(f"{spaces}/{name}") == before
    assert not Endpoint._files


def test_a_choice_that_a_click_makes_is_named_where_the_space_wants_one(spaces: str) -> None:
    with pytest.raises(SpaceError, match="You must select a LoRA") as caught:
        ask(f"{spaces}/broken", fox())
    assert "/run_lora may need a choice made by a click in its page first" in caught.value.hint


def test_a_named_model_that_moves_is_described_by_its_space_and_known_again_without_asking(spaces: str) -> None:
    space = Space.parse(f"{spaces}/kontext")
    assert AnySpace.recall_description(space) is None
    report = run(examine(resolve(space=space.name)))
    assert "--guidance" in str(report)
    assert (report.rows["images in"], report.healthy) == ("up to 1, at least one", True)
    for provider in (AnySpace, Flux1KontextDev):
        known = provider.recall_description(space)
        assert known is not None
        assert [row.name for row in known.parameters] == ["seed", "guidance", "steps"]
    made, _ = ask(space.name, ImageRequest("a fox", "kontext", seed=7, images=[PICTURE]))
    assert made.record.model == f"unknown (Space {space.name})"


def test_an_address_without_a_space_says_so(spaces: str) -> None:
    with pytest.raises(FluxError, match="there is no Gradio Space at"):
        ask(f"{spaces}/nothing", fox())


def test_a_model_of_a_small_file_has_its_name_its_sizes_and_its_endpoint_on_its_own_space(
    spaces: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[Any] = [
        type("Moved", (QwenImage,), {"url": f"{spaces}/qwen"}),
        type("Moved", (ZImageTurbo,), {"url": f"{spaces}/z-image"}),
    ]
    monkeypatch.setattr("flux_magic.providers.registry.PROVIDERS", (BlackForestLabs_Flux1Schnell, *moved))
    made = run(AsyncClient().generate("a fox", model="qwen", size="928x1664", seed=7))
    assert isinstance(made, Generation)
    assert get_arrived(f"{spaces}/qwen")["aspect_ratio"] == "9:16"
    record = made.record
    assert (record.model, record.provider, record.key_model) == ("Qwen/Qwen-Image", "Qwen-Image", "")
    assert (record.width, record.height, record.steps, record.requested_steps) == (928, 1664, 50, None)
    assert made.command().startswith("%%flux --steps 50 --seed 7 --size 928x1664 --model qwen --guidance 4")
    again = run(AsyncClient(replay="only").generate("a fox", model="qwen", size="928x1664", seed=7))
    assert isinstance(again, Generation)
    assert again.replayed
    made = run(AsyncClient(space=f"{spaces}/z-image").generate("a fox", seed=7))
    assert isinstance(made, Generation)
    assert made.record.model == "Tongyi-MAI/Z-Image-Turbo", "a Space that is a named model's has its name"
    with pytest.raises(InvalidRequest, match="the size is 1000x1000: this Space makes only 1328x1328, 1664x928"):
        run(AsyncClient().generate("a fox", model="qwen", size="1000x1000"))

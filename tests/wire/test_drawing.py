"""What the bundled Space draws, and that it is the public Space to anyone who asks it."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from PIL import Image

from flux_magic.images import codecs
from flux_magic.images.digest import compute_pixel_digest
from flux_magic.providers.stand_in.space_drawing import draw
from flux_magic.providers.stand_in.space_editing import edit
from tests.support.space import PYTHON, make_digest, make_image, run, run_space

WATCHED = Path(__file__).with_name("watched.py")
NON_LATIN = "un café à la mer, 夜の海 🌊"

PINNED = [
    pytest.param(
        "a red fox",
        {"seed": 42, "steps": 4},
        "d7b015a9650996092a1da9409a6ee857ed45a482e76904b65fba2f5cb727bb15",
        id="small",
    ),
    pytest.param(
        "a red fox",
        {"seed": 0, "steps": 1, "width": 264, "height": 2048},
        "31e2aa3d5637b9182fb82300defb0df724349c0c45244cb1fa9d9dc9ca4266b8",
        id="the least seed and steps, the largest height",
    ),
    pytest.param(
        NON_LATIN,
        {"seed": 2147483647, "steps": 50, "width": 512, "height": 384},
        "ae449e2592c04f73890474f46c0b38607d189feb6f3546ddd634e4ff46594461",
        id="other letters, the largest seed and steps",
    ),
    pytest.param(
        "x" * 100_000,
        {"seed": 1},
        "56a3f82a5b29ae2ad5109720fc4e273b23306f3e05dae461d445a1a060e54115",
        id="100 kB",
    ),
]


@pytest.mark.parametrize(("prompt", "options", "pixels"), PINNED)
def test_the_pixels_are_the_same_on_every_machine(
    space: str, prompt: str, options: dict[str, Any], pixels: str
) -> None:
    assert make_digest(space, prompt, **options) == pixels


def test_every_parameter_changes_the_picture(space: str) -> None:
    changes: list[dict[str, Any]] = [{}, {"seed": 43}, {"steps": 3}, {"steps": 4}, {"width": 264}, {"height": 264}]
    digests = [make_digest(space, **change) for change in changes] + [make_digest(space, "a red hen")]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("size", [(256, 256), (256, 2048), (1000, 256), (616, 424)])
def test_a_picture_has_the_size_that_was_asked_for(space: str, size: tuple[int, int]) -> None:
    made = run(make_image(space, width=size[0], height=size[1], steps=1))
    assert made.images[0].size == size
    assert len(made.images[0].convert("RGB").getcolors(maxcolors=2**24) or []) > 100


def test_the_picture_is_a_lossless_webp(space: str) -> None:
    assert run(make_image(space)).data[12:16] == b"VP8L"


async def called(address: str, *values: object) -> list[Any]:
    """Return the outputs for these inputs, by the two requests of Gradio's documentation."""
    async with aiohttp.ClientSession(address, raise_for_status=True) as session:
        async with session.get("/config") as response:
            prefix = (await response.json()).get("api_prefix") or ""
        async with session.post(f"{prefix}/call/infer", json={"data": values}) as response:
            event_id = (await response.json())["event_id"]
        async with session.get(f"{prefix}/call/infer/{event_id}") as response:
            name, data = (await response.text()).strip().splitlines()[-2:]
        assert name == "event: complete"
        outputs: list[Any] = json.loads(data.removeprefix("data: "))
        async with session.get(f"{prefix}/file={outputs[0]['path']}") as response:
            return [await response.read(), *outputs[1:]]


@pytest.mark.parametrize("prompt", ["", None, " \n", "\N{NULL}\ttabs", "\u202e"], ids=repr)
def test_any_prompt_can_be_drawn(space: str, prompt: str | None) -> None:
    data, seed = run(called(space, prompt, 42, False, 256, 256, 2))
    assert codecs.describe(data).width == 256
    assert seed == 42


def test_a_prompt_that_is_left_out_is_an_empty_one(space: str) -> None:
    blank, none = (run(called(space, prompt, 42, False, 256, 256, 2))[0] for prompt in ("", None))
    assert codecs.describe(blank).digest == codecs.describe(none).digest


def test_an_input_that_the_public_space_has_is_not_left_out(space: str) -> None:
    with pytest.raises(AssertionError, match="event: error"):
        run(called(space, "a red fox", 42, False, 256, 256))


def test_a_guidance_and_a_negative_prompt_arrive(space: str) -> None:
    data, _ = run(called(space, "a red fox", 42, False, 256, 256, 2, "sun", 7.05))
    image = draw("a red fox", 42, 256, 256, 2, "sun", 705)
    assert codecs.describe(data).digest == compute_pixel_digest(Image.fromarray(image))


class Editor:
    """A client that uploads images to a Space and has them edited."""

    def __init__(self, session: aiohttp.ClientSession, prefix: str) -> None:
        self._session, self._prefix = session, prefix

    async def upload(self, data: bytes) -> dict[str, Any]:
        form = aiohttp.FormData()
        form.add_field("files", data, filename="image.png")
        async with self._session.post(f"{self._prefix}/upload", data=form) as response:
            (path,) = await response.json()
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    async def edit(self, *values: object) -> bytes | str:
        """Return the edited image, or why there is none."""
        async with self._session.post(f"{self._prefix}/call/edit", json={"data": values}) as response:
            session = (await response.json())["event_id"]
        async with self._session.get(f"{self._prefix}/queue/data", params={"session_hash": session}) as response:
            messages = [json.loads(line[6:]) for line in (await response.text()).splitlines() if line]
        (output,) = [one["output"] for one in messages if one["msg"] == "process_completed"]
        if "data" not in output:
            return str(output["error"])
        image, seed = output["data"]
        assert seed == values[2]
        async with self._session.get(f"{self._prefix}/file={image['path']}") as response:
            return await response.read()


@asynccontextmanager
async def open_editor(address: str) -> AsyncIterator[Editor]:
    async with aiohttp.ClientSession(address, raise_for_status=True) as session:
        async with session.get("/config") as response:
            prefix = (await response.json()).get("api_prefix") or ""
        yield Editor(session, prefix)


def make_png(pixels: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_an_image_is_uploaded_and_edited_and_so_is_the_edit(space: str) -> None:
    drawing = draw("a red fox", 42, 256, 256, 4)
    mask = np.zeros((256, 256), dtype=np.uint8)
    mask[:, :100] = 255

    async def work() -> list[bytes | str]:
        async with open_editor(space) as editor:
            first = await editor.upload(make_png(drawing))
            winter = await editor.edit(first, "make it winter", 7, False, 3.5, 4)
            assert isinstance(winter, bytes)
            night = await editor.edit(await editor.upload(winter), "at night", 7, False, 3.5, 4, None)
            part = await editor.edit(first, "fog", 7, False, 9.25, 4, await editor.upload(make_png(mask)))
            return [winter, night, part]

    made = [one for one in run(work()) if isinstance(one, bytes)]
    winter = edit(drawing, "make it winter", 7, 4)
    edits = [winter, edit(winter, "at night", 7, 4), edit(drawing, "fog", 7, 4, 925, mask.astype(np.int64))]
    assert [codecs.describe(data).digest for data in made] == [
        compute_pixel_digest(Image.fromarray(pixels)) for pixels in edits
    ]
    assert {data[12:16] for data in made} == {b"VP8L"}


def test_what_cannot_be_edited_is_refused_in_words(space: str) -> None:
    wide, small = (make_png(np.zeros((128, width), dtype=np.uint8)) for width in (2049, 200))
    cut = small[:60]
    meta = {"_type": "gradio.FileData"}

    async def work() -> list[bytes | str]:
        async with open_editor(space) as editor:
            files = [await editor.upload(data) for data in (wide, cut, small)]
            strangers = [
                {"path": __file__, "meta": meta},
                {"path": __file__},
                {"path": f"{space}/file=image.png", "meta": meta},
                {"path": None, "url": "data:image/png;base64,AAAA", "meta": meta},
            ]
            asked = [*files[:2], None, *strangers]
            refused = [await editor.edit(one, "fog", 7, False, 3.5, 4) for one in asked]
            return [*refused, await editor.edit(files[2], "fog", 7, False, 3.5, 4, files[0])]

    stranger = "upload the image first: this Space opens no other file, and no address"
    assert run(work()) == [
        "the image has 2049 x 128 pixels: this Space takes 128 to 2048 a side",
        "the image cannot be read: give a PNG, JPEG, WebP or GIF that is whole",
        "an edit needs an image: give one as input_image",
        *[stranger] * 4,
        "the mask has 2049 x 128 pixels: this Space takes 128 to 2048 a side",
    ]


def test_a_random_seed_is_the_spaces_and_makes_the_same_picture_again(space: str) -> None:
    data, seed = run(called(space, "a red fox", 42, True, 256, 256, 2))
    assert 0 <= seed <= 2147483647
    assert seed != 42
    assert make_digest(space, seed=seed) == codecs.describe(data).digest


@dataclass(frozen=True)
class Found:
    """What a Space says of itself, and how it sends its page."""

    config: dict[str, Any]
    policy: str
    hosts: set[str]
    programs: int


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Of a Space that was watched from its start to its end, over one image and one look at its page."""
    folder = tmp_path_factory.mktemp("watched")
    notes, wrapper = folder / "notes", folder / "python"
    command = shlex.join([PYTHON, str(WATCHED), str(notes)])
    wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    wrapper.chmod(0o755)
    with run_space(python=str(wrapper)) as address:
        run(make_image(address))
        config, policy = run(looked_at(address))
    lines = notes.read_text().splitlines()
    programs = [line for line in lines if line.startswith("a program: ")]
    return Found(config, policy, set(lines) - set(programs), len(programs))


async def looked_at(address: str) -> tuple[dict[str, Any], str]:
    async with aiohttp.ClientSession(address, raise_for_status=True) as session:
        async with session.get("/config") as response:
            config = await response.json()
        async with session.get("/") as response:
            return config, response.headers["Content-Security-Policy"]


@pytest.mark.thorough
def test_it_turns_to_no_other_host_and_starts_no_program(found: Found) -> None:
    assert found.hosts <= {"127.0.0.1", "localhost", "::1"}
    assert found.hosts  # Gradio asks itself whether it runs: the watch was kept
    assert found.programs == 0


@pytest.mark.thorough
def test_its_page_may_load_nothing_from_another_host(found: Found) -> None:
    policy = dict(part.split(maxsplit=1) for part in found.policy.split(";"))
    assert set(policy["default-src"].split()) <= {"'self'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
    assert policy == {"default-src": policy["default-src"], "frame-ancestors": "'none'"}


@pytest.mark.thorough
def test_its_title_says_that_it_is_a_stand_in(found: Found) -> None:
    assert found.config["title"] == "flux_magic stand-in, drawing 1"


@pytest.mark.thorough
def test_its_inputs_and_bounds_are_the_public_spaces_and_our_own_come_last(found: Found) -> None:
    endpoint, _edit = found.config["dependencies"]
    props = {known["id"]: known["props"] for known in found.config["components"]}
    inputs = [props[number] for number in endpoint["inputs"]]
    assert [known["label"] for known in inputs] == [
        "Prompt",
        "Seed",
        "Randomize seed",
        "Width",
        "Height",
        "Number of inference steps",
        "Negative prompt",
        "Guidance scale",
    ]
    assert [known["value"] for known in inputs[6:]] == ["", 3.5]
    bounds = [tuple(known.get(end) for end in ("minimum", "maximum", "step")) for known in inputs]
    assert bounds[1] == (0, 2147483647, 1)
    assert bounds[3:6] == [(256, 2048, 32), (256, 2048, 32), (1, 50, 1)]
    assert bounds[7] == (0, 20, 0.1)
    assert len(endpoint["outputs"]) == 2

"""The Gradio app of the local Space: its endpoints, their inputs and its page."""

from __future__ import annotations

import random
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image

if TYPE_CHECKING or __package__:
    from .space_drawing import DRAWING, NEUTRAL, draw
    from .space_editing import edit
    from .space_images import LEAST_SIDE, MOST_SIDE, UnusableImage, read_image, read_mask
    from .space_lettering import Pixels
else:  # the scripts beside this one
    from space_drawing import DRAWING, NEUTRAL, draw
    from space_editing import edit
    from space_images import LEAST_SIDE, MOST_SIDE, UnusableImage, read_image, read_mask

MAX_SEED = 2**31 - 1

ADDED = {"infer": 2, "edit": 1}
"""The number of inputs at the end of an endpoint that a client may leave out: the public Space has none of them."""


class Refusal(gr.Error):
    """A request that cannot be done, in words for the user; nothing is printed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.print_exception = False


def guard_inputs(preprocess: Any, folder: Path) -> Any:
    """Return Gradio's `preprocess_data` with the defaults of inputs left out, and without files outside our folder."""

    async def preprocess_data(block_fn: Any, inputs: list[Any], *rest: Any, **more: Any) -> Any:
        missing = len(block_fn.inputs) - len(inputs)
        if 0 < missing <= ADDED.get(str(block_fn.api_name), 0):
            inputs = [*inputs, *(block.value for block in block_fn.inputs[-missing:])]
        for value in inputs:
            if isinstance(value, dict) and not _is_below(value.get("path"), folder):
                raise Refusal("upload the image first: this Space opens no other file, and no address")
        return await preprocess(block_fn, inputs, *rest, **more)

    return preprocess_data


def _is_below(path: object, folder: Path) -> bool:
    try:
        return isinstance(path, str) and Path(path).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False


def build(step_seconds: float, folder: Path) -> gr.Blocks:
    """Return the app; images are written below `folder`."""

    def take_steps(count: int, progress: gr.Progress) -> None:
        for step in range(1, count + 1):
            time.sleep(step_seconds)
            progress((step, count), unit="steps")

    def infer(
        prompt: str,
        seed: float = 42,
        randomize_seed: bool = False,
        width: float = 1024,
        height: float = 1024,
        num_inference_steps: float = 4,
        negative_prompt: str = "",
        guidance_scale: float = NEUTRAL / 100,
        progress: Any = gr.Progress(),  # noqa: B008 - how Gradio hands one in
    ) -> tuple[str, int]:
        seed = random.randint(0, MAX_SEED) if randomize_seed else int(seed)
        steps = int(num_inference_steps)
        take_steps(steps, progress)
        asked = str(prompt or ""), seed, int(width), int(height), steps
        image = draw(*asked, str(negative_prompt or ""), round(guidance_scale * 100))
        return save(image, folder), seed

    def edit_image(
        input_image: str | None,
        prompt: str,
        seed: float = 42,
        randomize_seed: bool = False,
        guidance_scale: float = NEUTRAL / 100,
        num_inference_steps: float = 4,
        mask: str | None = None,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> tuple[str, int]:
        try:
            image = read_image(input_image)
            weights = read_mask(mask, image) if mask else None
        except UnusableImage as error:
            raise Refusal(str(error)) from error
        seed = random.randint(0, MAX_SEED) if randomize_seed else int(seed)
        steps = int(num_inference_steps)
        take_steps(steps, progress)
        edited = edit(image, str(prompt or ""), seed, steps, round(guidance_scale * 100), weights)
        return save(edited, folder), seed

    app = gr.Blocks(title=f"flux_magic stand-in, drawing {DRAWING}", analytics_enabled=False)
    app.preprocess_data = guard_inputs(app.preprocess_data, folder)  # type: ignore[method-assign]
    with app:
        gr.Markdown("# flux_magic's local Space\nIt draws landscapes and edits images by rule: a stand-in, not FLUX.")
        with gr.Tab("Draw"):
            _lay_out_drawing(infer)
        with gr.Tab("Edit"):
            _lay_out_editing(edit_image)
    return app


def save(image: Pixels, folder: Path) -> str:
    """Save an image as a lossless WebP, and return its path."""
    # A path is delivered as it is; an array would be encoded again, with losses. The name is all that a page needs.
    path = folder / f"{secrets.token_hex(16)}.webp"
    Image.fromarray(image).save(path, "WEBP", lossless=True, quality=20, method=1)
    return str(path)


def _lay_out_drawing(infer: Any) -> None:
    """Lay out the public Space's inputs, in its order and with its bounds, and behind them our own."""
    prompt = gr.Text(label="Prompt", max_lines=1, placeholder="Enter your prompt")
    run = gr.Button("Run")
    result = gr.Image(label="Result", show_label=False, format="webp")
    with gr.Accordion("Advanced Settings", open=False):
        seed = gr.Slider(0, MAX_SEED, value=0, step=1, label="Seed")
        randomize = gr.Checkbox(label="Randomize seed", value=True)
        width = gr.Slider(256, MOST_SIDE, value=1024, step=32, label="Width")
        height = gr.Slider(256, MOST_SIDE, value=1024, step=32, label="Height")
        steps = gr.Slider(1, 50, value=4, step=1, label="Number of inference steps")
        negative = gr.Textbox("", label="Negative prompt", max_lines=1, info="What to leave out: sun, hills, mist, …")
        guidance = _add_guidance("How strong the colours are")
    inputs = [prompt, seed, randomize, width, height, steps, negative, guidance]
    gr.on([run.click, prompt.submit], infer, inputs, [result, seed], api_name="infer")


def _lay_out_editing(edit_image: Any) -> None:
    bounds = f"A PNG, JPEG, WebP or GIF of {LEAST_SIDE} to {MOST_SIDE} pixels a side."
    gr.Markdown(f"{bounds} Name a season, a time of day or the weather: *make it a winter night*.")
    with gr.Row():
        image = _add_image("Input image")
        result = gr.Image(label="Result", format="webp")
    prompt = gr.Text(label="Prompt", max_lines=1, placeholder="make it winter")
    run = gr.Button("Run")
    with gr.Accordion("Advanced Settings", open=False):
        seed = gr.Slider(0, MAX_SEED, value=0, step=1, label="Seed")
        randomize = gr.Checkbox(label="Randomize seed", value=True)
        guidance = _add_guidance("How strong the edit is")
        steps = gr.Slider(1, 50, value=4, step=1, label="Number of inference steps")
        mask = _add_image("Mask")
    inputs = [image, prompt, seed, randomize, guidance, steps, mask]
    gr.on([run.click, prompt.submit], edit_image, inputs, [result, seed], api_name="edit")


def _add_guidance(words: str) -> gr.Slider:
    return gr.Slider(0, 20, value=NEUTRAL / 100, step=0.1, label="Guidance scale", info=words)


def _add_image(label: str) -> gr.Image:
    """Add an image that our own function opens, within bounds; Gradio passes its path on."""
    image = gr.Image(label=label, type="filepath", sources=["upload", "clipboard"])
    # A subclass will not do: Gradio writes a file beside the module that has one.
    image.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
    return image

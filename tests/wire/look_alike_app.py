"""A Space as FLUX.1-dev's is: the endpoint of FLUX.1-schnell, with a guidance; and a box that holds a secret."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import painter_app  # type: ignore[import-not-found]  # the script beside this one
from PIL import Image

gr: Any = painter_app.gr
"""Loaded there, behind what Gradio reads of the environment."""


def infer(
    prompt: str,
    seed: int,
    randomize_seed: object,
    width: int,
    height: int,
    guidance_scale: float,
    num_inference_steps: int,
    hf_token: str,
) -> tuple[str, int]:
    """Return one colour, which shows what arrived: (seed, 10 times the guidance, 1 if the seed was left to chance)."""
    assert (prompt, num_inference_steps, hf_token) == ("a red fox", 4, "secret")
    file = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"])) / "image.png"
    colour = (int(seed), round(guidance_scale * 10), int(bool(randomize_seed)))
    Image.new("RGB", (int(width), int(height)), colour).save(file)
    return str(file), int(seed)


def look_alike() -> Any:
    with gr.Blocks(title="FLUX.1 [dev]", analytics_enabled=False) as app:
        prompt, seed, randomize_seed = gr.Textbox(), gr.Number(0), gr.Checkbox(True)
        width, height = gr.Slider(64, 512, 256, step=1), gr.Slider(64, 512, 256, step=1)
        guidance, steps = gr.Slider(1, 15, 3.5, step=0.1), gr.Slider(1, 50, 28, step=1)
        token = gr.Textbox("secret", visible=False)
        inputs = [prompt, seed, randomize_seed, width, height, guidance, steps, token]
        gr.Button("Run").click(infer, inputs, [gr.Image(format="png"), gr.Number()], api_name="infer")
    return app


if __name__ == "__main__":
    painter_app.serve(look_alike)

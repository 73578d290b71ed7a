"""A real Gradio app with the endpoint of FLUX.1-schnell, whose images take no time: one colour each, after its seed.

It starts and ends as the bundled Space does.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SSR_MODE": "False", "HF_HUB_OFFLINE": "1"}

import gradio as gr
from PIL import Image


def infer(
    prompt: str,  # noqa: ARG001 - the endpoint's inputs
    seed: float,
    randomize_seed: object,  # noqa: ARG001
    width: float,
    height: float,
    num_inference_steps: float,  # noqa: ARG001
) -> tuple[str, int]:
    """Return an image that is another one for each seed."""
    file = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"])) / "image.png"
    colour = int(seed)
    Image.new("RGB", (int(width), int(height)), (colour & 255, colour >> 8 & 255, colour >> 16 & 255)).save(file)
    return str(file), colour


def app() -> Any:
    """Return the app, with the public Space's inputs."""
    with gr.Blocks(title="Soak", analytics_enabled=False) as blocks:
        prompt, seed, randomize = gr.Textbox(), gr.Number(0), gr.Checkbox(True)
        width, height = gr.Slider(64, 512, 64, step=1), gr.Slider(64, 512, 64, step=1)
        inputs = [prompt, seed, randomize, width, height, gr.Slider(1, 50, 1, step=1)]
        gr.Button("Run").click(infer, inputs, [gr.Image(format="png"), gr.Number()], api_name="infer")
    return blocks


def main() -> None:
    """Serve the app until the standard input closes."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        blocks = app()
        queued = blocks.queue(max_size=100)
        for name in (
            "sleep_when_free",
            "progress_update_sleep_when_free",
        ):  # else it looks for work 1100 times a second
            if hasattr(queued._queue, name):
                setattr(queued._queue, name, 0.005)
        _, address, _ = queued.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
        print(f"flux-magic space: ready at {address.rstrip('/')}", flush=True)
        while os.read(0, 4096):
            pass
        blocks.close(verbose=False)


if __name__ == "__main__":
    main()

"""A second Space: other inputs in another order, another endpoint, a gallery of three formats, then the seed.

It starts and ends as the bundled one does: it says where it is, and stops when its standard input closes.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SSR_MODE": "False", "HF_HUB_OFFLINE": "1"}

import gradio as gr
from PIL import Image


def paint(width: float, height: float, steps: float, words: str, seed: float) -> tuple[list[str], int]:
    """Return one colour, which shows what arrived: (seed, steps, the number of characters)."""
    colour = (int(seed) % 256, int(steps), len(words) % 256)
    picture = Image.new("RGB", (int(width), int(height)), colour)
    folder = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]))
    files = [folder / f"a picture.{suffix}" for suffix in ("png", "jpg", "webp")]
    for file in files:
        picture.save(file)
    return [str(file) for file in files], int(seed)


def sketch(words: str, strength: float, randomize_seed: object) -> str:
    """Return one colour again: (strength, 1 if the seed was left to chance, the number of characters)."""
    file = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"])) / "sketch.png"
    Image.new("RGB", (64, 64), (int(strength), int(bool(randomize_seed)), len(words) % 256)).save(file)
    return str(file)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def painter() -> gr.Blocks:
    app = gr.Blocks(title="A painter", analytics_enabled=False)
    with app:
        width, height = gr.Slider(64, 512, step=1, label="Width"), gr.Slider(64, 512, step=1, label="Height")
        steps, words, seed = gr.Number(1), gr.Textbox(), gr.Number(0)
        gallery, used = gr.Gallery(), gr.Number()
        button = gr.Button("Paint")
        button.click(paint, [width, height, steps, words, seed], [gallery, used], api_name="paint")
        strength, randomize_seed = gr.Number(5), gr.Checkbox(True)
        button.click(sketch, [words, strength, randomize_seed], gr.Image(format="png"), api_name="sketch")
    return app


def serve(make: Callable[[], gr.Blocks]) -> None:
    """Serve an app from a folder and a port of its own, until the standard input closes."""
    with tempfile.TemporaryDirectory(prefix="painter-") as pictures:
        os.environ["GRADIO_TEMP_DIR"] = pictures
        app, port = make(), free_port()
        app.queue().launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True)
        print(f"flux-magic space: ready at http://127.0.0.1:{port}", flush=True)
        while os.read(0, 4096):
            pass
        app.close(verbose=False)


if __name__ == "__main__":
    serve(painter)

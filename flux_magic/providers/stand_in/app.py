"""A Gradio app with the public FLUX.1-schnell Space's interface that draws landscapes by rule, without a model.

With the files beside it, it runs alone, under Gradio 4.44, 5.50 and 6.31: `python app.py --port 7860`. The same prompt,
seed, steps and size give the same pixels on every machine: all arithmetic is on integers, the characters are in this
file, and the WebP is lossless. More steps show more detail. Every image says that it is a stand-in.

Endpoint: `infer(prompt, seed, randomize_seed, width, height, num_inference_steps) -> [image, seed]`, after
https://huggingface.co/spaces/black-forest-labs/FLUX.1-schnell
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import os
import random
import re
import secrets
import signal
import socket
import sys
import threading
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr
    import numpy as np
    from numpy.typing import NDArray

    from .space_environment import select_needed
    from .space_folder import make_own_folder, remove_dead
    from .space_gate import Gate

    Pixels = NDArray[np.uint8]
    """Height × width × 3 (red, green, blue)."""
    Whole = NDArray[np.int64]
else:
    # A script beside them, not a part of the package, which the interpreter may not have installed.
    sys.path.append(str(Path(__file__).parent))
    from space_environment import select_needed
    from space_folder import make_own_folder, remove_dead
    from space_gate import Gate

DRAWING = 1
"""The version of the drawing: it rises with every change of a single pixel."""

MAX_SEED = 2**31 - 1
MAX_IMAGE_SIZE = 2048

Colour = tuple[int, int, int]

PALETTES: dict[str, tuple[Colour, Colour, Colour, Colour, Colour]] = {
    # the sky above and at the horizon, the sun or moon, the farthest ridge, the nearest
    "dawn": ((92, 118, 168), (250, 205, 175), (255, 244, 214), (160, 150, 175), (38, 44, 66)),
    "noon": ((66, 134, 200), (205, 232, 240), (255, 252, 232), (140, 176, 190), (28, 66, 58)),
    "dusk": ((58, 44, 96), (244, 140, 96), (255, 214, 150), (150, 92, 118), (30, 22, 46)),
    "night": ((10, 16, 40), (52, 74, 116), (236, 240, 228), (48, 64, 100), (6, 10, 22)),
    "mist": ((168, 184, 190), (228, 232, 226), (255, 255, 246), (178, 192, 192), (56, 74, 72)),
    "autumn": ((128, 164, 190), (252, 226, 176), (255, 240, 196), (204, 150, 100), (82, 40, 26)),
}
WORDS = {
    "night": "night moon star midnight dark",
    "dusk": "dusk sunset evening red fire",
    "dawn": "dawn sunrise spring pink rose",
    "mist": "mist fog rain snow winter white",
    "autumn": "autumn fall fox leaf leaves gold",
    "noon": "noon day summer sea blue sky",
}

# Capitals and signs, five pixels wide and seven high; a row is one byte, the left pixel is 16.
_SIGNS = " !\"'()*+,-./0123456789:;=?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_"
_ROWS = bytes.fromhex(
    "00000000000000 04040404040004 0a0a0a00000000 04040400000000 02040808080402 08040202020408 00150e1f0e1500"
    "0004041f040400 00000000040408 0000001f000000 00000000000c0c 01010204081010 0e11131519110e 040c040404040e"
    "0e11010204081f 1f02040201110e 02060a121f0202 1f101e0101110e 0608101e11110e 1f010204080808 0e11110e11110e"
    "0e11110f01020c 000c0c000c0c00 000c0c00040408 00001f001f0000 0e110102040004 0e11111f111111 1e11111e11111e"
    "0e11101010110e 1c12111111121c 1f10101e10101f 1f10101e101010 0e11101713110f 1111111f111111 0e04040404040e"
    "0702020202120c 11121418141211 1010101010101f 111b1515111111 11111915131111 0e11111111110e 1e11111e101010"
    "0e11111115120d 1e11111e141211 0f10100e01011e 1f040404040404 1111111111110e 11111111110a04 11111115151b11"
    "11110a040a1111 11110a04040404 1f01020408101f 0e08080808080e 0e02020202020e 0000000000001f"
)
GLYPHS = {sign: _ROWS[7 * place : 7 * place + 7] for place, sign in enumerate(_SIGNS)}
_UNKNOWN = bytes.fromhex("1f11111111111f")


def draw_numbers(key: str, count: int) -> Whole:
    """Return `count` numbers from 0 to 65535 that depend on the key alone."""
    import numpy as np

    raw = hashlib.shake_256(key.encode("utf-8", "surrogatepass")).digest(2 * count)
    return np.frombuffer(raw, ">u2").astype(np.int64)


def mix(first: Any, second: Any, weight: Any) -> Any:
    """Return `first` if the weight is 0, `second` if it is 256, and a mixture between."""
    return first + ((second - first) * weight >> 8)


def draw_ridge_line(key: str, width: int, octaves: int) -> Whole:
    """Return a line of hills across the image: for each column a height from 0 to 65535."""
    import numpy as np

    columns = np.arange(width, dtype=np.int64)
    line = np.zeros(width, dtype=np.int64)
    for octave in range(octaves):
        cells = 3 << octave
        heights = draw_numbers(f"{key} {octave}", cells + 2)
        place = columns * cells * 256 // width
        cell, within = place >> 8, place & 255
        smooth = within * within * (768 - 2 * within) >> 16
        line += mix(heights[cell], heights[cell + 1], smooth) >> (octave + 1)
    return line


class Landscape:
    """One image while it is drawn."""

    def __init__(self, prompt: str, seed: int, width: int, height: int, steps: int) -> None:
        import numpy as np

        self.key = f"{DRAWING} {seed} {prompt}"
        self.width, self.height, self.steps = width, height, steps
        self.sky, self.haze, self.sun, self.far, self.near = (
            np.array(colour, dtype=np.int64) for colour in PALETTES[choose_palette(prompt, seed)]
        )
        self.shore = height * 68 // 100
        self.image = np.zeros((height, width, 3), dtype=np.uint8)

    def draw(self) -> Pixels:
        self._draw_sky()
        self._draw_birds()
        layers = 3 + min(self.steps, 4)
        for layer in range(layers):
            self._draw_ridge(layer, layers)
        self._draw_trees()
        self._draw_water()
        self._draw_bank()
        return self.image

    def _draw_sky(self) -> None:
        """Draw from the top to the horizon, with a glow around the sun that fades with the distance squared."""
        import numpy as np

        across, down, size = (int(value) for value in draw_numbers(f"{self.key} sun", 3))
        unit = min(self.width, self.height)
        x = (self.width * (20 + across * 60 // 65536)) // 100
        y = (self.height * (14 + down * 26 // 65536)) // 100
        radius = unit * (5 + size * 4 // 65536) // 100
        rows = np.arange(self.shore, dtype=np.int64)[:, None]
        columns = np.arange(self.width, dtype=np.int64)[None, :]
        distance = (columns - x) ** 2 + (rows - y) ** 2
        glow = (4 * radius) ** 2 * 176 // ((4 * radius) ** 2 + distance + 1)
        glow[distance <= radius**2] = 256
        base = mix(self.sky, self.haze, rows * 256 // self.shore)
        self.image[: self.shore] = mix(base[:, None, :], self.sun, glow[:, :, None])

    def _draw_ridge(self, layer: int, layers: int) -> None:
        """Draw one line of hills, nearer and darker than those before it, with mist at its foot."""
        import numpy as np

        nearness = (layer + 1) * 200 // layers
        line = draw_ridge_line(f"{self.key} ridge {layer}", self.width, 2 + min(self.steps, 6))
        reach = self.shore * (62 - 46 * layer // layers) // 100
        tops = self.shore - reach * (line + 16384) // 81920
        highest = max(int(tops.min()), 0)
        depth = np.arange(highest, self.shore, dtype=np.int64)[:, None] - tops[None, :]
        mist = np.clip(depth * 150 // (self.shore // 3 + 1), 0, 150) * (300 - nearness) >> 8
        colour = mix(self.far, self.near, nearness)
        part = self.image[highest : self.shore]
        hill = depth >= 0
        part[hill] = mix(colour, self.haze, mist[hill][:, None])

    def _draw_birds(self) -> None:
        import numpy as np

        count = min(self.steps, 24)
        places = draw_numbers(f"{self.key} birds", 3 * count).reshape(count, 3)
        unit = max(min(self.width, self.height) // 128, 2)
        for across, down, span in places:
            x, y = int(across) * self.width >> 16, (int(down) * self.shore >> 17) + unit
            wing = unit + (int(span) * unit >> 16)
            for step in range(-wing, wing + 1):
                row = y - abs(step) // 2 + (step * step) // (2 * wing)
                part = self.image[max(row, 0) : row + max(unit // 3, 1), max(x + step, 0) : max(x + step + 1, 0)]
                part[:] = mix(part.astype(np.int64), self.near, 160)

    def _draw_water(self) -> None:
        """Mirror what is above the shore, in ripples that widen towards the viewer."""
        import numpy as np

        depth = self.height - self.shore
        rows = np.arange(depth, dtype=np.int64)
        mirrored = np.clip(self.shore - 1 - rows * self.shore // (depth * 2), 0, self.shore - 1)
        sway = draw_numbers(f"{self.key} water", depth) - 32768
        shift = sway * (rows + 4) * self.width // (65536 * 24 * depth)
        columns = np.clip(np.arange(self.width)[None, :] + shift[:, None], 0, self.width - 1)
        seen = self.image[mirrored[:, None], columns].astype(np.int64)
        tint = mix(self.sky, self.near, 120)
        self.image[self.shore :] = mix(seen, tint, (72 + rows * 110 // depth)[:, None, None])

    def _draw_trees(self) -> None:
        """Draw firs along the shore, the nearest last: more of them with every step."""
        count = 3 + 5 * self.steps
        places = draw_numbers(f"{self.key} trees", 3 * count).reshape(count, 3)
        for size, across, shade in sorted((int(s), int(a), int(c)) for s, a, c in places):
            height = self.height * (4 + size * 10 // 65536) // 100
            self._draw_fir(across * self.width >> 16, self.shore, height, mix(self.near, self.far, shade * 40 >> 16))

    def _draw_fir(self, x: int, foot: int, height: int, colour: Whole) -> None:
        tiers = 3 + min(self.steps, 5)
        for row in range(height):
            within = row * tiers % height
            half = (row * 2 + within // 2 + 2) // 9
            top = foot - height + row
            if 0 <= top < self.height:
                self.image[top, max(x - half, 0) : x + half + 1] = colour

    def _draw_bank(self) -> None:
        """Draw the near shore, where the water ends."""
        line = draw_ridge_line(f"{self.key} bank", self.width, 3)
        for x in range(self.width):
            foot = self.shore + self.height * int(line[x]) * 3 // (65536 * 100)
            self.image[self.shore - 1 : foot, x] = self.near


def choose_palette(prompt: str, seed: int) -> str:
    """Return the palette that the prompt's words suggest, else a random one."""
    said = set(re.findall(r"[a-z]+", prompt[:2000].lower()))
    asked = [name for name, words in WORDS.items() if said & set(words.split())]
    names = asked or list(PALETTES)
    return names[int(draw_numbers(f"{DRAWING} {seed} palette", 1)[0]) % len(names)]


def caption(image: Pixels, lines: Sequence[str]) -> None:
    """Write the lines below each other at the image's foot, on a darkened band."""
    height, width = image.shape[:2]
    scale = max(min(width, height) // 360, 1)
    room = max(width // (6 * scale) - 2, 1)
    band = image[-min((9 * len(lines) + 4) * scale, height) :]
    band[:] = band // 5 * 2
    for number, line in enumerate(lines):
        letters = simplify(line, room)
        for place, sign in enumerate(letters):
            _draw_letter(band, sign, (6 * (place + 1)) * scale, (3 + 9 * number) * scale, scale)


def _draw_letter(band: Pixels, sign: str, x: int, y: int, scale: int) -> None:
    for row, bits in enumerate(GLYPHS.get(sign, _UNKNOWN)):
        for column in range(5):
            if bits & 16 >> column:
                top, left = y + row * scale, x + column * scale
                band[top : top + scale, left : left + scale] = 236


def simplify(text: str, room: int) -> str:
    """Return the text in capitals without accents, cut to `room` characters."""
    # The Unicode data of one version for every interpreter: otherwise the pixels would depend on it.
    bare = unicodedata.ucd_3_2_0.normalize("NFKD", " ".join(text[:2000].split()))
    kept = "".join(sign for sign in bare if not unicodedata.ucd_3_2_0.combining(sign)).upper()
    return kept if len(kept) <= room else kept[: max(room - 3, 0)].rstrip() + "..."[:room]


def draw(prompt: str, seed: int, width: int, height: int, steps: int) -> Pixels:
    """Return the image for these parameters."""
    image = Landscape(prompt, seed, width, height, steps).draw()
    said = f"seed {seed}, {steps} step{'s' if steps > 1 else ''}, {width} x {height}"
    caption(image, [prompt, said, "a local stand-in drew this, not FLUX"])
    return image


def build(step_seconds: float, folder: Path) -> gr.Blocks:
    """Return the app; images are written below `folder`."""
    import gradio as gr
    from PIL import Image

    def infer(
        prompt: str,
        seed: float = 42,
        randomize_seed: bool = False,
        width: float = 1024,
        height: float = 1024,
        num_inference_steps: float = 4,
        progress: Any = gr.Progress(),  # noqa: B008 - how Gradio hands one in
    ) -> tuple[str, int]:
        if randomize_seed:
            seed = random.randint(0, MAX_SEED)
        steps = int(num_inference_steps)
        for step in range(1, steps + 1):
            time.sleep(step_seconds)
            progress((step, steps), unit="steps")
        image = draw(str(prompt or ""), int(seed), int(width), int(height), steps)
        # A path is delivered as it is; an array would be encoded again, with losses. The name is all that a page needs.
        path = folder / f"{secrets.token_hex(16)}.webp"
        Image.fromarray(image).save(path, "WEBP", lossless=True, quality=20, method=1)
        return str(path), int(seed)

    app = gr.Blocks(title=f"flux_magic stand-in, drawing {DRAWING}", analytics_enabled=False)
    with app:
        _lay_out(gr, infer)
    return app


def _lay_out(gr: Any, infer: Any) -> None:
    """Lay out the public Space's inputs, in its order and with its bounds."""
    gr.Markdown("# flux_magic's local Space\nIt draws landscapes by rule: a stand-in for FLUX.1-schnell, not FLUX.")
    prompt = gr.Text(label="Prompt", max_lines=1, placeholder="Enter your prompt")
    run = gr.Button("Run")
    result = gr.Image(label="Result", show_label=False, format="webp")
    with gr.Accordion("Advanced Settings", open=False):
        seed = gr.Slider(0, MAX_SEED, value=0, step=1, label="Seed")
        randomize = gr.Checkbox(label="Randomize seed", value=True)
        width = gr.Slider(256, MAX_IMAGE_SIZE, value=1024, step=32, label="Width")
        height = gr.Slider(256, MAX_IMAGE_SIZE, value=1024, step=32, label="Height")
        steps = gr.Slider(1, 50, value=4, step=1, label="Number of inference steps")
    inputs = [prompt, seed, randomize, width, height, steps]
    gr.on([run.click, prompt.submit], infer, inputs, [result, seed], api_name="infer")


def serve(app: gr.Blocks, host: str, port: int, secret: str, folder: Path) -> str:
    """Start the server on a thread, and return its address. Raises OSError if the port is taken.

    With a `secret` it answers only clients that send it as a bearer token.
    """
    import gradio as gr
    from starlette.middleware import Middleware

    options: dict[str, Any] = {
        "theme": gr.themes.Default(font=("system-ui", "sans-serif"), font_mono=("monospace",)),
        "show_api": True,
        "app_kwargs": {"middleware": [Middleware(Gate, host=host, port=port, secret=secret, folder=folder)]},
    }
    known = inspect.signature(app.launch).parameters
    app.queue(max_size=100)
    _let_rest(app)
    app.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        **{name: value for name, value in options.items() if name in known},
    )
    return f"http://{host}:{port}"


def _let_rest(app: gr.Blocks) -> None:
    """Slow down Gradio 6, which on Linux looks for work 1100 times a second and uses 5 % of a processor."""
    queue = getattr(app, "_queue", None)
    for name, seconds in (("sleep_when_free", 0.02), ("progress_update_sleep_when_free", 0.05)):
        if hasattr(queue, name):
            setattr(queue, name, max(seconds, getattr(queue, name)))


def find_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0. Raises OSError if it is taken, or the host is not this machine's."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        if os.name != "nt":  # else a port that was just left counts as taken; on Windows none would
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])


def shut_in(folder: Path) -> None:
    """Remove what is not needed from the environment; no analytics, and no look-up at the Hub."""
    kept = select_needed(os.environ)
    os.environ.clear()
    os.environ |= kept
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SSR_MODE": "False",
        "GRADIO_TEMP_DIR": str(folder),
        "HF_HUB_OFFLINE": "1",
    }


def stop_requests(*, until_stdin_closes: bool) -> threading.Event:
    """Return an event that is set when this process is asked to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if until_stdin_closes:

        def wait_for_end() -> None:
            # Not through sys.stdin, whose lock would be held as the interpreter ends.
            while os.read(0, 4096):
                pass
            stop.set()

        threading.Thread(target=wait_for_end, daemon=True).start()
    return stop


def parse_port(text: str) -> int:
    """Parse a port number from 0 to 65535; raises ArgumentTypeError if it is invalid."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"invalid port value: {text!r}")
    return int(text)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="A stand-in for the FLUX.1-schnell Space that draws without a model.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    parser.add_argument(
        "--port", default=7860, type=parse_port, help="the port, 0 for any free one (default %(default)s)"
    )
    parser.add_argument("--step-seconds", default=0.0, type=float, help="how long each step takes (default 0)")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the standard input does")
    parser.add_argument(
        "--secret", action="store_true", help="answer only clients that send the standard input's first line"
    )
    return parser.parse_args(arguments)


def _fail(reason: str) -> int:
    print(f"flux-magic space: {reason}", file=sys.stderr)
    return 1


def _fail_to_listen(options: argparse.Namespace) -> int:
    where = f"{options.host}:{options.port}"
    return _fail(f"cannot listen on {where}; give another --host, or another --port (0 for any free one)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until asked to end; returns the exit code."""
    options = parse_options(arguments)
    try:
        find_port(options.host, options.port)  # before Gradio, which takes seconds to import
    except OSError:
        return _fail_to_listen(options)
    secret = _read_first_line() if options.secret else ""
    stop = stop_requests(until_stdin_closes=options.until_stdin_closes)
    try:
        remove_dead()
        with make_own_folder() as folder:
            shut_in(folder)
            app = build(options.step_seconds, folder)
            address = serve(app, options.host, find_port(options.host, options.port), secret, folder)
            print(f"flux-magic space: ready at {address}", flush=True)
            while not stop.wait(1):
                pass
            app.close(verbose=False)
    except ModuleNotFoundError as error:
        return _fail(f'{error.name} is missing; install it: pip install "flux-magic[local]"')
    except OSError:
        return _fail_to_listen(options)
    return 0


def _read_first_line() -> str:
    """Return the first line of the standard input, and read no further."""
    line = bytearray()
    while (character := os.read(0, 1)) not in {b"", b"\n"}:
        line += character
    return line.decode()


if __name__ == "__main__":
    sys.exit(main())

"""Spaces as people use them, each made from one row: its inputs in order, its outputs, and how it gives them.

All are served by one process, each under a path of its own. Each draws what depends on all that arrived, and
`/arrived/{name}` tells what did. It starts and ends as the bundled Space does, under Gradio 5 and 6.

`python look_alikes.py --dump FILE` writes what the Spaces say of themselves, for the tests that need no server.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import painter_app  # type: ignore[import-not-found]  # the script beside this one
import uvicorn
from fastapi import FastAPI
from PIL import Image

gr: Any = painter_app.gr
Make = Callable[[], Any]
ARRIVED: dict[str, dict[str, Any]] = {}
_MISSING = object()


@dataclass
class In:
    """One input: its name in the function, the component, and the function's default, if it has one."""

    name: str
    make: Make
    default: object = _MISSING


@dataclass
class Row:
    """One endpoint: `outs` are words of `_OUTS`; a generator shows steps before the result."""

    inputs: list[In]
    outs: tuple[str, ...] = ("image", "seed")
    api_name: str = "infer"
    is_generator: bool = False
    clicks: str = ""
    says: str = ""
    trouble: str = ""


def text(name: str = "prompt", label: str = "Prompt", **options: Any) -> In:
    return In(name, lambda: gr.Textbox(label=label, **options))


def slide(name: str, least: float, most: float, value: float | None = None, step: float = 1, label: str = "") -> In:
    return In(name, lambda: gr.Slider(least, most, value, step=step, label=label or name.replace("_", " ").title()))


def check(name: str, is_on: object = 1, label: str = "") -> In:
    return In(name, lambda: gr.Checkbox(bool(is_on), label=label or name.replace("_", " ").title()))


def choose(name: str, choices: list[Any], value: Any, kind: str = "Dropdown") -> In:
    return In(name, lambda: getattr(gr, kind)(choices, value=value, label=name.replace("_", " ").title()))


def image(name: str, default: object = _MISSING, label: str = "Image") -> In:
    return In(name, lambda: gr.Image(type="filepath", label=label), default)


def images(name: str, default: object = _MISSING) -> In:
    return In(name, lambda: gr.Gallery(type="filepath", label="Input image(s)"), default)


def seeds(most: int = 2**31 - 1, value: int = 0, least: int = 0) -> list[In]:
    return [slide("seed", least, most, value), check("randomize_seed", label="Randomize seed")]


def sides(most: int = 2048, step: int = 32, value: int = 1024) -> list[In]:
    return [slide("width", 256, most, value, step), slide("height", 256, most, value, step)]


def steps(most: int, value: int, name: str = "num_inference_steps") -> In:
    return slide(name, 1, most, value, label="Number of inference steps")


def guidance(value: float, name: str = "guidance_scale", most: float = 15, least: float = 0) -> In:
    return slide(name, least, most, value, 0.1, label="Guidance Scale")


RATIOS = ["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3"]
RESOLUTIONS = ["1024x1024 ( 1:1 )", "1152x896 ( 9:7 )", "896x1152 ( 7:9 )"]
SQUARES = ["1024 × 1024 (Square)", "768 × 1360 (Portrait)", "1360 × 768 (Landscape)"]
KLEIN = [
    *(text(), images("input_images", [])),
    choose("mode_choice", ["Distilled (4 steps)", "Base (50 steps)"], "Distilled (4 steps)", "Radio"),
    *(*seeds(), *sides(1024, 8), steps(100, 4), guidance(1.0, most=10), check("prompt_upsampling", False)),
]
LORA = [
    *(text(), image("image_input"), slide("image_strength", 0, 1, 0.75, 0.01, label="Denoise Strength")),
    *(guidance(3.5, "cfg_scale"), steps(50, 28, "steps"), In("selected_index", lambda: gr.State(None))),
    *(check("randomize_seed", label="Randomize seed"), slide("seed", 0, 2**31 - 1, 0)),
    *(*sides(1536, 64), slide("lora_scale", 0, 3, 0.95, 0.01)),
]

ROWS: dict[str, list[Row]] = {
    "schnell": [Row([text(), *seeds(), *sides(), steps(50, 4)])],
    "dev": [Row([text(), *seeds(), *sides(), guidance(3.5), steps(50, 28)], is_generator=True)],
    "kontext": [
        Row(
            [image("input_image"), text(), *seeds(), guidance(2.5, least=1), steps(30, 28, "steps")],
            ("image", "seed", "button"),
        )
    ],
    "flux2": [
        Row(
            [
                text(),
                images("input_images", None),
                *seeds(),
                *sides(1024, 8),
                steps(100, 30),
                guidance(4, most=10),
                check("prompt_upsampling"),
            ]
        )
    ],
    "klein": [Row(KLEIN, api_name="generate")],
    "qwen": [
        Row(
            [
                text(),
                *seeds(),
                choose("aspect_ratio", RATIOS, "16:9", "Radio"),
                guidance(4),
                steps(50, 50),
                check("prompt_enhance"),
            ]
        )
    ],
    "qwen-demo": [
        Row(
            [
                text(),
                text("negative_prompt", "Negative prompt", value="", visible=False),
                *seeds(),
                choose("aspect_ratio", RATIOS[:5], "16:9", "Radio"),
                guidance(5, most=7.5),
                steps(50, 50),
            ]
        )
    ],
    "qwen-edit": [
        Row(
            [
                image("image"),
                text(),
                *seeds(),
                guidance(4.0, "true_guidance_scale", 10, 1),
                steps(50, 50),
                check("rewrite_prompt"),
                slide("num_images_per_prompt", 1, 4, 1),
            ],
            ("gallery", "seed"),
        )
    ],
    "qwen-edit-2511": [
        Row(
            [
                images("images"),
                text(),
                *seeds(),
                guidance(4.0, "true_guidance_scale", 10, 1),
                steps(50, 40),
                slide("height", 256, 2048, 256, 8),
                slide("width", 256, 2048, 256, 8),
                check("rewrite_prompt"),
            ],
            ("gallery", "seed", "button"),
        )
    ],
    "z-image": [
        Row(
            [
                text(),
                choose("resolution", RESOLUTIONS, RESOLUTIONS[0]),
                slide("seed", -1, 1_000_000, 42),
                steps(100, 8, "steps"),
                slide("shift", 1, 10, 3, 0.1),
                check("random_seed"),
                In("gallery_images", lambda: None, None),
                check("enhance", False),
            ],
            ("fed", "seed text", "seed"),
            "generate",
        )
    ],
    "z-image-fork": [
        Row(
            [
                text(),
                slide("height", 512, 2048, 1024, 64),
                slide("width", 512, 2048, 1024, 64),
                steps(20, 9),
                slide("seed", 0, 2**32 - 2, 42),
                check("randomize_seed"),
            ],
            api_name=name,
        )
        for name in ("generate_image", "generate_image_1")
    ],
    "sd3.5": [
        Row(
            [
                text(),
                text("negative_prompt", "Negative prompt", visible=False),
                *seeds(),
                *sides(1024),
                guidance(4.5, most=7.5),
                steps(50, 40),
            ]
        )
    ],
    "lightning": [
        Row(
            [
                text("prompt", "Enter your prompt (English)"),
                choose("ckpt", [f"{number}-Step" for number in (1, 2, 4, 8)], "4-Step"),
            ],
            ("image",),
            name,
        )
        for name in ("generate_image", "generate_image_1")
    ],
    "sana": [
        Row(
            [
                text(),
                text("negative_prompt", "Negative prompt"),
                choose("style", ["(No style)", "Anime"], "(No style)", "Radio"),
                check("use_negative_prompt", False),
                slide("num_imgs", 1, 6, 2),
                slide("seed", 0, 2**31 - 1, 0),
                slide("height", 256, 4096, 1024, 32),
                slide("width", 256, 4096, 1024, 32),
                guidance(4.5, "flow_dpms_guidance_scale"),
                slide("flow_dpms_pag_guidance_scale", 1, 4, 1, 0.5),
                slide("flow_dpms_inference_steps", 5, 40, 20),
                check("randomize_seed"),
            ],
            ("gallery", "seed", "markdown", "markdown"),
            "run",
        )
    ],
    "hidream": [
        Row(
            [
                choose("model_type", ["full", "dev", "fast"], "full", "Radio"),
                text(),
                choose("resolution", SQUARES, SQUARES[0], "Radio"),
                In("seed", lambda: gr.Number(-1, label="Seed (-1 for random)")),
            ]
        )
    ],
    "playground": [
        Row(
            [
                text(),
                text("negative_prompt", "Negative prompt", value="ugly"),
                check("use_negative_prompt", False),
                slide("seed", 0, 999_999, 0),
                *sides(1536),
                slide("guidance", 0.1, 20, 3, 0.1),
                check("randomize_seed"),
            ],
            ("gallery", "seed"),
            "run",
        )
    ],
    "lora": [Row(LORA, ("image", "seed", "html"), "run_lora", is_generator=True, clicks="selected_index")],
    "pair": [
        Row(
            [
                image("image"),
                text(),
                slide("strength", 0, 1, 0.6, 0.05),
                In("seed", lambda: gr.Number(1, label="Seed")),
            ],
            ("pair", "seed"),
        )
    ],
    "inpaint": [
        Row(
            [
                text("edit_instruction", "Edit instruction"),
                image("photo", label="Photo"),
                image("mask_image", label="Mask"),
                slide("seed", 0, 99, 1),
            ]
        )
    ],
    "editor": [
        Row([In("canvas", lambda: gr.ImageEditor(type="filepath", label="Canvas")), text(), slide("seed", 0, 99, 1)])
    ],
    "grey": [Row([text(), slide("seed", 0, 99, 1)], ("flat", "seed"), says="unsafe: a grey square instead")],
    "two": [
        Row([text(), slide("seed", 0, 99, 1), slide("contrast", 0, 2, 1, 0.1)], api_name="paint"),
        Row([text(), slide("seed", 0, 99, 1), slide("sharpness", 0, 2, 1, 0.1)], api_name="sketch"),
    ],
    "token": [Row([text(), slide("seed", 0, 99, 1), text("hf_token", "Token", value="secret", visible=False)])],
    "chat": [Row([text("message", "Message")], ("markdown",), "chat")],
    "broken": [
        Row(LORA, ("image", "seed", "html"), "run_lora", clicks="selected_index", trouble="You must select a LoRA")
    ],
}


def describe(value: Any) -> Any:
    """Return a value as JSON: a file as the start of its sha256."""
    if isinstance(value, str) and value.startswith("/") and Path(value).is_file():
        return f"file {hashlib.sha256(Path(value).read_bytes()).hexdigest()[:8]}"
    if isinstance(value, list | tuple):
        return [describe(one) for one in value]
    if isinstance(value, dict):
        return {name: describe(one) for name, one in value.items()}
    return value


def draw(given: dict[str, Any], number: int, *, is_flat: bool = False) -> str:
    """Return the file of an image that depends on all that arrived, of the size that was asked for, in eighths."""
    width, height = (max(int(given.get(side) or 512) // 8, 8) for side in ("width", "height"))
    key = json.dumps([{name: one for name, one in given.items() if not name.startswith("random")}, number])
    data = hashlib.shake_256(key.encode()).digest(3 * width * height)
    made = Image.new("RGB", (width, height), "grey") if is_flat else Image.frombytes("RGB", (width, height), data)
    file = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"])) / "image.png"
    made.save(file)
    return str(file)


def give(out: str, given: dict[str, Any], number: int = 0) -> Any:
    """Return the value of one output."""
    seed = given.get("seed")
    count = int(given.get("num_imgs") or given.get("num_images_per_prompt") or 1)
    ways: dict[str, Make] = {
        "image": lambda: draw(given, number),
        "flat": lambda: draw(given, number, is_flat=True),
        "gallery": lambda: [draw(given, place) for place in range(count)],
        "fed": lambda: [draw(given, 0), *(one[0] for one in given.get("gallery_images") or [])],
        "pair": lambda: (draw(given, 1), draw(given, 0)),
        "seed": lambda: seed,
        "seed text": lambda: str(seed),
        "button": lambda: gr.update(visible=True),
        "markdown": lambda: gr.update(value="4 s"),
        "html": lambda: gr.update(value=f"<b>{number}</b>"),
    }
    return ways[out]()


_OUTS: dict[str, Make] = {
    "image": lambda: gr.Image(format="png", label="Result"),
    "flat": lambda: gr.Image(format="png", label="Result"),
    "gallery": lambda: gr.Gallery(format="png", label="Result"),
    "pair": lambda: gr.ImageSlider(format="png", label="Before and after"),
    "seed text": lambda: gr.Textbox(label="Seed Used"),
    "button": lambda: gr.Button("Reuse", visible=False),
    "markdown": gr.Markdown,
    "html": gr.HTML,
}


def make_function(place: str, row: Row) -> Callable[..., Any]:
    """Return the endpoint's function, with the names and defaults of its row."""

    def take(values: tuple[Any, ...]) -> dict[str, Any]:
        given = {one.name: describe(value) for one, value in zip(row.inputs, values, strict=True)}
        ARRIVED[place] = {"endpoint": row.api_name, **given}
        if row.trouble:
            raise gr.Error(row.trouble)
        if row.says:
            gr.Warning(row.says)
        if given.get("randomize_seed") or given.get("random_seed") or given.get("seed") == -1:
            given["seed"] = random.randint(2**31, 2**32 - 2)
        return given

    def once(*values: Any) -> Any:
        given = take(values)
        made = [give(out, given) for out in row.outs]
        return made[0] if len(made) == 1 else made

    def stepwise(*values: Any) -> Iterator[Any]:
        given = take(values)
        for number in (2, 1, 0):
            yield [give(out, given, number) for out in row.outs]

    made: Any = stepwise if row.is_generator else once
    defaults = [inspect.Parameter.empty if one.default is _MISSING else one.default for one in row.inputs]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    # Python wants those without a default first; the names are what matters here.
    first = next((number for number, one in enumerate(defaults) if one is not inspect.Parameter.empty), len(defaults))
    made.__signature__ = inspect.Signature(
        [
            inspect.Parameter(
                one.name, kind, default=None if place > first and default is inspect.Parameter.empty else default
            )
            for place, (one, default) in enumerate(zip(row.inputs, defaults, strict=True))
        ]
    )
    return cast("Callable[..., Any]", made)


def build(name: str, rows: list[Row]) -> Any:
    with gr.Blocks(title=name, analytics_enabled=False) as app:
        for row in rows:
            fed = gr.Gallery(type="filepath", format="png", label="Generated images") if "fed" in row.outs else None
            components = [fed if one.name == "gallery_images" else one.make() for one in row.inputs]
            by_name = {one.name: component for one, component in zip(row.inputs, components, strict=True)}
            shared = {"fed": fed, "seed": by_name.get("seed")}
            outs = [shared[out] if out in shared else _OUTS[out]() for out in row.outs]
            gr.Button("Run").click(make_function(name, row), components, outs, api_name=row.api_name)
            if row.clicks:
                gr.Gallery(label="LoRAs").select(lambda: 1, None, by_name[row.clicks], api_name=False)
    return app.queue()


class Lazily:
    """An app that mounts each Space when it is first asked: all of them together take half a minute."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.left = dict(ROWS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = str(scope.get("path", "")).partition("/")[2].partition("/")[0]
        if rows := self.left.pop(name, None):
            blocks = build(name, rows)
            gr.mount_gradio_app(self.app, blocks, path=f"/{name}", show_error=True)
            blocks.run_startup_events()
            await blocks.run_extra_startup_events()
        await self.app(scope, receive, send)


def serve() -> None:
    with tempfile.TemporaryDirectory(prefix="look-alikes-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        app, port = FastAPI(), painter_app.free_port()

        @app.get("/arrived/{name}")
        def tell(name: str) -> Any:
            return ARRIVED.get(name)

        server = uvicorn.Server(uvicorn.Config(Lazily(app), host="127.0.0.1", port=port, log_level="error"))
        running = threading.Thread(target=server.run, daemon=True)
        running.start()
        while not server.started:
            time.sleep(0.02)
        print(f"flux-magic space: ready at http://127.0.0.1:{port}", flush=True)
        while os.read(0, 4096):
            pass
        server.should_exit = True
        running.join(10)


_COMPONENT = ("id", "type", "skip_api")
_PROPS = ("label", "value", "minimum", "maximum", "step", "choices", "multiselect", "allow_custom_value", "visible")
_DEPENDENCY = ("id", "targets", "inputs", "outputs", "api_name", "api_visibility")
_PARAMETER = ("parameter_name", "parameter_has_default", "parameter_default", "label", "component")


def pick(value: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    usual = {"skip_api": False, "visible": True, "multiselect": False, "allow_custom_value": False}
    return {name: value[name] for name in names if value.get(name) is not None and value[name] != usual.get(name)}


def dump() -> dict[str, Any]:
    """Return what each Space says of itself, as far as anybody reads it."""
    told: dict[str, Any] = {}
    for name, rows in ROWS.items():
        app = build(name, rows)
        config, info = app.get_config_file(), app.get_api_info()
        used = {number for one in config["dependencies"] for number in (*one["inputs"], *one["outputs"])}
        for one in info["named_endpoints"].values():
            one["parameters"] = [
                pick(known, _PARAMETER) | {"type": pick(known["type"], ("type", "enum"))} for known in one["parameters"]
            ]
        told[name] = {
            "config": {
                **pick(config, ("version", "title")),
                "api_prefix": "/gradio_api",
                "components": [
                    pick(one, _COMPONENT) | {"props": pick(one["props"], _PROPS)}
                    for one in config["components"]
                    if one["id"] in used
                ],
                "dependencies": [pick(one, _DEPENDENCY) for one in config["dependencies"]],
            },
            "info": {
                "named_endpoints": {
                    key: {"parameters": one["parameters"]} for key, one in info["named_endpoints"].items()
                }
            },
        }
    return told


if __name__ == "__main__":
    if sys.argv[1:2] == ["--dump"]:
        lines = [f"{json.dumps(name)}: {json.dumps(told, ensure_ascii=False)}" for name, told in dump().items()]
        Path(sys.argv[2]).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    else:
        serve()

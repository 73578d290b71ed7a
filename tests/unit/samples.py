"""Records, images and a program of its own: what several of these tests start from."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image
from traitlets.config import Config

from flux_magic.images import codecs
from flux_magic.results.generation import Generation, ImageFile
from flux_magic.types import Circumstances, FileRecord, ImageRequest, Record
from tests.support.limits import PROGRAM

FILE = FileRecord("image/png", 256, 192, "1a2b3c4d5e6f" + "0" * 52, "f" * 64)

RECORD = Record(
    prompt="a red fox",
    model="black-forest-labs-flux-1-schnell",
    provider="Scripted",
    space="hf:black-forest-labs/FLUX.1-schnell",
    seed=42,
    steps=4,
    width=256,
    height=192,
    requested_prompt="a red fox",
    requested_model="flux",
    requested_space=None,
    requested_seed=42,
    requested_width=256,
    requested_height=192,
    files=(FILE,),
    circumstances=Circumstances(version="0.1.0", started="2026-01-01T00:00:00+00:00", seconds=1.5),
)


def record(**changes: Any) -> Record:
    """Return the record with these changes: of its own fields, or of its circumstances."""
    around = {name: changes.pop(name) for name in ("version", "started", "seconds") if name in changes}
    if "seed" in changes:
        changes.setdefault("requested_seed", changes["seed"])
    for side in ("width", "height"):  # what was asked for and what was sent go together
        if (asked := changes.get(f"requested_{side}")) is not None:
            changes.setdefault(side, asked - asked % 8)
        elif (sent := changes.get(side)) is not None:
            changes[f"requested_{side}"] = sent
    return replace(RECORD, circumstances=replace(RECORD.circumstances, **around), **changes)


def drawing(mode: str = "RGB", size: tuple[int, int] = (8, 6), colour: int = 0) -> Image.Image:
    """Return an image with a pixel of its own at every place; `colour` tells one from another."""
    clear = 0 if "A" in mode else 255
    places = ((x, y) for y in range(size[1]) for x in range(size[0]))
    pixels = b"".join(bytes((x * 20 % 256, y * 20 % 256, min(colour, 255), 255 if x else clear)) for x, y in places)
    image = Image.frombytes("RGBA", size, pixels)
    return image.convert(mode)


def encoded(suffix: str = "png", mode: str = "RGB", **options: Any) -> bytes:
    """Return an image's bytes: `colour` and `size` are the drawing's, the other options the encoder's."""
    made = {name: options.pop(name) for name in ("colour", "size") if name in options}
    out = io.BytesIO()
    drawing(mode, **made).save(out, suffix.upper(), **options)
    return out.getvalue()


NO_AVIF = pytest.mark.skipif(not codecs.can_read_avif(), reason="this Pillow reads no AVIF")
"""Skips what needs AVIF, where the oldest Pillow that is allowed is tried."""


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def digest_of(image: Image.Image) -> str:
    """Return the digest by its definition: a tag, width and height in 4 bytes each, then the RGBA8 pixels."""
    head = b"flux_magic pixels 1\n" + struct.pack(">I", image.width) + struct.pack(">I", image.height)
    return hashlib.sha256(head + image.convert("RGBA").tobytes()).hexdigest()


def generation(*data: bytes, inline: str | None = None, **changes: Any) -> Generation:
    """Return a generation of these images, or of one PNG."""
    files = tuple(
        ImageFile(codecs.describe(item), item, f"http://space.example/file={number}")
        for number, item in enumerate(data or (encoded(),))
    )
    made = record(files=tuple(file.record for file in files), **changes)
    request = ImageRequest(made.prompt, "flux", made.requested_width, made.requested_height, made.steps, made.seed or 0)
    return Generation(request, made, files, inline)


def python(code: str, *options: str) -> str:
    """Return what a fresh interpreter prints as it runs `code`; it has to end well, and to say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=PROGRAM, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


@contextmanager
def notebook(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Provide an IPython shell whose displayed outputs are collected."""
    config = Config(HistoryManager={"enabled": False}, ProfileDir={"location": str(folder / "profile")})
    shell = InteractiveShell.instance(config=config)
    try:
        with capture_output(stdout=False, stderr=False):
            assert isinstance(shell.display_pub, CapturingDisplayPublisher)
            yield shell.display_pub.outputs
    finally:
        shell.restore_sys_module_state()
        InteractiveShell.clear_instance()

"""The package that the model comes along in: its files, and their digest in the code of flux_magic."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from flux_magic.providers.diffusers.models import INDEX, compute_folder_digest, list_files
from scripts.tiny.room import Room

ROOT: Final = Path(__file__).parents[2]
PACKAGED: Final = "tiny/flux_magic_tiny/model"
CODE: Final = "flux_magic/providers/diffusers/tiny.py"
MOST: Final = 8_000_000
"""Bytes that the model may have."""


def fill_box(room: Room, root: Path = ROOT) -> str:
    """Copy the saved model into the package, write its digest into the code of flux_magic, and return it.

    Raises FileNotFoundError if no model was saved, and ValueError if it is too large.
    """
    saved, packaged, code = room.folder / "model", root / PACKAGED, root / CODE
    if not (saved / INDEX).is_file():
        raise FileNotFoundError(f"no model in {room.folder}: save it first")
    files = [*list_files(saved)]
    size = sum(file.stat().st_size for file in files)
    if size > MOST:
        raise ValueError(f"the model has {size / 1e6:.2f} MB, and the package takes {MOST / 1e6:.0f}")
    shutil.rmtree(packaged, ignore_errors=True)
    for file in files:
        target = packaged / file.relative_to(saved)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)  # without its mode: save_pretrained lets only its user read it
    digest = compute_folder_digest(packaged, is_cached=False)
    text, number = re.subn(r'(?m)^(DIGEST: Final = )"\w{64}"', rf'\1"{digest}"', code.read_text("utf-8"))
    if number != 1:
        raise ValueError(f"{CODE} has no line for the digest")
    code.write_text(text, "utf-8")
    room.say(f"{size / 1e6:.2f} MB in {PACKAGED}, sha256 {digest}")
    return digest

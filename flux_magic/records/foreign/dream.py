"""The `Dream` of InvokeAI 1 and 2, the command that made an image: `"a fox [hen]" -s 50 -S 42 -W 512 -A k_lms`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from . import flat
from .values import Recipe

_COMMAND: Final = re.compile(r'\s*"([^"\\]*(?:\\.[^"\\]*)*)"((?:\s.*)?)', re.DOTALL)
_OPTION: Final = re.compile(r"(?:^|\s)-([A-Za-z])\s{0,3}([^\s-]\S{0,99}|-?[0-9.]{1,99})")
_NAMES: Final = {
    "s": "steps",
    "S": "seed",
    "W": "width",
    "H": "height",
    "C": "cfg_scale",
    "A": "sampler",
    "m": "sampler",
    "f": "strength",
    "I": "init image",
    "G": "face fix",
    "U": "upscale",
}


def read(texts: Mapping[str, str]) -> Recipe | None:
    """Return the recipe in a `Dream` command; None for anything else."""
    found = _COMMAND.fullmatch(texts.get("dream", ""))
    if found is None:
        return None
    prompt, options = found.groups()
    values: dict[str, object] = {"prompt": re.sub(r"\\(.)", r"\1", prompt)}
    for letter, value in _OPTION.findall(options):
        if letter in _NAMES:
            values.setdefault(_NAMES[letter], value)
    return flat.build_recipe("InvokeAI", values)

"""The panel's words for the options of the magics, which errors and hints name."""

from __future__ import annotations

import re
from typing import Final

from ...parameters.grammar import OPTIONS
from ...parameters.table import ROWS

_PHRASES: Final = (
    (r"give one with --image, in Python image=", "choose a file under Image"),
    (r"choose a model that edits \(--model\)", "choose another under Model and Space"),
    (r"\bgive --size, or the others", "give one of them"),
    (r"\bThe cell makes it again, with --fresh\.", "Generate makes it again."),
    (r": add --yes if you mean it", ": make fewer at once"),
    (r", or leave the record out: --no-metadata, metadata=False", ""),
    (r"another path, or let it be replaced: --overwrite, overwrite=True", "another name, or tick “replace”"),
    (r": --sweep makes an image of each", ""),
    (r" with --sweep makes an image of each", " makes an image of each in a cell, with the magic"),
    (r"is varied with --sweep", "is varied in a cell, with the magic"),
    (r"--endpoint (/\S+)", r"\1, under More parameters"),
    (r"--space local", "the Space local"),
    (r"--set (\w+)=(\S+)", r"\1 \2"),
    (r"--(timeout|proxy|inline|store|concurrency)\b", r"%config FluxMagics.\1"),
)
"""Phrases of messages, and what they are in a panel."""

_OTHERS: Final = {
    "set": "More parameters",
    "count": "Images",
    "image": "Image",
    "mask": "Mask",
    "model": "Model",
    "provider": "Provider",
    "space": "Space",
    "save": "Save to",
    "overwrite": "replace",
    "fresh": "Generate",
    "sweep": "Compare",
}
"""The fields and buttons of a panel for options that are not in the table."""


def _name_flags() -> dict[str, str]:
    """Return the panel's words for each flag of the magics; one without a counterpart is the magic's."""
    named = {name: row.label for name, row in ROWS.items()} | {"size": "Size"} | _OTHERS
    return {
        flag: named.get(option.name, f"the magic's “{option.name.replace('_', ' ')}”")
        for option in OPTIONS
        for flag in option.flags
    }


_FLAGS: Final = _name_flags()
_FLAG: Final = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def use_panel_words(message: str) -> str:
    """Return a message with the panel's own words for the options of the magics: `Size` for `--size`."""
    for phrase, words in _PHRASES:
        message = re.sub(phrase, words, message)
    return _FLAG.sub(lambda match: _FLAGS.get(match[0], match[0]), message)

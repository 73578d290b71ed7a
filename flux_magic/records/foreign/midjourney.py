"""Midjourney's description: the prompt, its options and the job, `a fox --ar 16:9 --v 6 Job ID: …`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .values import Recipe, Unmatched

_JOB: Final = re.compile(r"\s?Job ID: [0-9a-fA-F-]{36}")
_OPTION: Final = re.compile(r"(?:^|\s)--([a-z]{1,20})(?:\s([^\s-]\S{0,99}))?")
_PLACES: Final = ("description", "xmp dc:description", "exif imagedescription")


def read(texts: Mapping[str, str]) -> Recipe | None:
    """Return the recipe in a description that ends with a job of Midjourney; None for anything else."""
    for place in _PLACES:
        text = texts.get(place, "")
        if job := _JOB.search(text):
            return _build_recipe(text[: job.start()])
    return None


def _build_recipe(text: str) -> Recipe:
    unmatched, start = Unmatched(), _OPTION.search(text)
    seed = None
    for name, value in _OPTION.findall(text):
        if name == "seed":
            seed = unmatched.check_seed(value)
        else:
            unmatched.name_value(name, value or "on")
    return Recipe(
        "Midjourney", text[: start.start() if start else None].strip(), seed, unmatched=unmatched.list_phrases()
    )

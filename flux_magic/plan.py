"""What is asked for, as requests: one image, or several with successive seeds."""

from __future__ import annotations

import numbers
import operator
import random
import re
from typing import SupportsIndex

from .errors import InvalidRequest, shown
from .settings import Settings
from .types import MAX_SEED, ImageRequest


def plan(prompt: str, settings: Settings, count: int = 1, *, typed: str | None = None) -> list[ImageRequest]:
    """The requests for `count` images: the seed given and those that follow it, or a random one.

    `typed` is the prompt before {names} were put in, where that is another text.

    Raises InvalidRequest where a value is out of its range, or the seeds run past the largest.
    """
    count = whole("count", count)
    if count < 1:
        raise InvalidRequest(f"count is {shown(count)}: give a whole number from 1 up")
    if count > MAX_SEED + 1:
        raise InvalidRequest(f"count is {shown(count)}: there are only {MAX_SEED + 1} seeds")
    if settings.seed is not None and whole("seed", settings.seed) < 0:
        raise InvalidRequest(
            f"seed is {settings.seed}: give a whole number from 0 to {MAX_SEED}, or leave it out for a random one"
        )
    first = random.randrange(MAX_SEED - count + 2) if settings.seed is None else whole("seed", settings.seed)
    if count > 1 and first <= MAX_SEED < first + count - 1:
        raise InvalidRequest(
            f"{count} seeds from {first} run past {MAX_SEED}: start at {MAX_SEED - count + 1} or below"
        )
    return [
        ImageRequest(
            prompt=prompt,
            model=settings.model,
            width=whole("width", settings.width),
            height=whole("height", settings.height),
            steps=whole("steps", settings.steps),
            seed=seed,
            typed=typed,
            chosen=settings.seed is None,
        )
        for seed in range(first, first + count)
    ]


def whole(name: str, value: object) -> int:
    """An int from whatever counts as one: a NumPy integer, for instance, but no bool and no float.

    Raises InvalidRequest for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise InvalidRequest(f"{name} is {shown(value)}: give a whole number{_written(name, value)}")
    try:
        return operator.index(value)
    except TypeError:
        raise InvalidRequest(f"{name} is {shown(value)}: give a whole number") from None


def _written(name: str, value: object) -> str:
    """Return how a number that is a string or a float is written, in words, or ""."""
    text = value.strip() if isinstance(value, str) else str(value) if isinstance(value, numbers.Real) else ""
    match = re.fullmatch(r"([0-9]{1,18})(?:\.0*)?", text)
    return f", as in {name}={match[1]}" if match else ""

"""What is asked for, as requests: one image, or several with successive seeds."""

from __future__ import annotations

import operator
import random
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
        raise InvalidRequest(f"{name} is {shown(value)}: give a whole number")
    try:
        return operator.index(value)
    except TypeError:
        raise InvalidRequest(f"{name} is {shown(value)}: give a whole number") from None

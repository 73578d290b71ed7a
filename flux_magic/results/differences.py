"""The differences between images: as an axis of the labels on a sheet, and as a table of what their records say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..sweeps.axes import Axis, pair_axes
from ..types import UNKNOWN, make_printable
from .origin import describe_input
from .output import describe_model, list_facts, list_sent_values

if TYPE_CHECKING:
    from .generation import Generation


def find_differences(items: Sequence[Generation]) -> Axis:
    """Return what differs between images: their captions if each has one, else the parameters that are not the same.

    If all are the same, or only the seeds differ, these are their seeds; their numbers if not all seeds are known.
    """
    captions = [getattr(item, "caption", None) for item in items]
    if items and all(caption and caption != item.prompt for caption, item in zip(captions, items, strict=True)):
        return Axis("caption", tuple(map(str, captions)))
    seeds = [item.seed for item in items]
    columns = _list_columns(items)
    differing = [name for name, values in columns.items() if len(set(map(str, values))) > 1 and None not in values]
    if not differing and None in seeds:
        return Axis("image", tuple(range(1, len(items) + 1)))
    if differing in ([], ["seed"]):
        return Axis("seed", tuple(seed for seed in seeds if seed is not None))
    parts = [Axis(name, tuple(columns[name])) for name in differing]
    if differing[0] == "prompt":
        parts[0] = Axis("prompt", tuple(shorten([item.prompt for item in items])))
    return pair_axes(parts)


def describe_record(image: Generation) -> dict[str, str]:
    """Return in words what the record of an image says, by name, the prompt first."""
    record = image.record
    started = record.circumstances.started
    inputs = [describe_input(one) for one in record.images]
    return {
        "prompt": image.prompt,
        "model": describe_model(record),
        **list_facts(record),
        **list_sent_values(record),
        **({"made of": ", ".join(inputs)} if inputs else {}),
        "Space": make_printable(record.space),
        "made on": UNKNOWN if started == UNKNOWN else f"{make_printable(started[:16].replace('T', ' '))} UTC",
        "image": image.digest[:12],
    }


def list_differing(first: Generation, second: Generation) -> dict[str, tuple[str, str]]:
    """Return what differs between the records of two images, by name, with both values in words."""
    one, other = describe_record(first), describe_record(second)
    names = dict.fromkeys([*one, *other])
    pairs = {name: (one.get(name, "–"), other.get(name, "–")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _list_columns(items: Sequence[Generation]) -> dict[str, list[Any]]:
    """Return the values of the images by name, in the order of a label."""
    names = dict.fromkeys(name for item in items for name in item.parameters)
    return {
        "prompt": [item.prompt for item in items],
        "model": [item.record.model for item in items],
        "size": [f"{item.width}x{item.height}" for item in items],
        "steps": [item.steps for item in items],
        **{name: [_plain(item.parameters.get(name)) for item in items] for name in names},
        "seed": [item.seed for item in items],
    }


def _plain(value: object) -> float | str | None:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _count_same(lists: Sequence[Sequence[str]]) -> int:
    """Return how many words all begin with."""
    return sum(1 for _ in itertools.takewhile(lambda words: len(set(words)) == 1, zip(*lists, strict=False)))


def shorten(prompts: Sequence[str]) -> list[str]:
    """Return the words of prompts without those that all begin and end with; whole if one would be left with none."""
    split = [prompt.split() for prompt in prompts]
    before = _count_same(split)
    after = _count_same([words[before:][::-1] for words in split])
    left = [" ".join(words[before : len(words) - after]).strip(" ,.;:") for words in split]
    return left if all(left) else [" ".join(words) for words in split]

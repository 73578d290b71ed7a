"""A sweep: what is varied, as axes that multiply, and the requests that come of them.

An axis is an option with several values, alternatives in the prompt (`a {red|blue} fox`) or a list of the notebook
(`{names}`). What is no axis stays the same over the whole sweep, the seed too.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, SupportsFloat

from ..errors import InvalidArgument, InvalidRequest, shown
from ..parameters.addresses import Space
from ..parameters.dialects import explain
from ..parameters.lists import dimensions, listed
from ..parameters.settings import MOST_SWEPT, NAMES, Settings, check_one_size, resolve
from ..parameters.sizes import read_size, sides, size_text
from ..parameters.table import FIELDS, MAX_SEED, ROWS, SWEPT, Parameter
from ..types import ImageRequest
from .axes import Axis, coordinates, distinct
from .template import Template, template

_COUNT: Final = Parameter(name="count", help="images in one go", least=1)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Axes and their requests, of which there is one for each combination.

    Attributes:
        axes: one or more.
        requests: in the axes' order, the last axis varying the fastest.
    """

    axes: tuple[Axis, ...]
    requests: tuple[ImageRequest, ...]

    def __len__(self) -> int:
        return len(self.requests)

    def label(self, place: int) -> str:
        """One of the images in words: `steps 4, seed 42`."""
        return ", ".join(axis.label(at) for axis, at in zip(self.axes, coordinates(self.axes, place), strict=True))

    def __str__(self) -> str:
        return f"{len(self)} image{'' if len(self) == 1 else 's'}: {' × '.join(str(axis) for axis in self.axes)}"


def sweep(
    template: Template,
    settings: Settings,
    varied: Mapping[str, Sequence[Any]],
    count: int = 1,
    *,
    most: int = MOST_SWEPT,
) -> Sweep:
    """The requests for every combination of what the prompt and the options vary.

    Args:
        template: of the prompt; its axes come first.
        settings: what is the same for all.
        varied: several values by the option's name, in the order of the axes; a size is its width and height.
        count: above 1, an axis of as many successive seeds.
        most: images that it may have.

    Raises InvalidRequest for too many of them, two axes that say the same, and values that are not allowed.
    """
    lengths = [len(axis.values) for axis in template.axes] + [len(values) for values in varied.values()]
    check_number(math.prod(lengths) * count, most)
    if count > 1 and "seed" in varied:
        raise InvalidRequest("a count (-n) and several seeds say the same twice: give one of them")
    if settings.space:
        Space.parse(settings.space)  # what fails for all is told once
    bases = plan(template.text([axis.values[0] for axis in template.axes]), settings, count)
    base = replace(bases[0], chosen=settings.seed is None and "seed" not in varied)
    if count > 1:
        varied = {**varied, "seed": [one.seed for one in bases]}
    options = [_option_axis(name, values) for name, values in varied.items()]
    axes = (*template.axes, *options)
    return Sweep(axes, tuple(_requests(template, base, axes)))


def sweep_of(typed: str, options: Mapping[str, Any], count: int = 1) -> tuple[Sweep, Settings, Template]:
    """A sweep, its settings, and its prompt, by the names of `Settings`, of OPTIONS, and of values for the prompt.

    Raises InvalidRequest where nothing is varied, or as `sweep` does; InvalidArgument for an option that there is not.
    """
    given = {name: _items(value) for name, value in options.items() if value is not None}
    check_one_size(given)
    names = {name: given.pop(name) for name in given.keys() - NAMES - {"size"}}
    made = template(_checked(typed), names)
    if unused := sorted(name for name in names if not re.search(rf"\{{{name}\}}", typed)):
        why = explain(unused[0], [*NAMES, "size", "count"]) or (made.notes[0] if made.notes else "")
        raise InvalidArgument(f"unknown option: {unused[0]}, and the prompt has no {{{unused[0]}}}{why and f'; {why}'}")
    varied, scalars = {}, {}
    for name, value in given.items():
        items = _sizes(value) if name == "size" else listed(value) if name in SWEPT else None
        if items is None:
            scalars[name] = value
        elif len(items) == 1:
            scalars |= {"width": items[0][0], "height": items[0][1]} if name == "size" else {name: items[0]}
        else:
            varied[name] = items
    for name in scalars.keys() & ROWS.keys() & set(SWEPT):
        if not isinstance(scalars[name], str if ROWS[name].kind is str else SupportsFloat):
            raise InvalidRequest(f"{name} is {shown(scalars[name])}: give {ROWS[name].noun}, or a list of them")
    settings = resolve(**scalars)
    count = _COUNT.check(count)
    if not made.axes and not varied and count == 1:
        why = f"; {made.notes[0]}" if made.notes else ""
        raise InvalidRequest(
            f"nothing is varied: give a list, as in steps=[1, 2, 4], or {{red|blue}} in the prompt{why}"
        )
    return sweep(made, settings, varied, count), settings, made


def _items(value: object) -> object:
    """Return the items of a generator, which can be read only once, as a list; anything else as it is."""
    return list(itertools.islice(value, MOST_SWEPT + 1)) if isinstance(value, Iterator) else value


def _checked(typed: object) -> str:
    if not isinstance(typed, str):
        raise InvalidRequest(f"the prompt is {shown(typed)}: give a text, with {{names}} for what you vary in it")
    return typed


def _sizes(value: Any) -> list[tuple[int, int]]:
    """Return a size, or several, as widths and heights in pixels: `"512x768"` or `(512, 768)` each."""
    items = listed(value.tolist() if dimensions(value) == 2 and hasattr(value, "tolist") else value)
    if items is None or (len(items) == 2 and not any(isinstance(item, str | Sequence) for item in items)):
        items = [value]
    return [read_size(item) for item in items]


def check_number(number: int, most: int) -> None:
    """Raises InvalidRequest where these are more images than one cell may have, or any."""
    if number > MOST_SWEPT:
        raise InvalidRequest(f"{number} images are more than {MOST_SWEPT} in one go: make several cells of it")
    if number > most:
        raise InvalidRequest(f"{number} images are more than {most} in one cell: add --yes if you mean it")


def _option_axis(name: str, values: Sequence[Any]) -> Axis:
    if name == "size":
        return Axis(name, distinct("size", [size_text(*size) for size in values]))
    return Axis(name, distinct(name, [ROWS[name].check(value) for value in values]))


def _requests(template: Template, base: ImageRequest, axes: Sequence[Axis]) -> Iterator[ImageRequest]:
    for values in itertools.product(*(axis.values for axis in axes)):
        text = template.text(values)
        changes: dict[str, Any] = {"prompt": text, "typed": None if text == template.typed else template.typed}
        for axis, value in zip(axes[len(template.axes) :], values[len(template.axes) :], strict=True):
            if axis.name == "size":
                changes["width"], changes["height"] = sides(str(value))
            else:
                changes[axis.name] = value
        yield base.with_values(**changes)


def plan(prompt: str, settings: Settings, count: int = 1, *, typed: str | None = None) -> list[ImageRequest]:
    """The requests for `count` images: the seed given and those that follow it, or a random one.

    `typed` is the prompt before {names} were put in, where that is another text.

    Raises InvalidRequest where a value is out of its range, or the seeds run past the largest.
    """
    count = _COUNT.check(count)
    if count > MAX_SEED + 1:
        raise InvalidRequest(f"count is {shown(count)}: there are only {MAX_SEED + 1} seeds")
    values = {name: ROWS[name].check(getattr(settings, name)) for name in FIELDS if name != "seed"}
    given = settings.seed is not None
    first: int = ROWS["seed"].check(settings.seed) if given else random.randrange(MAX_SEED - count + 2)
    if count > 1 and first + count - 1 > MAX_SEED:
        raise InvalidRequest(
            f"{count} seeds from {first} run past {MAX_SEED}: start at {MAX_SEED - count + 1} or below"
        )
    return [
        ImageRequest(
            prompt=prompt,
            model=settings.model,
            seed=seed,
            typed=typed,
            chosen=not given,
            parameters=settings.parameters,
            **values,
        )
        for seed in range(first, first + count)
    ]


def complete(request: ImageRequest, settings: Settings) -> ImageRequest:
    """Return the request with what it leaves out taken from the settings, and with a random seed if none is given.

    Raises InvalidRequest if a setting is out of its range.
    """
    missing = [name for name in ("model", *FIELDS) if getattr(request, name) is None]
    values: dict[str, Any] = {name: getattr(settings, name) for name in missing}
    if more := settings.parameters.keys() - request.parameters.keys():
        values["parameters"] = {**request.parameters, **{name: settings.parameters[name] for name in more}}
    if request.randomize_seed and "seed" in values:
        values["seed"] = 0  # the Space chooses another
    elif "seed" in values and values["seed"] is None:
        values |= {"seed": random.randrange(MAX_SEED + 1), "chosen": True}
    return replace(request, **values) if values else request

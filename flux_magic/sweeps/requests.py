"""A sweep: what is varied, as axes that multiply, and the requests for their combinations.

An axis is an option with several values, alternatives in the prompt (`a {red|blue} fox`) or a list of the notebook
(`{names}`). Everything else, including the seed, is held constant.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, SupportsFloat

from ..errors import InvalidArgument, InvalidRequest, format_count, show_value
from ..parameters.addresses import Space
from ..parameters.dialects import explain
from ..parameters.lists import count_dimensions, list_items
from ..parameters.seeds import choose_seed
from ..parameters.settings import MOST_SWEPT, NAMES, Settings, check_one_size, resolve
from ..parameters.sizes import format_size, read_size, split_sides
from ..parameters.table import FIELDS, MAX_SEED, ROWS, SIDES, SWEPT, Parameter, check_values
from ..types import ImageRequest
from .axes import TAKEN, Axis, check_distinct, get_coordinates, is_word, pair_axes

if TYPE_CHECKING:
    from .template import Template

_COUNT: Final = Parameter(name="count", help="images in one go", least=1)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Axes and their requests, one for each combination.

    Attributes:
        axes: one or more.
        requests: in the axes' order, the last axis varying the fastest.
    """

    axes: tuple[Axis, ...]
    requests: tuple[ImageRequest, ...]

    def __len__(self) -> int:
        return len(self.requests)

    def format_label(self, place: int) -> str:
        """Return one of the images in words: `steps 4, seed 42`."""
        return ", ".join(
            axis.format_label(at) for axis, at in zip(self.axes, get_coordinates(self.axes, place), strict=True)
        )

    def __str__(self) -> str:
        return f"{format_count(len(self), 'image')}: {' × '.join(str(axis) for axis in self.axes)}"


def build_sweep(
    template: Template,
    settings: Settings,
    varied: Mapping[str, Sequence[Any]],
    count: int = 1,
    *,
    most: int = MOST_SWEPT,
    has_images: bool = False,
    pairs: bool = False,
) -> Sweep:
    """Return the requests for every combination of what the prompt and the options vary.

    Args:
        template: of the prompt; its axes come first.
        settings: what is the same for all.
        varied: several values by the option's name, in the order of the axes; a size is its width and height.
        count: above 1, adds an axis of that many successive seeds.
        most: images that it may have.
        has_images: True if images go into the requests, which then have no default size.
        pairs: True to walk all that varies together, in place of every combination.

    Raises InvalidRequest for too many of them, two axes that say the same, pairs of unequal length, and values that are
    not allowed.
    """
    _check_own_names(template, varied)
    lengths = {axis.name: len(axis.values) for axis in template.axes}
    lengths |= {name: len(values) for name, values in varied.items()}
    if pairs:
        _check_pairs({**lengths, **({"count": count} if count > 1 else {})})
    check_number(max([*lengths.values(), count]) if pairs else math.prod(lengths.values()) * count, most)
    if count > 1 and "seed" in varied:
        raise InvalidRequest("a count (-n) and several seeds set the same thing twice: give one of them")
    if settings.space:
        Space.parse(settings.space)  # an error that would affect every image is reported once
    bases = build_requests(
        template.fill([axis.values[0] for axis in template.axes]), settings, count, has_images=has_images
    )
    base = replace(bases[0], chosen=settings.seed is None and "seed" not in varied)
    if count > 1:
        varied = {**varied, "seed": [one.seed for one in bases]}
    options = [_make_option_axis(name, values, repeats=pairs) for name, values in varied.items()]
    axes = (*template.axes, *options)
    if not pairs:
        return Sweep(axes, tuple(_build_requests(template, base, axes, itertools.product(*_get_values(axes)))))
    together = list(zip(*_get_values(axes), strict=True))
    if twice := [one for one in together if together.count(one) > 1]:
        shown = " with ".join(f"{axis.name} {show_value(value)}" for axis, value in zip(axes, twice[0], strict=True))
        raise InvalidRequest(f"the pair {shown} occurs twice")
    return Sweep((pair_axes(axes),), tuple(_build_requests(template, base, axes, together)))


def _get_values(axes: Sequence[Axis]) -> list[tuple[float | str, ...]]:
    return [axis.values for axis in axes]


def _check_pairs(lengths: Mapping[str, int]) -> None:
    """Raise InvalidRequest for lists that cannot be walked together."""
    if len(lengths) == 1 and (one := next(iter(lengths.items())))[1] > 1:
        raise InvalidRequest(
            f"only {one[0]} has several values: pairs need two such lists, for example seed 1..{one[1]}"
        )
    first, *others = lengths.items()
    for name, number in others:
        if number != first[1]:
            raise InvalidRequest(
                f"{first[0]} has {first[1]} value{'' if first[1] == 1 else 's'} and {name} has {number}: "
                "in pairs, all need the same number"
            )


def _check_own_names(template: Template, varied: Mapping[str, Sequence[Any]]) -> None:
    """Raise InvalidRequest for a parameter of the model's own that a sweep's table, files or prompt would mix up."""
    own = [name for name in varied if name not in SWEPT]
    for name in own:
        if any(axis.name == name for axis in template.axes):
            raise InvalidRequest(f"{{{name}}} and the model's own {name} both vary: give the list another name")
        if name in TAKEN or is_word(name):
            raise InvalidRequest(f"{name} has several values: a sweep has a {name} of its own, so give one value of it")


def build_sweep_call(
    typed: str, options: Mapping[str, Any], count: int = 1, *, has_images: bool = False, pairs: bool = False
) -> tuple[Sweep, Settings, Template]:
    """Return a sweep, its settings, and its prompt, from options by name and values for the prompt.

    `has_images` and `pairs` are as for `build_sweep`.

    Raises InvalidRequest if nothing is varied, or as `build_sweep` does; InvalidArgument for an unknown option.
    """
    if not isinstance(pairs, bool):
        raise InvalidArgument(f"pairs is {show_value(pairs)}: give True or False")
    given = {name: _list_items(value) for name, value in options.items() if value is not None}
    check_one_size(given)
    names = {name: given.pop(name) for name in given.keys() - NAMES - {"size"}}
    from .template import read_template

    made = read_template(_check_prompt(typed), names, repeats=pairs)
    if unused := sorted(name for name in names if not re.search(rf"\{{{name}\}}", typed)):
        why = explain(unused[0], [*NAMES, "size", "count"]) or (made.notes[0] if made.notes else "")
        why = why or f"what the model has of its own goes into parameters={{{unused[0]!r}: [...]}}"
        raise InvalidArgument(f"unknown option: {unused[0]}, and the prompt has no {{{unused[0]}}}; {why}")
    varied, scalars = {}, {}
    for name, value in given.items():
        items = _read_sizes(value) if name == "size" else list_items(value) if name in SWEPT else None
        if items is None:
            scalars[name] = value
        elif len(items) == 1:
            scalars |= {"width": items[0][0], "height": items[0][1]} if name == "size" else {name: items[0]}
        else:
            varied[name] = items
    if isinstance(own := scalars.get("parameters"), Mapping):
        listed = {name: list_items(value) for name, value in own.items()}
        varied |= {name: items for name, items in listed.items() if items is not None and len(items) != 1}
        scalars["parameters"] = {
            name: items[0] if (items := listed[name]) else value for name, value in own.items() if name not in varied
        }
    for name in scalars.keys() & ROWS.keys() & set(SWEPT):
        if not isinstance(scalars[name], str if ROWS[name].kind is str else SupportsFloat):
            raise InvalidRequest(f"{name} is {show_value(scalars[name])}: give {ROWS[name].noun}, or a list of them")
    settings = resolve(**scalars)
    count = _COUNT.check(count)
    if not made.axes and not varied and count == 1:
        why = f"; {made.notes[0]}" if made.notes else ""
        raise InvalidRequest(
            f"nothing is varied: give a list, as in steps=[1, 2, 4], or {{red|blue}} in the prompt{why}"
        )
    return build_sweep(made, settings, varied, count, has_images=has_images, pairs=pairs), settings, made


def _list_items(value: object) -> object:
    """Return the items of a generator, which can be read only once, as a list; anything else as it is."""
    return list(itertools.islice(value, MOST_SWEPT + 1)) if isinstance(value, Iterator) else value


def _check_prompt(typed: object) -> str:
    if not isinstance(typed, str):
        raise InvalidRequest(f"the prompt is {show_value(typed)}: give a string, with {{names}} for what varies in it")
    return typed


def _read_sizes(value: Any) -> list[tuple[int, int]]:
    """Return a size, or several, as widths and heights in pixels: `"512x768"` or `(512, 768)` each."""
    items = list_items(value.tolist() if count_dimensions(value) == 2 and hasattr(value, "tolist") else value)
    if items is None or (len(items) == 2 and not any(isinstance(item, str | Sequence) for item in items)):
        items = [value]
    return [read_size(item) for item in items]


def check_number(number: int, most: int) -> None:
    """Raise InvalidRequest if these are more images than one cell, or any call, may have."""
    if number > MOST_SWEPT:
        raise InvalidRequest(f"{number} images are more than {MOST_SWEPT} in one go: make several cells of it")
    if number > most:
        raise InvalidRequest(f"{number} images are more than {most} in one cell: add --yes if you mean it")


def _make_option_axis(name: str, values: Sequence[Any], *, repeats: bool = False) -> Axis:
    if name == "size":
        return Axis(name, check_distinct("size", [format_size(*size) for size in values], repeats=repeats))
    check = ROWS[name].check if name in ROWS else lambda value: check_values({name: value})[name]
    return Axis(name, check_distinct(name, [check(value) for value in values], repeats=repeats))


def _build_requests(
    template: Template, base: ImageRequest, axes: Sequence[Axis], combined: Iterable[tuple[float | str, ...]]
) -> Iterator[ImageRequest]:
    for values in combined:
        text = template.fill(values)
        own = dict(base.parameters)
        changes: dict[str, Any] = {"prompt": text, "typed": None if text == template.typed else template.typed}
        for axis, value in zip(axes[len(template.axes) :], values[len(template.axes) :], strict=True):
            if axis.name == "size":
                changes["width"], changes["height"] = split_sides(str(value))
            elif axis.name in FIELDS:
                changes[axis.name] = value
            else:
                own[axis.name] = value
        yield replace(base, **changes, parameters=own)


def build_requests(
    prompt: str, settings: Settings, count: int = 1, *, typed: str | None = None, has_images: bool = False
) -> list[ImageRequest]:
    """Return the requests for `count` images: the given seed and those after it, or a random one.

    `typed` is the prompt before {names} were put in, if that is another text. If images go into them, `has_images`,
    they have no default size.

    Raises InvalidRequest if a value is out of its range, or the seeds run past the largest.
    """
    count = _COUNT.check(count)
    if count > MAX_SEED + 1:
        raise InvalidRequest(f"count is {show_value(count)}: there are only {MAX_SEED + 1} seeds")
    values = _list_values(settings.model, settings, has_images=has_images)
    given = settings.seed is not None
    first: int = ROWS["seed"].check(settings.seed) if given else choose_seed(count)
    if count > 1 and first + count - 1 > MAX_SEED:
        raise InvalidRequest(
            f"{count} seeds from {first} run past {MAX_SEED}: start at {MAX_SEED - count + 1} or below"
        )
    return [
        ImageRequest(
            prompt=prompt,
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
    asked: str | None = request.model
    known = _list_values(settings.model if asked is None else asked, settings, has_images=bool(request.images))
    values: dict[str, Any] = {name: value for name, value in known.items() if getattr(request, name) is None}
    if known["model"] != request.model:
        values["model"] = known["model"]
    if more := settings.parameters.keys() - request.parameters.keys():
        values["parameters"] = {**request.parameters, **{name: settings.parameters[name] for name in more}}
    given: int | None = request.seed
    if given is None and request.randomize_seed:
        values["seed"] = 0  # the Space chooses another
    elif given is None:
        chosen = settings.seed is None
        values |= {"seed": choose_seed() if chosen else settings.seed, "chosen": chosen}
    return replace(request, **values) if values else request


def _list_values(model: str, settings: Settings, *, has_images: bool = False) -> dict[str, Any]:
    """Return the model and the fields of its requests, except for the seed: as set, else the model's own.

    None is left to the model, as is the size of an image that is made of another one. Raises InvalidRequest if a value
    is out of its range, or if there is no such model.
    """
    from ..providers.registry import get_defaults  # here, since it loads aiohttp, and reading a cell does not

    name, defaults = get_defaults(model, settings.space, settings.provider)
    given = {one: getattr(settings, one) for one in FIELDS if one != "seed"}
    left = {one: default for one, default in defaults.items() if not (has_images and one in SIDES)}
    values = {one: left.get(one) if value is None else ROWS[one].check(value) for one, value in given.items()}
    return {"model": name, **values}

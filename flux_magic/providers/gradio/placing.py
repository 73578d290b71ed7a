"""The values of a request in the order of an endpoint that described itself, and what they are called. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...errors import InvalidRequest, clean, show_value
from ...parameters.sizes import SIZE_STEP, format_size, round_down
from ...parameters.table import EXTRA_NAMES, MAX_SEED, RESERVED, ROWS, SIDES
from ...types import ImageRequest, InputImage
from .choosing import count_images, has_mask, needs_image
from .meanings import EDITORS, is_secret, read_size, read_steps, to_number
from .signature import Input, Signature

Sizes = Mapping[str, tuple[int, int]]
"""The pixels that choices mean which do not say so, such as `16:9`."""

File = Mapping[str, Any]
"""A file that was uploaded, as Gradio takes it."""

PAINTED: Final = ("layer", "composite")
"""The keys of the files of a mask in an editor: what is painted alone, and on the image."""

_OWN_FIELDS: Final = frozenset({"prompt", "seed", "image", "mask", "history"})
"""The meanings that a record has a field of its own for, or that are no parameters."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A request as an endpoint takes it.

    Attributes:
        values: in the endpoint's order.
        seed: the seed that was sent; None if the Space chooses it, or takes none.
        parameters: what was sent, by the names of the table, else by the endpoint's own.
        sent: what was sent besides, by the endpoint's own names.
    """

    values: list[Any]
    seed: int | None
    parameters: Mapping[str, Any]
    sent: Mapping[str, Any]


def place(
    signature: Signature,
    request: ImageRequest,
    files: Mapping[str, File],
    *,
    sizes: Sizes | None = None,
    constants: Mapping[str, object] | None = None,
    is_lenient: bool = False,
) -> Placed:
    """Return the values of a request by their meanings; what it leaves out gets the endpoint's default.

    `files` has what was uploaded, by sha256, and by PAINTED a mask as it is painted in an editor. If `is_lenient`,
    steps and a size that the endpoint lacks are left out: they are the defaults of the model that it stands in for. An
    edit has no default size.

    Raises InvalidRequest for what the endpoint does not take, and for a value out of its range or choices. An image
    that it needs or does not take is refused as well.
    """
    placing = _Placing(signature, request, sizes or {})
    placing.values.update(constants or {})
    placing.take_parameters(is_lenient=is_lenient)
    placing.take_seed()
    placing.take_images(files)
    return placing.finish()


@dataclass(slots=True)
class _Placing:
    signature: Signature
    request: ImageRequest
    sizes: Sizes
    values: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None

    def take_parameters(self, *, is_lenient: bool) -> None:
        request = self.request
        asked = {name: one for name in ("steps", "width", "height") if (one := request.get_value(name)) is not None}
        asked |= {name: request.get_value(f"sent_{name}") for name in ("width", "height") if name in asked}
        asked |= request.sent_parameters
        asked.pop("endpoint", None)
        if is_lenient:
            takes = {one.meaning for one in self.signature.asked}
            takes |= {"width", "height"} if "size" in takes else set()
            takes |= set(SIDES) if request.images else set()
            asked = {name: one for name, one in asked.items() if name in request.parameters or name in takes}
        self._take_size(asked)
        for name, value in asked.items():
            self._set(self._find(name), name, value)
        switch, negative = self.signature.find("use_negative"), self.signature.find("negative_prompt")
        if switch and negative and self.values.get(negative.name) and switch.name not in self.values:
            self.values[switch.name] = True
        prompt = self.signature.find("prompt")
        if prompt is not None:
            self.values[prompt.name] = request.prompt

    def _find(self, name: str) -> Input:
        """Return the input that a user means by a name: that of the table, or the Space's own."""
        offered = list_settable(self.signature)
        for one in offered:
            if one.parameter == name:
                return one
        for one in offered:
            if name in {one.name, one.label}:
                return one
        if any(one.name == name and one.meaning == "random" for one in self.signature.asked):
            raise InvalidRequest(f"{name} follows from the seed: leave it out")
        names = list(dict.fromkeys(word for one in offered for word in (one.parameter, one.name)))
        near = difflib.get_close_matches(name, names, 1, 0.6)
        meant = f": did you mean {near[0]}?" if near else ""
        there = clean(", ".join(dict.fromkeys(one.parameter for one in offered)))[:500]
        raise InvalidRequest(f"this Space takes no {name[:80]}{meant}", f"It takes {there or 'nothing but a prompt'}.")

    def _set(self, one: Input, name: str, value: Any) -> None:
        converted = convert(one, name, value)
        if one.name in self.values and self.values[one.name] != converted:
            other = clean(str(self.values[one.name]))[:70]
            raise InvalidRequest(f"{name} is {show_value(value)}, but {one.name} is given as {other}: give one of them")
        self.values[one.name] = converted

    def _take_size(self, asked: dict[str, Any]) -> None:
        """Turn a width and a height into the choice of that size, if the endpoint takes them as a choice alone."""
        choice, sides = self.signature.find("size"), {"width", "height"} & asked.keys()
        if choice is None or not sides or self.signature.find("width") or self.signature.find("height"):
            return
        known = self._list_sizes(choice)
        if missing := {"width", "height"} - sides:
            raise InvalidRequest(f"this Space takes no width or height alone: give the {missing.pop()} as well")
        width, height = asked.pop("width"), asked.pop("height")
        whole = (self.request.width, self.request.height)
        fitting = [one for one, size in known.items() if size == whole] or [
            one for one, size in known.items() if tuple(round_down(side, SIZE_STEP) for side in size) == (width, height)
        ]
        own = asked.get(choice.parameter, asked.get(choice.name))
        if not fitting:
            said, there = f"the size is {whole[0]}x{whole[1]}", [format_size(*size) for size in known.values()]
            if known:
                raise InvalidRequest(f"{said}: this Space makes only {', '.join(dict.fromkeys(there))[:600]}")
            labels = clean(", ".join(label for _, label in choice.choices))[:600]
            raise InvalidRequest(
                f"{said}: this Space takes only {labels}, without their pixels",
                f"Give one of these: --set {choice.parameter}=…",
            )
        if own is None:
            self._set(choice, "size", fitting[0])
        elif convert(choice, choice.name, own) not in fitting:
            raise InvalidRequest(f"the size is {width}x{height}, but {choice.name} is {own}: give one of them")

    def _list_sizes(self, choice: Input) -> dict[Any, tuple[int, int]]:
        return list_sizes(choice, self.sizes)

    def take_seed(self) -> None:
        """Place the seed, and have the Space use it."""
        one, switch = self.signature.find("seed"), self.signature.find("random")
        if switch is not None:
            self.values[switch.name] = self.request.randomize_seed
        if one is None:
            if not self.request.chosen and not self.request.randomize_seed:
                raise InvalidRequest("this Space takes no seed: leave it out; what it makes cannot be made again")
            return
        if self.request.randomize_seed:
            self.values[one.name] = one.initial if switch is not None or one.least != -1 else -1
            return
        seed, least, most = self.request.seed, *get_seed_range(one)
        if self.request.chosen and not least <= seed <= most:
            seed = least + (seed - least) % (most - least + 1)
        if not least <= seed <= most:
            raise InvalidRequest(f"seed is {seed}: this Space takes {least} to {most}")
        self.values[one.name], self.seed = convert(one, "seed", seed), seed

    def take_images(self, files: Mapping[str, File]) -> None:
        """Place the images and masks; each input of one image takes one, and a gallery all that are left."""
        images = [one for one in self.request.images if one.role == "image"]
        masks = [one for one in self.request.images if one.role == "mask"]
        most, inputs = count_images(self.signature), list(self.signature.find_all("image"))
        if len(images) > most:
            takes = "no images" if not most else f"{most} image{'s' if most > 1 else ''} at most"
            raise InvalidRequest(f"{len(images)} image{'s' if len(images) > 1 else ''} given: this Space takes {takes}")
        if not images and needs_image(self.signature):
            raise InvalidRequest("this Space needs an image: give one with --image, in Python image=")
        if len(masks) > 1 or (masks and not has_mask(self.signature)):
            raise InvalidRequest(f"{len(masks)} mask(s) given: this Space takes {int(has_mask(self.signature))}")
        layers = [files.get(part, {}) for part in PAINTED] if masks and self.signature.find("mask") is None else []
        for one in sorted(inputs, key=lambda one: one.component == "gallery"):
            taken = images if one.component == "gallery" else images[:1]
            images = images[len(taken) :]
            if taken:
                self._put_image(one, [_pick(files, image) for image in taken], layers)
        if masks and (mask := self.signature.find("mask")) is not None:
            self._put_image(mask, [_pick(files, masks[0])], [])

    def _put_image(self, one: Input, found: list[File], layers: list[File]) -> None:
        if one.component == "gallery":
            self.values[one.name] = [{"image": file, "caption": None} for file in found]
        elif one.component in EDITORS:
            composite = layers[1] if layers else found[0]
            self.values[one.name] = {"background": found[0], "layers": layers[:1], "composite": composite}
        else:
            self.values[one.name] = found[0]

    def finish(self) -> Placed:
        values = {one.name: self.values.get(one.name, one.initial) for one in self.signature.asked}
        others = [one for one in self.signature.asked if one.meaning not in _OWN_FIELDS and not is_reported(one)]
        return Placed(
            [None if one.is_filled else values[one.name] for one in self.signature.inputs],
            self.seed,
            self._report(values),
            {one.name: values[one.name] for one in others if values[one.name] is not None},
        )

    def _report(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was sent by the names of the table, else by the endpoint's own."""
        told: dict[str, Any] = {}
        for one in self.signature.asked:
            value = values[one.name]
            is_left = one.meaning == "negative_prompt" and not value and one.meaning not in self.request.parameters
            if value is None or not is_reported(one) or is_left:
                continue
            if one.meaning == "size" or (one.meaning == "steps" and one.choices):
                told |= self._report_choice(one, value)
            elif one.meaning in ROWS:
                told |= _report_row(one, value)
            elif isinstance(value, str | int | float):
                told[one.parameter] = value
        return told

    def _report_choice(self, one: Input, value: Any) -> dict[str, Any]:
        """Return a choice by its own name, and what it means."""
        if one.meaning == "steps":
            steps = next((read_steps(label) for choice, label in one.choices if choice == value), None)
            return ({} if one.name in EXTRA_NAMES | RESERVED else {one.name: value}) | (
                {"steps": steps} if steps else {}
            )
        size = self._list_sizes(one).get(value)
        known = size is not None and not any(side % SIZE_STEP for side in size)
        return {one.parameter: value} | (dict(zip(("width", "height"), size, strict=True)) if size and known else {})


def _report_row(one: Input, value: Any) -> dict[str, Any]:
    """Return a value as its row of the table has it.

    It is nothing if the row refuses it or would round it: a Space's default may be odd.
    """
    row = ROWS[one.meaning]
    try:
        number = row.check(value if one.meaning == "negative_prompt" else to_number(value))
    except InvalidRequest:
        return {}
    return {one.meaning: number} if row.round_down(number) == number else {}


def list_settable(signature: Signature) -> list[Input]:
    """Return the inputs that a user may set by a parameter."""
    return [one for one in signature.asked if is_reported(one)]


def is_reported(one: Input) -> bool:
    """Return True for an input whose value is a parameter: a number, a string or a switch."""
    own_field = one.meaning in {*_OWN_FIELDS, "random"}
    return one.is_scalar and not own_field and not is_secret(one.name)


def get_seed_range(one: Input) -> tuple[int, int]:
    """Return the least and the most of the seeds that we send."""
    least = 0 if one.least is None else max(int(one.least), 0)
    return least, MAX_SEED if one.most is None else max(least, min(int(one.most), MAX_SEED))


def list_sizes(choice: Input, sizes: Sizes) -> dict[Any, tuple[int, int]]:
    """Return the pixels that the choices mean, by their values, as far as they are known."""
    found = {
        value: sizes.get(str(value)) or read_size(label) or read_size(str(value)) for value, label in choice.choices
    }
    return {value: size for value, size in found.items() if size}


def _pick(files: Mapping[str, File], image: InputImage) -> File:
    return files.get(image.record.sha256, {})


def convert(one: Input, name: str, value: Any) -> Any:
    """Return a value as the input takes it. Raises InvalidRequest if it cannot be, or is out of its range."""
    if one.choices:
        return _convert_choice(one, name, value)
    said = f"{name} is {show_value(value)}"
    if one.kind == "number":
        number = to_number(value) if not isinstance(value, bool) else value
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InvalidRequest(f"{said}: this Space takes a number")
        if not one.has_within(number):
            raise InvalidRequest(f"{said}: this Space takes {describe_range(one)}")
        return number
    if one.kind == "boolean":
        known = {"true": True, "false": False}.get(str(value).lower())
        if known is None:
            raise InvalidRequest(f"{said}: this Space takes true or false")
        return known
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(to_number(value))


def _convert_choice(one: Input, name: str, value: Any) -> Any:
    """Return the choice that a value or its label names; of choices that are steps, the number names one."""
    by_steps = one.meaning == "steps" and isinstance(value, int) and not isinstance(value, bool)
    for choice, label in one.choices:
        if (read_steps(label) == value) if by_steps else str(value) in {str(choice), label}:
            return choice
    if one.is_open and not by_steps:
        return value
    there = [str(read_steps(label)) if by_steps else label for _, label in one.choices]
    near = difflib.get_close_matches(str(value), there, 1, 0.5)
    meant = f", did you mean {near[0]!r}" if near and not by_steps else ""
    raise InvalidRequest(
        f"{name} is {show_value(value)}{clean(meant)}: this Space takes {clean(', '.join(there))[:600]}"
    )


def describe_range(one: Input) -> str:
    """Return the numbers that an input takes, in words: `1 to 50`, `0 or more`; empty for any."""
    if one.least is not None and one.most is not None:
        return f"{one.least:.10g} to {one.most:.10g}"
    if one.least is not None:
        return f"{one.least:.10g} or more"
    return f"{one.most:.10g} at most" if one.most is not None else ""

"""The parameters of a pipeline, read off its own signature and configuration, and the values of a call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ...errors import InvalidRequest, show_value
from ...parameters.table import ROWS, Parameter
from ...types import ImageRequest

_NAMES: Final = {
    "num_inference_steps": "steps",
    "width": "width",
    "height": "height",
    "guidance_scale": "guidance",
    "negative_prompt": "negative_prompt",
    "strength": "strength",
}
"""The names of our table for those of a pipeline."""

_OURS: Final = {
    *("prompt", "image", "mask_image", "generator", "output_type", "return_dict", "num_images_per_prompt", "seed"),
    *("control_image", "ip_adapter_image"),
}
"""Arguments that are filled here, or that no request can fill."""

_SEVERAL: Final = ("Flux2", "QwenImageEditPlus", "ZImageOmni", "OmniGen")
"""The beginnings of the classes that combine several images; to the others a list is a batch."""

_MOST_IMAGES: Final = 10

_KINDS: Final = {"bool": bool, "int": int, "float": float, "str": str}

FEW_STEPS: Final = 4
"""The steps of a model that was distilled to few; its pipeline's signature has those of its undistilled sibling."""


_NO_GUIDANCE: Final = {"guidance_scale": 1.0}
"""The argument for a guidance that would not count; without it the pipeline warns of its own default."""


@dataclass(frozen=True, slots=True)
class Taken:
    """All that a pipeline takes for one kind of request.

    Attributes:
        rows: its parameters, each with its `own_name` and default.
        size_step: a width or height is a multiple of this many pixels.
        images: the most images that go in, masks apart; 0 if it takes none.
        needs_image: True if it makes nothing without one.
        takes_mask: True if it takes a mask.
        unasked: arguments that are passed if a request leaves them out, by the pipeline's own names.
    """

    rows: tuple[Parameter, ...]
    size_step: int
    images: int
    needs_image: bool
    takes_mask: bool
    unasked: Mapping[str, Any] = field(default_factory=dict)

    def find(self, name: str) -> Parameter | None:
        """Return the parameter of this name in our table, else of the pipeline's own; None without one."""
        return next((row for row in self.rows if row.name == name), None)


def read_taken(pipe: Any, kind: type | None = None) -> Taken:
    """Return what a pipeline takes; with its class as `kind`, an object with its parts' configurations will do."""
    kind = kind or type(pipe)
    arguments = inspect.signature(kind.__call__).parameters
    processor = getattr(pipe, "image_processor", None)
    step = int(getattr(processor, "config", {}).get("vae_scale_factor", 8)) if processor is not None else 8
    image = arguments.get("image")
    most = _MOST_IMAGES if kind.__name__.startswith(_SEVERAL) else 1
    return Taken(
        rows=tuple(_list_rows(arguments, few=is_few_step(pipe, kind))),
        size_step=step,
        images=0 if image is None else most,
        needs_image=_needs_image(kind),
        takes_mask="mask_image" in arguments,
        unasked=_NO_GUIDANCE if is_few_step(pipe, kind) and "guidance_scale" in arguments else {},
    )


def _needs_image(kind: Any) -> bool:
    """Return True for a class that is no text-to-image pipeline, and has none to its side."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING, _get_task_class

    try:
        return _get_task_class(AUTO_TEXT2IMAGE_PIPELINES_MAPPING, kind.__name__) is None
    except ValueError:
        return "image" in inspect.signature(kind.__call__).parameters


def is_few_step(pipe: Any, kind: type) -> bool:
    """Return True if a model's own configuration says that it was distilled to few steps, without a guidance.

    Those are FLUX.1-schnell, whose transformer embeds no guidance and whose schedule is not shifted, and FLUX.2-klein,
    whose pipeline says `is_distilled`.
    """
    if pipe.config.get("is_distilled") is True:
        return True
    transformer, scheduler = getattr(pipe, "transformer", None), getattr(pipe, "scheduler", None)
    embeds = getattr(getattr(transformer, "config", None), "guidance_embeds", None)
    shifted = getattr(getattr(scheduler, "config", None), "use_dynamic_shifting", None)
    return kind.__name__.startswith("FluxP") and embeds is False and shifted is False


def _list_rows(arguments: Mapping[str, inspect.Parameter], *, few: bool) -> Iterator[Parameter]:
    by_cfg = _goes_by_true_cfg(arguments)
    for own, argument in arguments.items():
        kind = _read_kind(argument)
        if own in _OURS or own.startswith(("_", "callback")) or own == "self" or kind is None or "embeds" in own:
            continue
        name = _NAMES.get(own, own)
        if by_cfg and own in {"guidance_scale", "true_cfg_scale"}:
            name = "guidance" if own == "true_cfg_scale" else own
        if few and own == "guidance_scale":
            continue  # it would not count
        default = None if argument.default is inspect.Parameter.empty else argument.default
        if name == "steps" and few:
            default = FEW_STEPS
        row = ROWS.get(name)
        if row is None:
            yield Parameter(name=name, help="", kind=kind, default=default, own_name=own)
        else:
            yield replace(row, default=default, own_name=own)


def _goes_by_true_cfg(arguments: Mapping[str, inspect.Parameter]) -> bool:
    """Return True if `true_cfg_scale` is what guides, as Qwen-Image does, and not `guidance_scale`."""
    guidance, true = arguments.get("guidance_scale"), arguments.get("true_cfg_scale")
    return true is not None and (guidance is None or guidance.default is None)


def _read_kind(argument: inspect.Parameter) -> type | None:
    """Return the type of an argument if a request can have a value of it: a number, a string, True or False."""
    named = str(getattr(argument.annotation, "__name__", argument.annotation))
    options = set(re.findall(r"\b(?:bool|int|float|str)\b", str(argument.annotation))) or {named}
    if re.search(r"dict|Dict|Callable|Tensor|tuple|Tuple|Any", str(argument.annotation)):
        return None
    if "list" in str(argument.annotation).lower() and "str" not in options:
        return None
    if isinstance(argument.default, bool | int | float | str):
        return type(argument.default)
    return next((_KINDS[one] for one in ("float", "int", "bool", "str") if one in options), None)


def build_values(taken: Taken, request: ImageRequest, title: str) -> dict[str, Any]:
    """Return the arguments of a pipeline for a request, by its own names, without its images and seed.

    What the request leaves out is `unasked`, or has the pipeline's default. Raises InvalidRequest for what it does not
    take.
    """
    asked: dict[str, Any] = {
        name: value
        for name in ("steps", "width", "height")
        if (value := request.get_value({"width": "sent_width", "height": "sent_height"}.get(name, name))) is not None
    }
    asked |= request.sent_parameters
    values: dict[str, Any] = {**taken.unasked}
    for name, value in asked.items():
        row = taken.find(name)
        if row is None:
            raise InvalidRequest(f"{title} takes no {name}: {_list_names(taken.rows)}")
        values[row.own_name] = _check(row, value)
    steps = taken.find("steps")
    if steps is not None and steps.default is not None:
        values.setdefault(steps.own_name, steps.default)
    return values


def _list_names(rows: Sequence[Parameter]) -> str:
    own = [row.name for row in rows if row.name not in ROWS]
    known = [row.name for row in rows if row.name in ROWS]
    return f"it takes {', '.join(known)}" + (f", and by --set {', '.join(own)}" if own else "")


def _check(row: Parameter, value: Any) -> Any:
    """Return a value as the pipeline has it. Raises InvalidRequest for one of another type."""
    if row.kind is bool and isinstance(value, bool):
        return value
    if row.kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if row.kind is str and not isinstance(value, str):
        raise InvalidRequest(f"{row.name} is {show_value(value)}: give {row.noun}")
    return row.check(value)


def describe_values(taken: Taken, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters with their values as they ran, by our names; those that are None or empty are left out."""
    given = {row.name: values.get(row.own_name, row.default) for row in taken.rows}
    return {name: value for name, value in given.items() if value is not None and value != ""}

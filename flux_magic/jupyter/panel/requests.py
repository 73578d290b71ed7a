"""The requests of a press, and the way back: the parameters that made an image, and those that are configured."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from ...client.target import resolve_target
from ...errors import InvalidArgument, InvalidRequest, show_value
from ...parameters.grammar import Several, parse_value, parse_values
from ...parameters.placeholders import escape, expand
from ...parameters.settings import DEFAULT_MODEL, MOST_IMAGES, Settings, resolve
from ...parameters.table import EXTRA, EXTRA_NAMES, FIELDS, ROWS, SIDES, Parameter
from ...providers import get_provider
from ...providers.registry import SPACE, find_engine
from ...results.generation import Generation
from ...results.generations import Generations
from ...results.recall import Recalled
from ...sweeps.requests import Sweep, build_requests, build_sweep
from ...sweeps.template import Template, describe_unread, find_varying
from ...types import ImageRequest, Record
from .loading import find_images
from .parameters import Parameters


def read_prompt(parameters: Parameters) -> tuple[Template, list[str]]:
    """Return the prompt with the names of the notebook filled in, as a cell has it, and notes about them."""
    typed = parameters.prompt
    shell = InteractiveShell.instance() if InteractiveShell.initialized() else None
    names = {} if shell is None else {**shell.user_ns}
    text, missing = expand(typed, names)
    notes = [f"{slot[:40]} is sent as a whole" for slot in find_varying(typed, names)] + describe_unread(typed, names)
    if missing:
        listed = ", ".join(f"{{{name}}}" for name in missing)
        notes.append(f"{listed} sent as typed: no such name in this notebook")
    return Template(typed, (text,), missing=tuple(missing)), notes


def build_press(parameters: Parameters, prompt: Template) -> tuple[list[ImageRequest], Settings]:
    """Return the requests of one press, and their settings. Raises InvalidRequest."""
    settings = _build_settings(parameters)
    _check_size(parameters, settings.width, settings.height)
    text = prompt.fill(())
    typed = None if text == prompt.typed else prompt.typed
    requests = build_requests(text, settings, parameters.count, typed=typed)
    return _put_in(parameters, requests), _choose_replay(settings)


def build_comparison(parameters: Parameters, prompt: Template) -> tuple[Sweep, Settings]:
    """Return every combination of the values to compare, and their settings.

    All images share what does not vary, also a random seed. Raises InvalidRequest.
    """
    fields = parameters.list_comparable()
    typed = {name: text for name in fields if (text := parameters.compared.get(name, "")).strip()}
    values = {name: _read_values(parameters, name, fields[name], text) for name, text in typed.items()}
    varied = {name: several for name, several in values.items() if len(several) > 1}
    if not varied:
        raise InvalidRequest("nothing to compare: give several seeds, for example 1..4, or several steps, 1,2,4,8")
    number = math.prod(len(several) for several in varied.values())
    if number > MOST_IMAGES:
        raise InvalidRequest(f"{number} images are more than {MOST_IMAGES} in one go: give fewer seeds or steps")
    settings = _build_settings(parameters)
    for name, several in values.items():
        if len(several) == 1:
            settings = _change(settings, name, several[0])
    if "size" not in varied:
        _check_size(parameters, settings.width, settings.height)
    sweep = build_sweep(prompt, settings, varied)
    return replace(sweep, requests=tuple(_put_in(parameters, sweep.requests))), _choose_replay(settings)


def _build_settings(parameters: Parameters) -> Settings:
    """Return the settings that all images of one press share: None is the model's own, whatever %config has."""
    resolved = resolve(**parameters.place)
    extra = {row.name: getattr(parameters, row.name) for row in EXTRA}
    fields = {name: getattr(parameters, name) for name in FIELDS}
    # The kernel's loop does not run on a panel's thread.
    return replace(resolved, **fields, runner="thread", parameters={**extra, **parameters.parameters})


def _change(settings: Settings, name: str, value: Any) -> Settings:
    if name == "size":
        return replace(settings, width=value[0], height=value[1])
    if name in FIELDS:
        return replace(settings, **{name: value})
    return replace(settings, parameters={**settings.parameters, name: value})


def _put_in(parameters: Parameters, requests: Sequence[ImageRequest]) -> list[ImageRequest]:
    """Return the requests with the images that go in, as many as the model takes."""
    model = parameters.at_hand
    images = [one for one in parameters.images if one.role == "image"]
    masks = [one for one in parameters.images if one.role != "image"]
    if model.is_described:
        images, masks = images[: model.most_images], masks if model.takes_mask else []
    if model.needs_image and not images:
        raise InvalidRequest(
            'this model edits an image: choose a file under Image, or press "Use as input" below a result'
        )
    sides = {(one.record.width, one.record.height) for one in (*images[:1], *masks)}
    if len(sides) > 1:
        raise InvalidRequest("the mask has another size than the image: make them the same")
    return [replace(one, images=(*images, *masks)) for one in requests]


def _check_size(parameters: Parameters, width: int | None, height: int | None) -> None:
    """Raise InvalidRequest for a size that is not one of those that the model takes."""
    sizes = parameters.at_hand.sizes
    if sizes and (width, height) not in {(None, None), *sizes}:
        listed = ", ".join(f"{wide}x{high}" for wide, high in sizes)
        raise InvalidRequest(f"size is {width}x{height}: this {parameters.at_hand.called} takes {listed}")


def _read_values(parameters: Parameters, name: str, called: str, text: str) -> Sequence[Any]:
    """Return the values in the field of a parameter that is compared."""
    row = parameters.rows.get(name)
    if row is not None and row.choices:
        return _read_choices(row, called, text)
    if name == "size" or name in ROWS:
        read = parse_value(name, text, called)
    else:
        read = parse_values(Parameter(name=name, help="", kind=row.kind if row else float), text, called)
    values: Sequence[Any] = read if isinstance(read, Several) else (read,)
    for value in values:
        if name == "size":
            _check_size(parameters, *value)
        elif row is not None and None not in (row.least, row.most) and not row.is_allowed(value):
            raise InvalidRequest(f"{called} {value}: this {parameters.at_hand.called} takes {row.least} to {row.most}")
    return values


def _read_choices(row: Parameter, called: str, text: str) -> Sequence[Any]:
    """Return the choices that a text lists, with commas between them; a choice may have commas itself."""
    found, rest = [], text.strip()
    known = sorted(row.choices, key=lambda choice: -len(str(choice)))
    while rest:
        choice = next((one for one in known if re.match(rf"{re.escape(str(one))}\s*(,|$)", rest)), None)
        if choice is None:
            listed = ", ".join(map(str, row.choices))
            raise InvalidRequest(f"{called} {rest[:40]}: choose from {listed}, with commas between them")
        if choice in found:
            raise InvalidRequest(f"{called} {text[:40]}: {choice} occurs twice")
        found.append(choice)
        rest = rest[len(str(choice)) :].lstrip(" ,")
    return found


def _choose_replay(settings: Settings) -> Settings:
    """Return settings that replay nothing, since a press asks for a new image, unless nothing may be asked.

    Raises InvalidRequest for what is no Space.
    """
    return replace(settings, replay="only" if resolve_target(settings, settings.model).unasked else "off")


def get_parameters(result: Generation | Record) -> dict[str, Any]:
    """Return the parameters that make an image again, with the images that went in as far as they are here.

    In the prompt `{{name}}` is a literal `{name}`, as the panel reads it.
    """
    record = result.record if isinstance(result, Generation) else result
    model, provider = record.requested_model or DEFAULT_MODEL, record.requested_provider or SPACE
    asked = record.requested_parameters
    return {
        "prompt": escape(record.prompt),
        # Give the model's own Space by its name, since an empty one means the configured one.
        "provider": provider,
        "model": model,
        "space": record.requested_space or (find_engine(provider) or get_provider(model)).own_space(),
        "steps": record.requested_steps,
        "seed": record.seed,
        **dict(zip(SIDES, (record.requested_width, record.requested_height), strict=True)),
        **{row.name: asked.get(row.name) for row in EXTRA},
        "parameters": {name: value for name, value in asked.items() if name not in EXTRA_NAMES},
        "images": find_images(result),
    }


def get_configured() -> dict[str, Any]:
    """Return the parameters that `%config`, the environment and the defaults give."""
    settings = resolve()
    extra = {name: value for name, value in settings.parameters.items() if name in EXTRA_NAMES}
    fields = {name: value for name in FIELDS if (value := getattr(settings, name)) is not None}
    place = {"provider": settings.provider or SPACE, "model": settings.model, "space": settings.space or ""}
    return {**place, **fields, **extra}


def take_one(given: object) -> Generation | None:
    """Return the image that a panel opens with; raise InvalidArgument for what is none."""
    if isinstance(given, Recalled):
        return given.generation
    if isinstance(given, Generations) and given:
        given = given[-1]
    if given is None or isinstance(given, Generation):
        return given
    raise InvalidArgument(
        f"a Panel opens with a Generation, not with {show_value(given)}; a prompt is given as Panel(prompt=…)"
    )

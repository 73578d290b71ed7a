"""The cell or call that makes a recorded image again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..parameters import slips
from ..parameters.grammar import _NO_CELL, _TAKES, quote
from ..parameters.own_values import format_own_value
from ..parameters.placeholders import escape
from ..parameters.settings import DEFAULT_MODEL
from ..parameters.table import EXTRA_NAMES, ROWS, format_value
from ..types import InputRecord, Record
from .inputs import LEAST_DIGITS
from .record import get_parameters


def get_options(record: Record) -> dict[str, Any]:
    """Return the options of `generate` that make this again, as far as they are known, including the prompt."""
    parameters = get_parameters(record)
    given = {
        "prompt": record.prompt,
        "steps": record.steps,
        "seed": record.seed,
        "width": record.width if record.requested_width is None else record.requested_width,
        "height": record.height if record.requested_height is None else record.requested_height,
        "model": record.requested_model,
        "provider": record.requested_provider or None,
        "space": record.requested_space,
        **{name: value for name, value in parameters.items() if name in EXTRA_NAMES},
        "parameters": {name: value for name, value in parameters.items() if name not in EXTRA_NAMES} or None,
        "image": [name_input(one) for one in record.images if one.role == "image"] or None,
        "mask": next((name_input(one) for one in record.images if one.role == "mask"), None),
    }
    return {name: value for name, value in given.items() if value is not None}


def name_input(image: InputRecord) -> str:
    """Return the name of an image that went in, by which a store has it; a path would send a stranger a file."""
    return f"sha256:{image.digest[:LEAST_DIGITS]}"


def write_command(record: Record) -> str:
    """Return the cell that makes the image of `record` again; running it sends the same request."""
    options = get_needed_options(record)
    return write_cell(options.pop("prompt"), **options)


def get_needed_options(record: Record) -> dict[str, Any]:
    """Return the options of `generate` that make the image of `record` again, without the default model."""
    options = get_options(record)
    if options["model"] in {"", DEFAULT_MODEL}:
        del options["model"]
    return options


def write_cell(text: str, **options: object) -> str:
    """Return the cell that sends `text` as the prompt with these options of `generate`; options of None are left
    out.
    """
    given = {name: value for name, value in options.items() if value is not None}
    words = {name: [*_list_words(name, value)] for name, value in given.items()}
    if _NO_CELL.search(text) or None in [word for several in words.values() for word in several]:
        return write_call(text, **given)
    if {"width", "height"} <= words.keys():
        size: list[str | None] = [f"{words.pop('width')[0]}x{words.pop('height')[0]}"]
        named: dict[str, list[str | None]] = {name: words.pop(name) for name in ("steps", "seed") if name in words}
        words = {**named, "size": size, **words}
    body = escape(text)
    # In words of the prompt that look like options, and in quotes around it, nothing but the prompt was meant.
    end = ["--"] if slips.find_slips(body, _TAKES) or slips.unwrap(body) else []
    flags = [f"{_get_flag(name)} {word}" for name, several in words.items() for word in several]
    return "\n".join([" ".join(["%%flux", *flags, *end]), body])


def _list_words(name: str, value: object) -> Iterator[str | None]:
    """Yield the words for an option on a magic's line, None for a value that cannot be typed there."""
    if isinstance(value, Mapping):
        for own, one in value.items():
            typed = format_own_value(*(one if isinstance(one, list | tuple) else [one]))
            yield None if typed is None else quote(f"{own}={typed}")
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _list_words(name, one)
    else:
        may_be_empty = name in ROWS and ROWS[name].may_be_empty
        text = format_value(value)
        yield quote(text) if text or may_be_empty else None


def _get_flag(name: str) -> str:
    return "--set" if name == "parameters" else ROWS[name].flags[0] if name in ROWS else f"--{name}"


def write_call(text: str, **options: object) -> str:
    """Return the Python, in ASCII, that sends `text` as the prompt with these options of `generate`."""
    listed = "".join(f", {name}={value!a}" for name, value in options.items() if value is not None)
    return f"import flux_magic\n\nflux_magic.generate({text!a}{listed})"

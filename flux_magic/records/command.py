"""The cell or call that makes a recorded image again."""

from __future__ import annotations

from typing import Any

from ..parameters import slips
from ..parameters.grammar import _NO_CELL, _TAKES, _WORD_ALONE
from ..parameters.placeholders import escape
from ..parameters.settings import DEFAULT_MODEL
from ..parameters.table import ROWS
from ..types import Record


def get_options(record: Record) -> dict[str, Any]:
    """Return the options of `generate` that make this again, as far as they are known, including the prompt."""
    given = {
        "prompt": record.prompt,
        "steps": record.steps,
        "seed": record.seed,
        "width": record.requested_width,
        "height": record.requested_height,
        "model": record.requested_model,
        "space": record.requested_space,
        **record.requested_parameters,
    }
    return {name: value for name, value in given.items() if value is not None}


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
    if _NO_CELL.search(text) or not all(_WORD_ALONE.fullmatch(str(value)) for value in given.values()):
        return write_call(text, **given)
    if {"width", "height"} <= given.keys():
        size = f"{given.pop('width')}x{given.pop('height')}"
        named: dict[str, object] = {name: given.pop(name) for name in ("steps", "seed") if name in given}
        given = {**named, "size": size, **given}
    body = escape(text)
    # In words of the prompt that look like options, and in quotes around it, nothing but the prompt was meant.
    end = ["--"] if slips.find_slips(body, _TAKES) or slips.unwrap(body) else []
    return "\n".join(
        [" ".join(["%%flux", *(f"{_get_flag(name)} {value}" for name, value in given.items()), *end]), body]
    )


def _get_flag(name: str) -> str:
    return ROWS[name].flags[0] if name in ROWS else f"--{name}"


def write_call(text: str, **options: object) -> str:
    """Return the Python, in ASCII, that sends `text` as the prompt with these options of `generate`."""
    listed = "".join(f", {name}={value!a}" for name, value in options.items() if value is not None)
    return f"import flux_magic\n\nflux_magic.generate({text!a}{listed})"

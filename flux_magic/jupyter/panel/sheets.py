"""A sheet on view: its seed, the parameters that made it, and the cell that makes it again."""

from __future__ import annotations

from typing import Any

from ...parameters.grammar import format_values
from ...parameters.sizes import format_size
from ...parameters.table import SIDES, SWEPT
from ...records.command import get_needed_options, write_cell
from ...results.generation import Generation
from ...results.generations import Generations
from ...sweeps.template import escape
from .requests import get_parameters


def find_seed(shown: Generation | Generations | None) -> int | None:
    """Return the seed of what is shown; None if there are several seeds, or if it is not known."""
    seeds = {shown.seed} if isinstance(shown, Generation) else {one.seed for one in shown or ()}
    return seeds.pop() if len(seeds) == 1 else None


def collect_parameters(sheet: Generations) -> dict[str, Any]:
    """Return the parameters that make the images of a sheet again, with the shared value of what does not vary."""
    varied = {axis.name: format_values(axis.values) for axis in sheet.axes if _is_parameter(sheet, axis.name)}
    same = get_parameters(sheet[0])
    same["parameters"] = {name: value for name, value in same["parameters"].items() if name not in varied}
    dropped = {*varied, *(SIDES if "size" in varied else ())}
    return {name: value for name, value in same.items() if name not in dropped} | {"compared": varied}


def write_sheet_cell(sheet: Generations) -> str:
    """Return the cell that makes a sheet again: running it sends the same requests.

    It is empty if the prompt varies, as its template is not known here.
    """
    varied = {axis.name: axis.values for axis in sheet.axes}
    if not sheet or not varied or not all(_is_parameter(sheet, name) for name in varied):
        return ""
    options = get_needed_options(sheet[0].record)
    text, own = options.pop("prompt"), dict(options.pop("parameters", {}))
    sides = [options.pop(name, None) for name in SIDES]
    if "size" not in varied and None not in sides:
        options["size"] = format_size(*sides)
    same = {name: value for name, value in options.items() if name not in varied}
    several = {name: values for name, values in varied.items() if name in SWEPT}
    own |= {name: list(values) for name, values in varied.items() if name not in SWEPT}
    typed = {name: format_values(values) for name, values in several.items()}
    made = write_cell(text, **typed, **same, parameters=own or None)
    if made.startswith("%%flux"):
        return made
    # Some prompts do not fit into a cell.
    given = {**same, **{name: list(values) for name, values in several.items()}, "parameters": own}
    listed = "".join(f", {name}={value!a}" for name, value in given.items() if value not in (None, {}))
    return f"import flux_magic\n\nflux_magic.sweep({escape(text)!a}{listed})"


def _is_parameter(sheet: Generations, name: str) -> bool:
    """Return True for an axis that is a parameter, and not a list of the notebook's or words of the prompt."""
    return name in SWEPT or name in sheet[0].record.requested_parameters

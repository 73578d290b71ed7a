"""The model at hand as a panel shows it: a row for each control, read from the model's description."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ...errors import InvalidRequest, show_value
from ...parameters.dialects import explain
from ...parameters.table import FIELDS, RESERVED, ROWS, SIDES, Parameter
from ...providers.base import ModelDescription

_TOLD: Final = ("choices", "default", "step", "own_name", "title")
"""The attributes of a row that a model tells of a parameter of the table."""

_NO_CONTROL: Final = (RESERVED - {*FIELDS}) | {"randomize_seed", "endpoint"}
"""Names that have a control of another kind, or none."""

_REWRITES: Final = "if it is on, the Space may rewrite the prompt"

_USUAL: Final = {name: ROWS[name] for name in ("steps", *SIDES, "seed")}


@dataclass(frozen=True, slots=True)
class PanelModel:
    """A model, as far as a panel knows it.

    Attributes:
        rows: of the parameters that have a control, by name, in order: with the model's own range, choices and default.
        is_described: False until the model, or its Space, has described itself; the rows are then the usual ones.
        sizes: the sizes there are, if it takes no others.
        default_size: the size that it has if none is chosen; None if it is not known.
        most_images: how many images may go in, masks apart.
        needs_image: True if it makes nothing without one.
        takes_mask: True if a mask may go in.
        name: its canonical name; empty if it is not known.
        stand_in: True for a local stand-in.
        called: the word for what refuses a value, and has the defaults.
    """

    rows: Mapping[str, Parameter] = field(default_factory=lambda: dict(_USUAL))
    is_described: bool = False
    sizes: tuple[tuple[int, int], ...] = ()
    default_size: tuple[int, int] | None = None
    most_images: int = 0
    needs_image: bool = False
    takes_mask: bool = False
    name: str = ""
    stand_in: bool = False
    called: str = "Space"

    @property
    def has_size(self) -> bool:
        """True if the size can be chosen."""
        return bool(self.sizes) or {*SIDES} <= self.rows.keys()

    def takes(self, name: str) -> bool:
        """Return True if the model takes a parameter, or if it is not known what it takes."""
        return not self.is_described or name in self.rows or (name in SIDES and bool(self.sizes))

    def find_refusal(self, name: str, value: Any) -> str:
        """Return why the model does not take a value, in words; empty if it does, or if that is not known."""
        row = self.rows.get(name)
        if not self.is_described:
            return ""
        if name in SIDES and self.sizes:
            sides = sorted({size[SIDES.index(name)] for size in self.sizes})
            return "" if value in sides else f"{name} is {value}: this {self.called} takes {', '.join(map(str, sides))}"
        if row is None:
            meant = explain(name, list(self.rows)) or f"there are {', '.join(self.rows)}"
            return f"{name} is {show_value(value)}: this model does not take it; {meant}"
        is_number = row.kind in {int, float} and not row.choices and not isinstance(value, bool | str)
        if is_number and row.least is not None and row.most is not None and not row.is_allowed(value):
            return f"{name} is {value}: this {self.called} takes {row.least} to {row.most}"
        try:
            row.check(value)
        except InvalidRequest as error:
            return error.message
        return ""


def read_description(description: ModelDescription | None) -> PanelModel:
    """Return what a panel shows of a description; None is that of a model which has not described itself."""
    if description is None:
        return PanelModel()
    rows = [_merge(row) for row in description.parameters if row.name not in _NO_CONTROL]
    rows = [replace(row, help=_REWRITES) if row.name in description.rewrites else row for row in rows]
    if len(description.endpoints) > 1:
        rows.append(replace(ROWS["endpoint"], choices=tuple(sorted(description.endpoints))))
    told = {row.name: row for row in rows if row.kind in {int, float, str, bool}}
    default_size, choice = _find_default_size(told, description.sizes)
    told.pop(choice, None)
    if not description.seeded:
        told.pop("seed", None)
    elif told:
        told.setdefault("seed", ROWS["seed"])  # an engine has one without saying so
    return PanelModel(
        rows=told or dict(_USUAL),
        is_described=bool(told),
        sizes=description.sizes,
        default_size=default_size,
        most_images=description.input_images,
        needs_image=description.needs_image,
        takes_mask=description.takes_mask,
        name=description.model,
        stand_in=description.stand_in is not None,
    )


def _find_default_size(
    rows: Mapping[str, Parameter], sizes: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int] | None, str]:
    """Return the model's own size, and the name of the parameter whose choices are its sizes; empty for none.

    The list of sizes has the place of that parameter's control.
    """
    for row in rows.values() if sizes else ():
        if row.choices and all(re.search(r"\d\s*[x×:]\s*\d", str(choice)) for choice in row.choices):
            default = dict(zip(row.choices, sizes, strict=False)).get(row.default)
            return default if len(row.choices) == len(sizes) else None, row.name
    width, height = (rows[name].default if name in rows else None for name in SIDES)
    return None if width is None or height is None else (int(width), int(height)), ""


def _merge(row: Parameter) -> Parameter:
    """Return the row of a control: the table's if it has one, with what the model tells of it."""
    known = ROWS.get(row.name)
    if known is None:
        return row
    told: dict[str, Any] = {name: value for name in _TOLD if (value := getattr(row, name)) not in (None, (), "")}
    least, most = round_bounds(known, row.least, row.most)
    if least is not None and most is not None and least > most:
        least, most = known.least, known.most  # no multiple is between them
    return replace(known, **{**told, "least": least, "most": most}, slider=_find_slider(known, least, most))


def round_bounds(row: Parameter, least: float | None, most: float | None) -> tuple[float | None, float | None]:
    """Return bounds that a slider can have: at multiples if the parameter has them, within the table's own."""
    multiple, whole = row.multiple_of, row.kind is int
    if least is not None:
        least = min(least, row.slider_most + 1)
        least = math.ceil(least / multiple) * multiple if whole else least
    if most is not None:
        most = min(most, row.slider_most if row.most is None else row.most)
        most = math.floor(most / multiple) * multiple if whole else most
    lowest = row.least
    if lowest is not None:
        least = lowest if least is None else max(least, lowest)
        most = most if most is None else max(most, lowest)
    return least, most


def _find_slider(row: Parameter, least: float | None, most: float | None) -> tuple[float, float] | None:
    return row.slider if least is None or most is None or row.slider is None else (least, most)

"""The table of the parameters that shape an image: one row each, and all that is made from them reads it.

A new parameter is one row. Everything else follows from it: the flags of the magics, the traits of `%config`, the panel
and its sliders, and `Settings`. So do the checks, the axes of a sweep, the tables, the replay key and the record.
"""

from __future__ import annotations

import math
import numbers
import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InvalidRequest, show_value
from .sizes import SIZE_STEP, round_down

MAX_SEED: Final = 2**31 - 1
"""The largest seed that the public Space takes; the smallest is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One row: `Parameter(name="guidance", kind=float, least=0, most=20, help="how closely to follow the prompt")`.

    Attributes:
        name: in Python, in `%config` and in a record.
        help: one line, for `%flux?` and `%config FluxMagics`.
        kind: `int`, `float`, `str` or `bool`; `tuple` is a size, which sets other parameters.
        least, most: the range of a number, both included; None for no bound.
        choices: the values there are; empty for any.
        default: the value if nothing is set; None leaves it to the Space (a seed: to chance).
        unset: what happens without a value, for messages: `for a random one`.
        multiple_of: a number is rounded down to a multiple of this before it is sent.
        example: a value as it is typed.
        flags: on a magic's line; by default `--name`.
        sets: the parameters that this one sets together, such as width and height.
        sweepable: whether a sweep takes several values.
        shapes_image: whether an image of another value is another image, and has another replay key.
        slider: the range of the panel's slider while a Space has not told its own.
        slider_most: a larger bound that a Space tells is taken for this one.
        step: the distance between two positions of the slider; 0 if it is not known.
        own_name: the name that a model's provider has for it; empty in the table.
        title: the words that a model's page shows for it; empty if there are none.
        may_be_empty: True if "" is a value of its own, and not the same as none.
    """

    name: str
    help: str
    kind: type = int
    least: float | None = None
    most: float | None = None
    choices: tuple[str | float, ...] = ()
    default: Any = None
    unset: str = ""
    multiple_of: int = 1
    example: str = ""
    flags: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    sweepable: bool = True
    shapes_image: bool = True
    slider: tuple[float, float] | None = None
    slider_most: int = 10_000
    step: float = 0
    own_name: str = ""
    title: str = ""
    may_be_empty: bool = False

    def __post_init__(self) -> None:
        if not self.flags:
            object.__setattr__(self, "flags", (f"--{self.name.replace('_', '-')}",))
        if self.slider is None and self.least is not None and self.most is not None and self.name not in FIELDS:
            object.__setattr__(self, "slider", (self.least, self.most))

    @property
    def label(self) -> str:
        """The name as the panel shows it: `Negative prompt`."""
        return self.name.replace("_", " ").capitalize()

    @property
    def noun(self) -> str:
        """A value of it, in words: `a whole number`."""
        return {int: "a whole number", float: "a number", bool: "True or False"}.get(self.kind, "a string")

    @property
    def allowed(self) -> str:
        """The values that it takes, in words: `a whole number from 1 up`."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        least = "" if self.least is None else f" from {self.least:.10g}"
        most = f" to {self.most:.10g}" if self.most is not None else " up" if least else ""
        return f"{self.noun}{least}{most}"

    def is_allowed(self, value: float) -> bool:
        """Return True for a number within the range."""
        above = self.least is None or value >= self.least
        return above and (self.most is None or value <= self.most)

    def check(self, value: object) -> Any:
        """Return the value as the parameter has it: an int for a NumPy integer, a float for an int.

        Raises InvalidRequest for another type, and for a value out of its range or choices.
        """
        if isinstance(value, str):
            _check_characters(self.name, value)
        if self.choices or self.kind in {str, bool}:
            is_choice = value in self.choices if self.choices else isinstance(value, self.kind)
            if not is_choice:
                raise InvalidRequest(
                    f"{self.name} is {show_value(value)}: {'choose' if self.choices else 'give'} {self.allowed}"
                )
            return value
        number = _convert_integer(value) if self.kind is int else _convert_real(value)
        if number is None:
            raise InvalidRequest(
                f"{self.name} is {show_value(value)}: give {self.allowed}{self._explain_written(value)}"
            )
        if not self.is_allowed(number):
            otherwise = f", or leave it out {self.unset}" if self.unset else ""
            raise InvalidRequest(f"{self.name} is {show_value(value)}: give {self.allowed}{otherwise}")
        return number

    def _explain_written(self, value: object) -> str:
        """Return how a number that is a string or a float is written, in words, or ""."""
        text = value.strip() if isinstance(value, str) else str(value) if isinstance(value, numbers.Real) else ""
        match = re.fullmatch(r"([0-9]{1,18})(?:\.0*)?", text) if not isinstance(value, int) else None
        return f", as in {self.name}={match[1]}" if match else ""

    def round_down(self, value: Any) -> Any:
        """Return the value as it is sent."""
        return value if value is None or self.multiple_of == 1 else round_down(value, self.multiple_of)


def _convert_integer(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def _convert_real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _check_characters(name: str, text: str) -> None:
    if half := re.search("[\ud800-\udfff]", text):
        raise InvalidRequest(f"{name} has half a character, {half[0]!a} at {half.start()}: leave it out")


class Values(Mapping[str, Any]):
    """An immutable mapping of parameters' values, which can be hashed and pickled: `Values({"guidance": 3.5})`."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


SIDES: Final = ("width", "height")
"""The parameters that a size sets."""

FIELDS: Final = (*SIDES, "steps", "seed")
"""The parameters of records of version 1: a request, a record and `Settings` have a field for each.

All others are carried by the mapping `parameters`.
"""

_SIDE: Final[dict[str, Any]] = {
    "help": "pixels (default: the model's own)",
    "least": SIZE_STEP,
    "multiple_of": SIZE_STEP,
    "slider": (256, 2048),
    "slider_most": 65_536,
}

PARAMETERS: Final[tuple[Parameter, ...]] = (
    Parameter(
        name="steps",
        help="inference steps: more take longer and show more (default: the model's own)",
        least=1,
        example="4",
        slider=(1, 50),
    ),
    Parameter(
        name="seed",
        help=f"0 to {MAX_SEED}; without it a random one is chosen",
        least=0,
        most=MAX_SEED,
        unset="for a random one",
        example="42",
    ),
    Parameter(
        name="size",
        help="width x height in pixels (default: the model's own)",
        kind=tuple,
        example="1024x768",
        sets=("width", "height"),
    ),
    Parameter(name="width", example="1024", **_SIDE),
    Parameter(name="height", example="768", **_SIDE),
    Parameter(
        name="guidance",
        help="how closely to follow the prompt, if the model takes it",
        kind=float,
        least=0,
        example="3.5",
        slider=(0, 20),
    ),
    Parameter(
        name="negative_prompt",
        help="what the image must not show, if the model takes it",
        kind=str,
        example='"blurry, text"',
        flags=("--negative", "--negative-prompt"),
        may_be_empty=True,
    ),
    Parameter(
        name="strength",
        help="how much of the image that goes in is changed, if the model takes it",
        kind=float,
        least=0,
        most=1,
        example="0.6",
    ),
    Parameter(
        name="endpoint",
        help="the Space's endpoint, if it has several (default: the likeliest)",
        kind=str,
        example="/generate",
        sweepable=False,
    ),
)

ROWS: Final = {row.name: row for row in PARAMETERS if not row.sets}
"""The rows by name, without those that set others."""

EXTRA: Final = tuple(row for name, row in ROWS.items() if name not in FIELDS)
"""The rows of what the mapping `parameters` carries."""

EXTRA_NAMES: Final = frozenset(row.name for row in EXTRA)

SWEPT: Final = tuple(row.name for row in PARAMETERS if row.sweepable)
"""The options of which a sweep can take several values."""


_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
RESERVED: Final = frozenset(
    {*(row.name for row in PARAMETERS if row.sets), *FIELDS, "prompt", "model", "provider", "space", "image", "mask"}
)
"""Names that the mapping `parameters` does not take: a request has a field for each."""


def check_mapping(values: object) -> None:
    """Raise InvalidRequest for `parameters` that are no mapping."""
    if not isinstance(values, Mapping):
        raise InvalidRequest(
            f'parameters is {show_value(values)}: give a mapping, as in parameters={{"guidance": 3.5}}'
        )


def check_values(values: Mapping[str, Any]) -> Values:
    """Return the values of the mapping `parameters`, each checked by its row; one that is None is left out.

    A provider may have parameters without a row: those are numbers, strings, True or False.

    Raises InvalidRequest for a value that is not allowed, and for a parameter that has a field of its own.
    """
    check_mapping(values)
    kept = {}
    for name, value in values.items():
        if value is None:
            continue
        if name in RESERVED:
            raise InvalidRequest(f"parameters has {name}, which is an argument of its own: {name}={show_value(value)}")
        if not _NAME.fullmatch(str(name)):
            raise InvalidRequest(f"parameters has {show_value(name)}: a name has letters, digits and underscores")
        row = ROWS.get(name)
        kept[name] = _check_own(name, value) if row is None else row.check(value)
    return Values(kept)


def _check_own(name: str, value: Any) -> bool | float | str:
    """Return the value of a parameter without a row; NumPy's scalars become Python's."""
    plain = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
    if isinstance(plain, str):
        _check_characters(name, plain)
        return plain
    if isinstance(plain, bool) or (isinstance(plain, int | float) and _convert_real(plain) is not None):
        return plain
    raise InvalidRequest(f"{name} is {show_value(value)}: give a number, a string, True or False")


def format_value(value: object) -> str:
    """Return a value as it is shown and typed: `7` for 7.0, `3.5`, `1e-05`."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def round_values(values: Mapping[str, Any]) -> Values:
    """Return the values of the mapping `parameters` as they are sent."""
    return Values({name: ROWS[name].round_down(value) if name in ROWS else value for name, value in values.items()})


def pick_extra(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with those that have no field put into `parameters`."""
    extra = {name: value for name, value in options.items() if name in EXTRA_NAMES}
    rest = {name: value for name, value in options.items() if name not in EXTRA_NAMES}
    return rest | {"parameters": {**(rest.get("parameters") or {}), **extra}} if extra else rest

"""The endpoints of a Space, as it describes them itself: inputs, outputs and bounds. Pure, without any I/O.

Read from `GET /config` (version, routes, components, endpoints) and `GET {prefix}/info` (the parameters' names), as
Gradio 4.44, 5.50 and 6.31 answer them; Gradio's own sources are the only specification.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ...parameters.table import EXTRA_NAMES, RESERVED
from .decoding import strip_markup

_STAND_IN = re.compile(r"flux_magic stand-in, drawing (\d+)")
_KINDS: Final = {"textbox": "string", "slider": "number", "number": "number", "checkbox": "boolean"}
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {"string": str, "number": (int, float), "boolean": bool}
_FILLED_BY_SERVER: Final = frozenset({"state", "button"})
_LISTS: Final = frozenset({"gallery", "checkboxgroup"})
_HUGE: Final = 2**63
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")

CANONICAL: Final = frozenset({"steps", "width", "height", "seed", *EXTRA_NAMES}) - {"endpoint"}
"""The meanings that have the name of a row of the table of parameters."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an endpoint.

    Attributes:
        name: its name in the Space.
        label: the words that the page shows for it, or empty.
        component: the component's type in lower case, such as `slider`, or empty if it is not told.
        kind: `string`, `number`, `boolean`, or empty if it is something else or not told.
        required: whether it has no default.
        default: the component's, if it has one.
        least, most, step: of its slider, or None if it has none.
        choices: the values there are, each with its label; empty for any.
        is_open: True if it takes other values than its choices as well.
        is_list: True if its value is a list.
        is_hidden: True if the page does not show it.
        is_filled: True if the server fills it: the state of a session, a button.
        number: of its component in the page.
        meaning: its name in our table (`steps`), another word of `meanings`, or empty.
        parameter: the name that users give for it: that of its meaning, else its own.
    """

    name: str
    label: str = ""
    component: str = ""
    kind: str = ""
    required: bool = True
    default: Any = None
    least: float | None = None
    most: float | None = None
    step: float | None = None
    choices: tuple[tuple[Any, str], ...] = ()
    is_open: bool = False
    is_list: bool = False
    is_hidden: bool = False
    is_filled: bool = False
    number: str = ""
    meaning: str = ""

    @property
    def parameter(self) -> str:
        if self.meaning in CANONICAL:
            return self.meaning
        return f"{self.name}_" if self.name in RESERVED | EXTRA_NAMES else self.name

    @property
    def types(self) -> type | tuple[type, ...]:
        """The Python types of a value of its kind; `object` if the kind is not known."""
        return _TYPES.get(self.kind, object)

    @property
    def is_scalar(self) -> bool:
        """True if a value of it is a number, a string or a switch."""
        if self.is_list or self.is_filled or not (self.kind or self.choices):
            return False
        kinds = (str, int, float) if self.choices or self.kind == "string" else self.types
        fits = self.default is None or isinstance(self.default, kinds)
        return fits and not (isinstance(self.default, int | float) and not abs(self.default) < _HUGE)

    @property
    def initial(self) -> Any:
        """The value that the page sends if its user leaves the component as it is."""
        if not self.required or self.is_filled:
            is_number = self.kind == "string" and not self.choices and isinstance(self.default, int | float)
            whole = isinstance(self.default, float) and self.default.is_integer()
            return str(int(self.default) if whole else self.default) if is_number else self.default
        if self.component == "slider" and self.least is not None:
            return self.least
        return {"string": "", "boolean": False}.get("" if self.choices else self.kind)

    def has_within(self, value: object) -> bool:
        """Return True for a number within its bounds, and for anything if it has none."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return True
        return (self.least is None or self.least <= value) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class Output:
    """One output of an endpoint: its component's type in lower case, its label, and its component's number."""

    component: str
    label: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """One endpoint.

    Attributes:
        name: without a slash.
        function: its index, which a job is cancelled by, or None if it is not known.
        inputs, outputs: in its order; those that the server fills are among them.
        is_named: True if the Space gives the names of its inputs.
        clicked: the inputs that a click into the page sets, and nothing else can.
    """

    name: str
    function: int | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    is_named: bool = False
    clicked: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[Input, ...]:
        """The inputs that a client gives."""
        return tuple(one for one in self.inputs if not one.is_filled)

    def find(self, meaning: str) -> Input | None:
        """Return the input with a meaning."""
        return next((one for one in self.inputs if one.meaning == meaning), None)

    def find_all(self, meaning: str) -> tuple[Input, ...]:
        """Return the inputs with a meaning, in order."""
        return tuple(one for one in self.inputs if one.meaning == meaning)


@dataclass(frozen=True, slots=True)
class Contract:
    """The known facts about a Space.

    Attributes:
        prefix: of its routes: empty on Gradio 4, `/gradio_api` since, or None if it is not known yet.
        version: Gradio's, or empty.
        title: the application's, or empty.
        endpoints: those that can be called, in the Space's order.
    """

    prefix: str | None = None
    version: str = ""
    title: str = ""
    endpoints: tuple[Signature, ...] = ()

    @property
    def stand_in(self) -> str | None:
        """The version of the drawing of a local stand-in, None for any other Space."""
        match = _STAND_IN.fullmatch(self.title)
        return match[1] if match else None

    @property
    def names(self) -> list[str]:
        """The names of the endpoints."""
        return [one.name for one in self.endpoints]

    def find(self, name: str) -> Signature | None:
        """Return the endpoint of this name, with a slash or without."""
        return next((one for one in self.endpoints if one.name == name.strip("/")), None)


def read_contract(config: object, info: object = None) -> Contract:
    """Read `GET /config` and `GET {prefix}/info`; an answer that is no configuration gives an empty contract."""
    if not isinstance(config, dict) or not isinstance(config.get("dependencies"), list):
        return Contract()
    listed = config.get("components")
    known = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    components = {str(one.get("id")): one for one in known}
    clicked = {number for one in config["dependencies"] for number in _find_clicked(one)}
    found = [_read_endpoint(place, one, components, info, clicked) for place, one in enumerate(config["dependencies"])]
    return Contract(
        prefix=read_prefix(config.get("api_prefix")),
        version=strip_markup(config.get("version")),
        title=strip_markup(config.get("title")),
        endpoints=tuple(one for one in found if one),
    )


def read_prefix(told: object) -> str:
    """Return the prefix of a Space's routes, without a slash at its end; empty for what is none."""
    return told.rstrip("/") if isinstance(told, str) and re.fullmatch(r"(/[\w.-]+)+/?", told) else ""


def list_names(names: Iterable[str]) -> str:
    """Return a Space's names on one line that has an end."""
    return strip_markup(", ".join(names))


def _find_clicked(told: object) -> list[str]:
    """Return the components that a click on another component sets."""
    targets = told.get("targets") if isinstance(told, dict) else None
    if not isinstance(targets, list) or not any(isinstance(one, list) and one[1:2] == ["select"] for one in targets):
        return []
    outputs = told.get("outputs") if isinstance(told, dict) else None
    return list(map(str, outputs)) if isinstance(outputs, list) else []


def _read_endpoint(
    place: int, told: object, components: Mapping[str, dict[str, Any]], info: object, clicked: set[str]
) -> Signature | None:
    """Return a named endpoint; None for one that cannot be called."""
    if not isinstance(told, dict) or not isinstance(name := told.get("api_name"), str):
        return None
    if told.get("api_visibility") == "private":
        return None
    name, function = name.strip("/"), told.get("id", place)
    named = _find_parameters(info, name)
    numbers, results = (value if isinstance(value := told.get(side), list) else [] for side in ("inputs", "outputs"))
    inputs = [_read_input(str(number), components.get(str(number), {})) for number in numbers]
    asked = [one for one in inputs if not one.is_filled]
    if len(named) == len(asked):
        words = iter(named)
        inputs = [one if one.is_filled else _name_input(one, next(words)) for one in inputs]
    elif named:
        inputs = [_name_input(Input(""), one) for one in named]
    else:
        inputs = [one if one.is_filled else replace(one, name=_make_name(one)) for one in inputs]
    return Signature(
        name=name,
        function=function if isinstance(function, int) else None,
        inputs=tuple(_separate(inputs)),
        outputs=tuple(_read_output(str(number), components.get(str(number), {})) for number in results),
        is_named=bool(named),
        clicked=tuple(one.label or one.name for one in inputs if one.is_filled and one.number in clicked),
    )


def _find_parameters(info: object, name: str) -> list[dict[str, Any]]:
    """Return what `/info` says of an endpoint's parameters; nothing unless each has a name."""
    told = info.get("named_endpoints") if isinstance(info, dict) else None
    endpoint = told.get(f"/{name}") if isinstance(told, dict) else None
    listed = endpoint.get("parameters") if isinstance(endpoint, dict) else None
    return listed if isinstance(listed, list) and all(_has_name(one) for one in listed) else []


def _has_name(told: object) -> bool:
    name = told.get("parameter_name") if isinstance(told, dict) else None
    return isinstance(name, str) and bool(re.fullmatch(r"\w{1,80}", name))


def _separate(inputs: list[Input]) -> Iterator[Input]:
    """Yield the inputs, each with a name that can be typed; one whose label gave the name may share it."""
    seen: set[str] = set()
    for place, one in enumerate(inputs):
        name = one.name if _PLAIN_NAME.fullmatch(one.name) or one.is_filled else f"input_{place + 1}"
        yield replace(one, name=name if name not in seen or one.is_filled else f"{name[:70]}_{place + 1}")
        seen.add(name)


def _make_name(one: Input) -> str:
    return re.sub(r"\W+", "_", one.label.lower(), flags=re.ASCII).strip("_")[:70]


def _read_input(number: str, component: Mapping[str, Any]) -> Input:
    props = component.get("props")
    props = props if isinstance(props, dict) else {}
    kind = str(component.get("type") or "").lower()
    least, most, step = (_read_number(props.get(name)) for name in ("minimum", "maximum", "step"))
    if least is not None and most is not None and least > most:
        least = most = None
    if kind != "number" and (least is None or most is None):
        least = most = None
    value = props.get("value")
    return Input(
        name=kind,
        label=strip_markup(props.get("label")),
        component=kind,
        kind=_KINDS.get(kind, ""),
        required=value is None,
        default=value,
        least=least,
        most=most,
        step=step,
        choices=tuple(_read_choices(props.get("choices"))),
        is_open=props.get("allow_custom_value") is True,
        is_list=props.get("multiselect") is True or kind in _LISTS,
        is_hidden=props.get("visible") is False,
        is_filled=component.get("skip_api") is True or kind in _FILLED_BY_SERVER,
        number=number,
    )


def _read_number(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    try:
        return told if math.isfinite(told) else None
    except OverflowError:
        return None


def _read_choices(told: object) -> Iterator[tuple[Any, str]]:
    """Yield values and their labels: Gradio lists a pair for each, with the label first."""
    for one in told[:1000] if isinstance(told, list) else []:
        pair = one if isinstance(one, list) and len(one) == 2 else [one, one]
        if isinstance(pair[1], str | int | float):
            yield pair[1], strip_markup(str(pair[0]))


def _name_input(one: Input, told: dict[str, Any]) -> Input:
    shape = told.get("type")
    shape = shape if isinstance(shape, dict) else {}
    kind, listed = shape.get("type"), shape.get("enum")
    component = one.component or str(told.get("component") or "").lower()
    return replace(
        one,
        name=str(told["parameter_name"]),
        label=one.label,
        component=component,
        kind=kind if isinstance(kind, str) and kind in _TYPES else one.kind,
        required=not told.get("parameter_has_default"),
        default=told.get("parameter_default"),
        choices=one.choices or tuple(_read_choices(listed)),
        is_list=one.is_list or kind == "array" or component in _LISTS,
    )


def _read_output(number: str, component: Mapping[str, Any]) -> Output:
    props = component.get("props")
    label = props.get("label") if isinstance(props, dict) else ""
    return Output(str(component.get("type") or "").lower(), strip_markup(label), number)

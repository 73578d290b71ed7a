"""The description that a Space gives of its endpoint: parameters, order and bounds. Pure, without any I/O.

Read from `GET /config` (version, routes, sliders, function index) and `GET {prefix}/info` (the parameters' names),
as Gradio 4.44, 5.50 and 6.31 answer them; Gradio's own sources are the only specification.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import InvalidRequest, SpaceChanged
from .decoding import strip_markup

_STAND_IN = re.compile(r"flux_magic stand-in, drawing (\d+)")
_DOCTOR = (
    "Is it another model's Space (--model)? Or a newer flux_magic may know it; flux-magic doctor shows what it takes."
)
_COMPONENTS = {"textbox": "string", "slider": "number", "number": "number", "checkbox": "boolean"}
_KINDS: Mapping[str, type | tuple[type, ...]] = {"string": str, "number": (int, float), "boolean": bool}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input of an endpoint.

    Attributes:
        name: by which it is placed.
        kind: `string`, `number`, `boolean`, or empty if it is something else or not told.
        required: whether it has no default.
        default: the component's, if it has one.
        least, most: the bounds of its slider, or None if it has none.
    """

    name: str
    kind: str = ""
    required: bool = True
    default: Any = None
    least: float | None = None
    most: float | None = None

    def check(self, value: object, said: str) -> None:
        """Raise InvalidRequest for a value outside the bounds, SpaceChanged if another type is expected.

        `said` is the value in the user's own words: "steps is 51".
        """
        if self.kind in _KINDS and not isinstance(value, _KINDS[self.kind]):
            raise SpaceChanged(f"this Space has changed: it now takes a {self.kind} as {self.name}", _DOCTOR)
        if self.least is None or self.most is None or not isinstance(value, int | float):
            return
        if not self.least <= value <= self.most:
            raise InvalidRequest(f"{said}: this Space takes {self.least:.10g} to {self.most:.10g}")


@dataclass(frozen=True, slots=True)
class Contract:
    """The known facts about a Space's endpoint.

    Attributes:
        prefix: of its routes: empty on Gradio 4, `/gradio_api` since, or None if it is not known yet.
        version: Gradio's, or empty.
        title: the application's, or empty.
        function: the endpoint's index, which a job is cancelled by, or None if it is not known.
        parameters: in the endpoint's order; empty if the Space does not tell.
    """

    prefix: str | None = None
    version: str = ""
    title: str = ""
    function: int | None = None
    parameters: tuple[Parameter, ...] = ()

    @property
    def stand_in(self) -> str | None:
        """The version of the drawing of a local stand-in, None for any other Space."""
        match = _STAND_IN.fullmatch(self.title)
        return match[1] if match else None

    def place(self, values: Mapping[str, object], said: Mapping[str, str] | None = None) -> list[object]:
        """Return the values in the endpoint's order; an input that is not ours gets its default.

        `said` has the words for a value in an error, if they are not its name and value.

        Raises InvalidRequest for a value out of its bounds, SpaceChanged if the Space has other inputs.
        """
        if not self.parameters:
            return list(values.values())
        names = [parameter.name for parameter in self.parameters]
        if gone := [name for name in values if name not in names]:
            takes = f"it takes no {' and no '.join(gone)} any more, but {_list_names(names)}"
            raise SpaceChanged(f"this Space has changed: {takes}", _DOCTOR)
        if len(set(names)) < len(names):
            raise SpaceChanged(
                f"this Space has changed: two of its inputs have one name: {_list_names(names)}", _DOCTOR
            )
        return [self._take_value(parameter, values, said or {}) for parameter in self.parameters]

    @staticmethod
    def _take_value(parameter: Parameter, values: Mapping[str, object], said: Mapping[str, str]) -> object:
        name = parameter.name
        if name in values:
            parameter.check(values[name], said.get(name, f"{name} is {values[name]}"))
            return values[name]
        if parameter.required:
            raise SpaceChanged(f"this Space has changed: it now wants {parameter.name} as well", _DOCTOR)
        return parameter.default


def read_contract(config: object, api_name: str) -> Contract:
    """Read `GET /config`; an answer that is not a Gradio configuration gives an empty contract.

    The parameters are still without their names. Raises SpaceChanged if the endpoint is known to be gone.
    """
    if not isinstance(config, dict) or not isinstance(config.get("dependencies"), list):
        return Contract()
    endpoints = dict(_find_endpoints(config["dependencies"]))
    if api_name not in endpoints:
        raise SpaceChanged(
            f"this Space has changed: it has no endpoint {api_name}, only {_list_names(sorted(endpoints)) or 'none'}",
            _DOCTOR,
        )
    endpoint = endpoints[api_name]
    function = endpoint.get("id")
    return Contract(
        prefix=_read_prefix(config.get("api_prefix")),
        version=strip_markup(config.get("version")),
        title=strip_markup(config.get("title")),
        function=function if isinstance(function, int) else None,
        parameters=tuple(_read_sliders(config.get("components"), endpoint.get("inputs"))),
    )


def _list_names(names: Iterable[str]) -> str:
    return strip_markup(", ".join(names))


def _read_prefix(told: object) -> str:
    return told.rstrip("/") if isinstance(told, str) and re.fullmatch(r"(/[\w.-]+)+/?", told) else ""


def _find_endpoints(dependencies: list[Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for place, known in enumerate(dependencies):
        if isinstance(known, dict) and isinstance(known.get("api_name"), str):
            yield known["api_name"].strip("/"), {"id": place, **known}


def _read_sliders(components: object, inputs: object) -> Iterable[Parameter]:
    """Yield the inputs in order, without names, with the bounds of those that are sliders."""
    known = [one for one in components if isinstance(one, dict)] if isinstance(components, list) else []
    by_id = {str(one.get("id")): one for one in known}
    for number in inputs if isinstance(inputs, list) else []:
        component = by_id.get(str(number), {})
        if component.get("type") == "state":
            continue  # the server fills it
        props = component.get("props")
        least, most = (
            _read_bound(props.get(end)) if isinstance(props, dict) else None for end in ("minimum", "maximum")
        )
        if least is None or most is None or least > most:
            least = most = None
        yield Parameter("", kind=_COMPONENTS.get(str(component.get("type")), ""), least=least, most=most)


def _read_bound(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    try:
        return told if math.isfinite(told) else None
    except OverflowError:
        return None


def name_parameters(contract: Contract, info: object, api_name: str, order: Sequence[str]) -> Contract:
    """Return the contract with its parameters' names, types and defaults, from `GET {prefix}/info`.

    If that does not name them, they get the names in the provider's `order`. Raises SpaceChanged if there are more or
    fewer.
    """
    told = info.get("named_endpoints") if isinstance(info, dict) else None
    endpoint = told.get(f"/{api_name}") if isinstance(told, dict) else None
    listed = endpoint.get("parameters") if isinstance(endpoint, dict) else None
    if not isinstance(listed, list) or not listed or not all(_has_name(one) for one in listed):
        listed = [{"parameter_name": name} for name in order]
        if len(order) != len(contract.parameters):
            raise SpaceChanged(
                f"this Space has changed: it takes {len(contract.parameters)} inputs in place of {len(order)}", _DOCTOR
            )
    sliders = contract.parameters if len(listed) == len(contract.parameters) else [Parameter("")] * len(listed)
    pairs = zip(sliders, listed, strict=True)
    return replace(contract, parameters=tuple(_name_parameter(parameter, one) for parameter, one in pairs))


def _has_name(told: object) -> bool:
    name = told.get("parameter_name") if isinstance(told, dict) else None
    return isinstance(name, str) and bool(re.fullmatch(r"\w{1,80}", name))


def _name_parameter(parameter: Parameter, told: dict[str, Any]) -> Parameter:
    shape = told.get("type")
    kind = shape.get("type") if isinstance(shape, dict) else None
    return replace(
        parameter,
        name=str(told["parameter_name"]),
        kind=kind if isinstance(kind, str) and kind in _KINDS else parameter.kind,
        required=not told.get("parameter_has_default"),
        default=told.get("parameter_default"),
    )

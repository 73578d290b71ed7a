"""The options of a line, as the grammar reads them, as settings: of a cell, of a panel's line, of a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import InvalidRequest
from .grammar import Several
from .own_values import merge_assignments
from .settings import NAMES

_SETS: Final[Mapping[str, tuple[str, Any]]] = {
    "fresh": ("replay", "off"),
    "no_metadata": ("metadata", False),
    "no_only_image": ("only_image", False),
    "no_sign": ("sign", False),
}
"""Options without a value, by name, each with the setting that it stands for."""


def collect_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that all images of a line share; what has several values is left out.

    Raises InvalidRequest for two options that set the same.
    """
    if "size" in options and options.keys() & {"width", "height"}:
        raise InvalidRequest("--size and --width or --height set the same thing twice: give --size, or the others")
    for name, (setting, value) in _SETS.items():
        if value is False and {name, setting} <= options.keys():
            flag = setting.replace("_", "-")
            raise InvalidRequest(f"--{flag} and --no-{flag} contradict each other: give one of them")
    once = {name: value for name, value in options.items() if not isinstance(value, Several)}
    given = {name: value for name, value in once.items() if name in {*NAMES, "size"}}
    given |= {setting: value for name, (setting, value) in _SETS.items() if options.get(name)}
    if own := {name: values[0] for name, values in read_own(options).items() if len(values) == 1}:
        given["parameters"] = own
    return given


def read_own(options: Mapping[str, Any]) -> Mapping[str, tuple[Any, ...]]:
    """Return the values of the model's own parameters, by its own names: `--set shift=1,3`."""
    return merge_assignments(options.get("set", ()), "--set")

"""Nodes of ComfyUI that pass one of their inputs on: which one, if a value that is written down decides it.

After ComfyUI's own switch and if-else nodes, and those of Impact Pack, Easy-Use, rgthree, WAS, Comfyroll and KJNodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_KIND: Final = re.compile(r"switch|(?<!sampler)select|choose|if[ _]?else|ifexecute|: if\b|toggle|branch", re.IGNORECASE)
_SELECTORS: Final = (
    *("index", "select", "selector", "selected", "selection", "selected_index", "switch", "boolean", "bool", "input"),
    *("condition", "cond", "if_condition", "which", "choice", "choose", "toggle", "any", "input_selector"),
)
_TRUE: Final = re.compile(r"(?:.*_)?(?:true|yes|tt_value)\Z|true_value\Z|if_true\Z", re.IGNORECASE)
_FALSE: Final = re.compile(r"(?:.*_)?(?:false|no|else|ff_value)\Z|false_value\Z|if_false\Z", re.IGNORECASE)
_PLACED: Final = re.compile(r"(?P<stem>.*?)_?(?P<place>[0-9]{1,4}|(?<=_)[a-h])\Z", re.IGNORECASE)

Value = Callable[[object], object]


def choose(kind: str, inputs: Mapping[str, Any], value_of: Value) -> tuple[bool, dict[str, Any]]:
    """Return True if a node is a switch, and the one input that it passes on; none if that is not known."""
    selector = _find_selector(inputs)
    branches = _list_branches(inputs, selector)
    named = _KIND.search(kind) is not None
    if len(branches) < 2 and not (named and selector and branches):
        return False, {}
    if selector is None:
        # A switch without a selector passes on the first input that is connected.
        return (True, _take_only(inputs, branches[0])) if named else (False, {})
    if len(branches) == 1:
        return True, _take_only(inputs, branches[0])
    chosen = value_of(inputs[selector])
    if not named and not isinstance(chosen, (bool, int)):
        return False, {}
    branch = _choose_branch(branches, _read_literal(chosen))
    return True, _take_only(inputs, branch) if branch else {}


def _find_selector(inputs: Mapping[str, Any]) -> str | None:
    by_name = {name.casefold(): name for name in inputs}
    return next((by_name[name] for name in _SELECTORS if name in by_name), None)


def _list_branches(inputs: Mapping[str, Any], selector: str | None) -> list[str]:
    """Return the inputs between which a switch chooses: `on_true` and `on_false`, or those with a number or
    character.
    """
    names = [name for name in inputs if name != selector]
    either = [name for name in names if _TRUE.match(name) or _FALSE.match(name)]
    return either or [name for name in names if _PLACED.match(name)]


def _choose_branch(branches: list[str], chosen: object) -> str | None:
    if isinstance(chosen, bool):
        wanted = _TRUE if chosen else _FALSE
        named = any(_TRUE.match(name) or _FALSE.match(name) for name in branches)
        by_place = None if named else branches[0 if chosen else 1]
        return next((name for name in branches if wanted.match(name)), by_place)
    if isinstance(chosen, int):
        found = [name for name in branches if _get_place(name) == str(chosen)]
        return found[0] if len(found) == 1 else None
    return next((name for name in branches if name.casefold() == str(chosen).casefold()), None)


def _get_place(name: str) -> str:
    placed = _PLACED.match(name)
    return placed["place"].lstrip("0") or "0" if placed else ""


def _read_literal(value: object) -> bool | int | str | None:
    """Return a selector's value: a boolean or a number, also as a string; another string as it is."""
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if not isinstance(value, str):
        return None
    text = value.strip().casefold()
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else value.strip()


def _take_only(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {name: inputs[name]}

"""The partial results of a generator: whole at first, then as changes in Gradio's own form. Pure.

A change is `[action, path, value]`, of an output of its own: `["replace", ["url"], "…"]`, `["append", [], [5]]`.
"""

from __future__ import annotations

import copy
from typing import Any, Final

_MOST_CHANGES: Final = 10_000
_DEEPEST: Final = 32
_ACTIONS: Final = frozenset({"replace", "append", "add", "delete"})


class Partials:
    """The outputs of one job so far. What does not fit ends them: the job itself goes on."""

    def __init__(self) -> None:
        self._outputs: list[Any] | None = None
        self._is_broken = False

    def take(self, data: list[Any]) -> list[Any] | None:
        """Return the outputs after a message, whole; None if they are not known."""
        if self._outputs is None:
            self._outputs = data
        elif len(data) != len(self._outputs):
            self._is_broken = True
        elif all(value == [] or is_change(value) for value in data):
            try:
                self._outputs = [_apply(old, new) for old, new in zip(self._outputs, data, strict=True)]
            except (KeyError, IndexError, TypeError, ValueError):
                self._is_broken = True
        else:
            self._outputs = data
        return None if self._is_broken else self._outputs


def is_change(value: object) -> bool:
    """Return True for a list of changes, which is not empty."""
    return isinstance(value, list) and bool(value) and all(map(_is_edit, value))


def _is_edit(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and value[0] in _ACTIONS and isinstance(value[1], list)


def _apply(old: Any, changes: Any) -> Any:
    """Return an output after its changes. Raises an error for changes that do not fit, or that are too many."""
    if changes == []:
        return old
    if not is_change(changes) or len(changes) > _MOST_CHANGES:
        raise ValueError
    made = copy.deepcopy(old)
    for action, path, value in changes:
        if len(path) > _DEEPEST:
            raise ValueError
        made = _edit(made, path, action, value)
    return made


def _edit(target: Any, path: list[Any], action: str, value: Any) -> Any:
    if not path:
        return target + value if action == "append" else value
    inner, last = target, path[-1]
    for step in path[:-1]:
        inner = inner[step]
    if action == "append":
        inner[last] += value
    elif action == "delete":
        del inner[last]
    elif action == "add" and isinstance(inner, list):
        inner.insert(int(last), value)
    else:
        inner[last] = value
    return target

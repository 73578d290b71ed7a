"""A prompt with places where the values of axes go: alternatives `{red|blue}`, and `{names}` that are lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from . import prompt
from .axes import TAKEN, WORD, Axis, distinct, is_word
from .errors import InvalidRequest

_ITEM: Final = r"(?:\{\{\w+\}\}|\{\w+\}|[^{}|])*"
_ALTERNATIVES: Final = rf"\{{({_ITEM}(?:\|{_ITEM})+)\}}"
_NESTED: Final = re.compile(r"(?<!\{)\{[^{}]*\|[^{}]*\{[^{}]*\|[^{}]*\}[^{}]*\}")
_SLOT: Final = re.compile(rf"\{{{_ALTERNATIVES}\}}|{_ALTERNATIVES}|\{{{prompt.NAME}\}}|{prompt.NAME}")


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with places where the values of axes go.

    Attributes:
        typed: the prompt as typed.
        parts: texts, and numbers of the axes whose values stand between them.
        axes: what the prompt varies; none in a plain prompt.
        missing: names in braces that the notebook does not have; they are sent as typed.
        notes: what else a person may have meant to be an axis.
    """

    typed: str
    parts: tuple[str | int, ...]
    axes: tuple[Axis, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def text(self, values: Sequence[int | str]) -> str:
        """The prompt to send, with a value for each axis."""
        return "".join(part if isinstance(part, str) else str(values[part]) for part in self.parts)


def template(typed: str, names: Mapping[str, object]) -> Template:
    """A prompt whose alternatives `{a|b}`, and whose `{names}` that are lists, are axes; the other names are put in.

    `{{a|b}}` is a literal `{a|b}`, as `{{name}}` is a literal `{name}`.

    Raises InvalidRequest for an axis without values, or with the same one twice, and for one within another.
    """
    if nested := _NESTED.search(typed):
        raise InvalidRequest(
            f"{nested[0][:40]}: alternatives within others: put all in one row, {{a|b|c}}; {{{{a|b}}}} is literal"
        )
    made = _Making(names)
    position = 0
    for match in _SLOT.finditer(typed):
        made.expand(typed[position : match.start()])
        made.take(match)
        position = match.end()
    made.expand(typed[position:])
    missing, notes = dict.fromkeys(made.missing), dict.fromkeys(made.notes)
    return Template(typed, tuple(made.parts), tuple(made.axes), tuple(missing), tuple(notes))


def escape(text: str) -> str:
    """The prompt that `template` takes for `text` and nothing else, whatever names there are."""
    return _SLOT.sub(lambda match: f"{{{match[0]}}}", text)


def varying(typed: str, names: Mapping[str, object]) -> list[str]:
    """What would be an axis of the prompt, as typed: its alternatives, and the names of lists."""
    found = []
    for match in _SLOT.finditer(typed):
        _, alternatives, _, name = match.groups()
        if alternatives is not None or (name is not None and listed(names.get(name)) is not None):
            found.append(match[0])
    return list(dict.fromkeys(found))


class _Making:
    """A template that is being read, from its beginning to its end."""

    def __init__(self, names: Mapping[str, object]) -> None:
        self.names = names
        self.parts: list[str | int] = []
        self.axes: list[Axis] = []
        self.missing: list[str] = []
        self.notes: list[str] = []

    def take(self, match: re.Match[str]) -> None:
        literal, alternatives, _, name = match.groups()
        if literal is not None:
            self.parts.append(f"{{{literal}}}")
        elif alternatives is not None:
            words = sum(is_word(axis.name) for axis in self.axes)
            if (inside := re.search(prompt.NAME, alternatives)) and listed(self.names.get(inside[1])) is not None:
                raise InvalidRequest(
                    f"{match[0][:40]}: {inside[0]} is a list within alternatives: write its items there"
                )
            values = [self._expanded(one) for one in alternatives.split("|")]
            self._vary(f"{WORD}_{words + 1}" if words else WORD, values, match[0])
        elif name is not None and (items := listed(self.names.get(name))) is not None:
            self._vary(name, [str(item) for item in items], match[0])
        else:
            if name is not None and _is_many(value := self.names.get(name)):
                self.notes.append(f"{match[0]} is a {type(value).__name__}, which is not varied: give a list")
            self.expand(match[0])

    def expand(self, text: str) -> None:
        if text:
            self.parts.append(self._expanded(text))

    def _expanded(self, text: str) -> str:
        expanded, missing = prompt.expand(text, self.names)
        self.missing += missing
        return expanded

    def _vary(self, name: str, values: list[str], typed: str) -> None:
        known = next((number for number, axis in enumerate(self.axes) if axis.name == name), None)
        if known is None:
            if name in TAKEN or (is_word(name) and "|" not in typed):
                raise InvalidRequest(f"{typed}: a sweep has a {name} of its own: give the list another name")
            literal = f"; {{{typed}}} is taken as typed" if "|" in typed else ""
            self.axes.append(Axis(name, distinct(typed, values, literal)))
            known = len(self.axes) - 1
        self.parts.append(known)


def listed(value: object) -> list[Any] | None:
    """The items of a list, a tuple, a range, a one-dimensional array or a column of a table; None of all else."""
    if isinstance(value, list | tuple | range):
        return list(value)
    if getattr(value, "ndim", None) == 1 and hasattr(value, "tolist"):
        return list(value.tolist())
    return None


def _is_many(value: object) -> bool:
    """Whether this is a collection of another kind than a list."""
    return isinstance(value, AbstractSet | Mapping | Iterator) or getattr(value, "ndim", 1) > 1

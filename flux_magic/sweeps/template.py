"""A prompt with places for the values of axes: alternatives `{red|blue}`, and `{names}` that are lists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import InvalidRequest
from ..parameters import grammar
from ..parameters.lists import is_many, list_items
from ..parameters.placeholders import expand
from .axes import TAKEN, WORD, Axis, check_distinct, is_word

_MOST_AXES: Final = 32
"""The most axes of a prompt; with two values each they exceed what a sweep may have."""

_ITEM: Final = r"(?:\{\{\w+\}\}|\{\w+\}|[^{}|])*"
_ALTERNATIVES: Final = rf"\{{({_ITEM}(?:\|{_ITEM})+)\}}"
_NESTED: Final = re.compile(r"(?<!\{)\{[^{}|]*\|[^{}]*\{[^{}|]*\|[^{}]*\}[^{}]*\}")
_DYNAMIC: Final = r"\s*[\d-]*\$\$|\s*[\d.]+::|[^{}]*\|\s*[\d.]+::|[@~]"
"""The beginnings of sd-dynamic-prompts' alternatives that we do not support: `{2$$a|b}`, `{0.5::a|b}`, `{@a|b}`."""

_SLOT: Final = re.compile(
    rf"\{{{_ALTERNATIVES}\}}|(?!\{{(?:{_DYNAMIC})){_ALTERNATIVES}|\{{{grammar.NAME}\}}|{grammar.NAME}"
)


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt with places for the values of axes.

    Attributes:
        typed: the prompt as typed.
        parts: strings, and numbers of the axes whose values stand between them.
        axes: what the prompt varies; none in a plain prompt.
        missing: names in braces that the notebook does not have; they are sent as typed.
        notes: what else a person may have meant to be an axis.
    """

    typed: str
    parts: tuple[str | int, ...]
    axes: tuple[Axis, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def fill(self, values: Sequence[float | str]) -> str:
        """Return the prompt to send, with a value for each axis."""
        return "".join(part if isinstance(part, str) else str(values[part]) for part in self.parts)


def read_template(typed: str, names: Mapping[str, object], *, repeats: bool = False) -> Template:
    """Read a prompt in which alternatives `{a|b}`, and `{names}` that are lists, are axes.

    `{{a|b}}` is a literal `{a|b}`, as `{{name}}` is a literal `{name}`. In pairs a value `repeats`.

    Raises InvalidRequest for an axis without values, or with the same one twice, and for one within another.
    """
    if nested := _NESTED.search(typed):
        raise InvalidRequest(
            f"{nested[0][:40]}: alternatives within others: put all in one row, {{a|b|c}}; {{{{a|b}}}} is literal"
        )
    made = _Making(names, repeats=repeats)
    position = 0
    for match in _SLOT.finditer(typed):
        made.expand(typed[position : match.start()])
        made.take(match)
        position = match.end()
    made.expand(typed[position:])
    missing, notes = dict.fromkeys(made.missing), dict.fromkeys([*made.notes, *describe_unread(typed, names)])
    return Template(typed, tuple(made.parts), tuple(made.axes), tuple(missing), tuple(notes))


def escape(text: str) -> str:
    """Return the prompt that `read_template` reads as exactly `text`, whatever names exist."""
    return _SLOT.sub(lambda match: f"{{{match[0]}}}", text)


def find_varying(typed: str, names: Mapping[str, object]) -> list[str]:
    """Return the parts of the prompt that would be axes, as typed: alternatives, and the names of lists."""
    found = []
    for match in _SLOT.finditer(typed):
        _, alternatives, _, name = match.groups()
        if alternatives is not None or (name is not None and list_items(names.get(name)) is not None):
            found.append(match[0])
    return list(dict.fromkeys(found))


_EXPRESSION: Final = re.compile(
    r"(?<!\{)\{\s*(?P<root>[^\W\d]\w*)(?P<rest>[^{}|\n\\]{0,60})\}(?!\})"
)  # {animals[0]}, {a.name}, {x:.2f}, { x }
_LATEX: Final = re.compile(r"(?:\\[a-zA-Z]+(?:\{[^{}]*\})*|[\^_])\Z")
_BEFORE: Final = 200
"""Characters before a brace in which a command of LaTeX is looked for."""
_SPEC: Final = re.compile(r"(?:![rsa])?(?::[^\s{}]?[<>=^]?[+\-]?#?\d*[,_]?(?:\.\d+)?[a-zA-Z%]?)?")
_OTHER_SYNTAX: Final = (
    (
        re.compile(rf"(?<!\{{)\{{(?:{_DYNAMIC})[^{{}}|]*\|[^{{}}]*\}}(?!\}})"),
        "{{red|blue}} with --sweep makes an image of each",
    ),
    (
        re.compile(r"(?<![\w_])__[a-z0-9][\w/ -]{0,60}?__(?![\w_])"),
        "there are no wildcards; a list {{name}} is varied with --sweep",
    ),
    (re.compile(r"<(?:lora|lyco|hypernet):[^<>\s]+>"), "this model takes no LoRA or embedding"),
)
_DOLLAR: Final = re.compile(r"\$(?:(?P<name>[^\W\d]\w*)|\{(?P<braced>[^\W\d]\w*)\})|%\((?P<percent>[^\W\d]\w*)\)s")


def describe_unread(typed: str, names: Mapping[str, object]) -> list[str]:
    """Return a note on each part of a prompt that is sent as typed, and was probably meant to be replaced.

    Braces of other kinds (JSON, LaTeX, CSS) are left alone.
    """
    notes = []
    for match in _EXPRESSION.finditer(typed):
        root, rest = match["root"], match["rest"]
        if not _LATEX.search(typed, max(0, match.start() - _BEFORE), match.start()) and _is_expression(
            root, rest, names
        ):
            called = "x" if root != "x" else "y"
            value = rest[:1] in set(".[(+-*/%") or rest.strip()[:1] in set("+-*/%")
            advice = f"; write {called} = {root}{rest.rstrip()} and {{{called}}}" if value else f": {{{root}}}"
            notes.append(f"{match[0][:60]} is sent as typed: braces take a name alone{advice}")
    for pattern, advice in _OTHER_SYNTAX:
        notes += [f"{found[0][:60]} is sent as typed: {advice.format()}" for found in pattern.finditer(typed)]
    for match in _DOLLAR.finditer(typed):
        name = match["name"] or match["braced"] or match["percent"]
        if name in names:
            sent = f"the $ of {match[0]} is sent too" if match["braced"] else f"{match[0]} is sent as typed"
            notes.append(f"{sent}: a name is written {{{name}}}")
    return list(dict.fromkeys(notes))


def _is_expression(root: str, rest: str, names: Mapping[str, object]) -> bool:
    """Return True if braces hold a Python expression or a format, rather than the words of another language."""
    if root in names and re.match(r"[\[(!]|:\S|=?\s*\Z|\s*[%*/+-]|\.\w", rest):
        return rest != ""
    if re.fullmatch(r"\.[^\W\d]\w*|\[[^\]]*\]|\([^()]*\)", rest):
        return True
    return _SPEC.fullmatch(rest) is not None and re.search(r"\d|!", rest) is not None


class _Making:
    """A template that is being read, from its beginning to its end."""

    def __init__(self, names: Mapping[str, object], *, repeats: bool) -> None:
        self.names, self.repeats = names, repeats
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
            if (inside := re.search(grammar.NAME, alternatives)) and list_items(self.names.get(inside[1])) is not None:
                raise InvalidRequest(
                    f"{match[0][:40]}: {inside[0]} is a list within alternatives: write its items there"
                )
            values = [self._expand_rest(one) for one in alternatives.split("|")]
            self._vary(f"{WORD}_{words + 1}" if words else WORD, values, match[0])
        elif name is not None and (items := list_items(self.names.get(name))) is not None:
            self._vary(name, [str(item) for item in items], match[0])
        else:
            if name is not None and is_many(value := self.names.get(name)):
                self.notes.append(f"{match[0]} is a {type(value).__name__}, which is not varied: give a list")
            self.expand(match[0])

    def expand(self, text: str) -> None:
        if text:
            self.parts.append(self._expand_rest(text))

    def _expand_rest(self, text: str) -> str:
        expanded, missing = expand(text, self.names)
        self.missing += missing
        return expanded

    def _vary(self, name: str, values: list[str], typed: str) -> None:
        known = next((number for number, axis in enumerate(self.axes) if axis.name == name), None)
        if known is None:
            if len(self.axes) >= _MOST_AXES:
                raise InvalidRequest(f"{typed[:40]} is one thing too many to vary: a prompt has at most {_MOST_AXES}")
            if name in TAKEN or (is_word(name) and "|" not in typed):
                raise InvalidRequest(f"{typed}: a sweep has a {name} of its own: give the list another name")
            literal = f"; {{{typed}}} is taken as typed" if "|" in typed else ""
            self.axes.append(Axis(name, check_distinct(typed, values, literal, repeats=self.repeats)))
            known = len(self.axes) - 1
        self.parts.append(known)

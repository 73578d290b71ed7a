"""Style sheets of a notebook's outputs, kept within the output that they came with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import tinycss2

_GROUPS: Final = frozenset({"media", "supports", "layer", "container"})
"""Rules with rules in them. Of the others only key frames stay, which style nothing by themselves."""

_BESIDE: Final = frozenset("+~|&>")
"""The beginnings of a selector that could choose what is beside its scope, or all that is not in it."""


def scope(css: str, within: str) -> str:
    """Return a style sheet of which no rule reaches an element outside of the one with the selector `within`."""
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    # A string in it may end the element that the sheet is in.
    return "\n".join(_scope_rules(rules, within)).replace("</", "<\\/")


def _scope_rules(rules: Sequence[Any], within: str) -> Iterator[str]:
    for rule in rules:
        prelude = tinycss2.serialize(rule.prelude).strip() if rule.type in {"qualified-rule", "at-rule"} else ""
        if rule.type == "qualified-rule":
            selectors = [f"{within} {one}" for one in _split(rule.prelude)]
            if selectors and (declared := _keep_declarations(rule.content)):
                yield f"{', '.join(selectors)} {{{declared}}}"
        elif rule.type == "at-rule" and rule.content is not None:
            if rule.lower_at_keyword in _GROUPS:
                inside = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
                yield f"@{rule.lower_at_keyword} {prelude} {{{' '.join(_scope_rules(inside, within))}}}"
            elif rule.lower_at_keyword == "keyframes":
                yield f"@keyframes {prelude} {{{tinycss2.serialize(rule.content)}}}"


def _split(prelude: Sequence[Any]) -> Iterator[str]:
    """Yield the selectors of a rule, without those that could choose an element that is not inside."""
    part: list[Any] = []
    for token in [*prelude, None]:
        if token is not None and not (token.type == "literal" and token.value == ","):
            part.append(token)
            continue
        said = [one for one in part if one.type != "whitespace"]
        is_inside = said and not (said[0].type == "literal" and said[0].value in _BESIDE)
        if is_inside and "&" not in {getattr(one, "value", "") for one in said}:
            yield tinycss2.serialize(part).strip()
        part = []


def _keep_declarations(content: Sequence[Any]) -> str:
    """Return what a rule declares, without rules within it."""
    found = tinycss2.parse_declaration_list(content, skip_comments=True, skip_whitespace=True)
    return " ".join(f"{one.serialize().strip()};" for one in found if one.type == "declaration")

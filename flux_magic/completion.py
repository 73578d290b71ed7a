"""What Tab offers on the line of a magic: its options, and the values of some of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import prompt, settings

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_LINE = re.compile(r"^\s*(?:[\w.\[\], ]+=\s*)?%%?flux(?:_panel)?\s+(?P<words>.*)$", re.DOTALL)


def completions(line: str) -> tuple[str, list[str]] | None:
    """The word before the cursor and what it can become, on a magic's line; None anywhere else."""
    match = _LINE.match(line)
    if match is None:
        return None
    *before, word = re.split(r"\s+", match["words"])
    choices = _VALUES.get(before[-1] if before else "", _flags if word.startswith("-") else list)()
    return word, [choice for choice in choices if choice.startswith(word)]


def _flags() -> list[str]:
    return [flag for option in prompt.OPTIONS for flag in option.flags]


def _models() -> list[str]:
    from .providers import model_names

    return model_names()


_VALUES: dict[str, Callable[[], list[str]]] = {
    "--inline": lambda: list(settings.INLINE),
    "--model": _models,
    "--size": lambda: list(prompt.SIZES),
    "--space": lambda: ["local", "black-forest-labs/FLUX.1-schnell"],
}


def matcher() -> Callable[[CompletionContext], SimpleMatcherResult] | None:
    """The completer's plug; None on an IPython that has no such thing (7)."""
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:
        return None

    @context_matcher()  # type: ignore[untyped-decorator]
    def flux_options(context: CompletionContext) -> SimpleMatcherResult:
        line = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
        found = completions(line)
        if found is None:
            return {"completions": []}  # type: ignore[typeddict-item]  # its other keys may be left out
        word, choices = found
        return {  # type: ignore[typeddict-item]
            "completions": [SimpleCompletion(choice, type="magic") for choice in choices],
            "matched_fragment": word,
            "suppress": bool(choices),
        }

    return flux_options  # type: ignore[no-any-return]

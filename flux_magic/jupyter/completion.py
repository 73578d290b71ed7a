"""Tab completion on the line of a magic: its options, and the values of some of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..parameters import grammar, settings
from ..parameters.table import PARAMETERS

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_LINE = re.compile(r"^\s*(?:[\w.\[\], ]+=\s*)?%%?(?P<magic>flux(?:_\w+)?)\s+(?P<words>.*)$", re.DOTALL)


def complete(line: str) -> tuple[str, list[str]] | None:
    """Return the word before the cursor and its completions, on a magic's line; None anywhere else."""
    match = _LINE.match(line)
    if match is None:
        return None
    *before, word = re.split(r"\s+", match["words"])
    flags = _FLAGS.get(match["magic"])
    if flags is None:
        return None
    values = _VALUES.get(before[-1]) if before and before[-1] in flags else None
    if values is None and match["magic"] in _LOOKING_BACK and not word.startswith("-"):
        return None  # a file, or words
    choices = values() if values else flags if word.startswith("-") else []
    return word, [choice for choice in choices if choice.startswith(word)]


def _list_flags(options: Sequence[grammar.Option]) -> list[str]:
    return [flag for option in options for flag in option.flags]


_LOOKING_BACK: dict[str, list[str]] = {
    "flux_history": _list_flags(grammar.HISTORY_OPTIONS),
    "flux_recall": _list_flags(grammar.RECALL_OPTIONS),
    "flux_verify": _list_flags(grammar.VERIFY_OPTIONS),
}
_FLAGS = {"flux": _list_flags(grammar.OPTIONS), "flux_panel": _list_flags(grammar.PANEL_OPTIONS), **_LOOKING_BACK}


def _list_models() -> list[str]:
    from ..providers import list_model_names

    return list_model_names()


_VALUES: dict[str, Callable[[], list[str]]] = {
    **{flag: partial(list, row.choices) for row in PARAMETERS for flag in row.flags if row.choices},
    "--inline": lambda: list(settings.INLINE),
    "--model": _list_models,
    "--size": lambda: list(grammar.SIZES),
    "--space": lambda: ["local", "black-forest-labs/FLUX.1-schnell"],
}


def make_matcher() -> Callable[[CompletionContext], SimpleMatcherResult] | None:
    """Return a matcher for IPython's completer; None on IPython 7, which has no matchers."""
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:
        return None

    @context_matcher()  # type: ignore[untyped-decorator]
    def match_flux_options(context: CompletionContext) -> SimpleMatcherResult:
        line = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
        found = complete(line)
        if found is None:
            return {"completions": []}  # type: ignore[typeddict-item]  # its other keys may be left out
        word, choices = found
        return {  # type: ignore[typeddict-item]
            "completions": [SimpleCompletion(choice, type="magic") for choice in choices],
            "matched_fragment": word,
            "suppress": bool(choices),
        }

    return match_flux_options  # type: ignore[no-any-return]

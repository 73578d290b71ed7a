"""Tab completion on the line of a magic: its options, and the values of some of them.

What there is to choose from is loaded at the first Tab on such a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_LINE = re.compile(r"^\s*(?:[\w.\[\], ]+=\s*)?%%?(?P<magic>flux(?:_\w+)?)\s+(?P<words>.*)$", re.DOTALL)
_LOOKING_BACK = ("flux_history", "flux_recall", "flux_verify")


def complete(line: str) -> tuple[str, list[str]] | None:
    """Return the word before the cursor and its completions, on a magic's line; None anywhere else."""
    match = _LINE.match(line)
    flags = _list_flags().get(match["magic"]) if match else None
    if match is None or flags is None:
        return None
    *before, word = re.split(r"\s+", match["words"])
    values = _list_values(before[-1]) if before and before[-1] in flags else None
    if values is None and match["magic"] in _LOOKING_BACK and not word.startswith("-"):
        return None  # a file, or words
    choices = values or (flags if word.startswith("-") else [])
    return word, [choice for choice in choices if choice.startswith(word)]


@cache
def _list_flags() -> dict[str, list[str]]:
    """Return the flags of each magic."""
    from ..parameters import grammar

    offered = {
        "flux": grammar.OPTIONS,
        "flux_panel": grammar.PANEL_OPTIONS,
        "flux_history": grammar.HISTORY_OPTIONS,
        "flux_recall": grammar.RECALL_OPTIONS,
        "flux_verify": grammar.VERIFY_OPTIONS,
    }
    return {magic: [flag for option in options for flag in option.flags] for magic, options in offered.items()}


def _list_values(flag: str) -> list[str] | None:
    """Return the values to choose from behind a flag; None if it has none."""
    from ..parameters import grammar, settings
    from ..parameters.table import PARAMETERS
    from ..providers import list_model_names

    match flag:
        case "--inline":
            return list(settings.INLINE)
        case "--model":
            return list_model_names()
        case "--size":
            return list(grammar.SIZES)
        case "--space":
            return ["local", "black-forest-labs/FLUX.1-schnell"]
    return next(([str(one) for one in row.choices] for row in PARAMETERS if flag in row.flags and row.choices), None)


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

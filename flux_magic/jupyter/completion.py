"""Tab completion on the line of a magic. What there is to choose from is loaded at the first Tab on such a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

_LINE = re.compile(r"^\s*(?:[\w.\[\], ]+=\s*)?%%?(?P<magic>flux(?:_\w+)?)\s+(?P<words>.*)$", re.DOTALL)


def complete(line: str, names: Mapping[str, object] | None = None) -> tuple[str, list[str]] | None:
    """Return the word before the cursor and its completions, on a magic's line; None anywhere else.

    `names` are those of the notebook, among which are images.
    """
    match = _LINE.match(line)
    if match is None:
        return None
    from .choices import choose

    return choose(match["magic"], match["words"], names or {})


def make_matcher(shell: InteractiveShell) -> Callable[[CompletionContext], SimpleMatcherResult] | None:
    """Return a matcher for a shell's completer; None on IPython 7, which has no matchers."""
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:
        return None

    @context_matcher()  # type: ignore[untyped-decorator]
    def match_flux_options(context: CompletionContext) -> SimpleMatcherResult:
        line = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
        found = complete(line, _find_names(shell))
        if found is None:
            return {"completions": []}  # type: ignore[typeddict-item]  # its other keys may be left out
        word, choices = found
        return {  # type: ignore[typeddict-item]
            "completions": [SimpleCompletion(choice, type="magic") for choice in choices],
            "matched_fragment": word,
            "suppress": bool(choices),
        }

    return match_flux_options  # type: ignore[no-any-return]


def _find_names(shell: InteractiveShell) -> dict[str, object]:
    """Return the names of the notebook without IPython's own."""
    names, hidden = shell.user_ns, shell.user_ns_hidden
    return {name: value for name, value in names.items() if name[:1] != "_" and hidden.get(name, shell) is not value}

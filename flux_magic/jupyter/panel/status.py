"""A panel's status line: the progress of a job, its result, and errors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from ipywidgets import HTML
from traitlets import TraitError

from ...client.progress import ProgressLine, render_html
from ...errors import FluxError, InvalidRequest, clean
from ...results.table import escape_html
from .words import use_panel_words


class StatusLine:
    """One line of text, with a bar before it while a job runs; a `progress.Screen`.

    An error stays below it until the next request, whatever later jobs report. So does what keeps Generate from a
    press, until it is mended.

    Args:
        behind: returns how many jobs wait behind the one shown.
    """

    def __init__(self, behind: Callable[[], int]) -> None:
        self._behind = behind
        self._lock = threading.RLock()  # a job, an answer of the Space and a press may come at the same time
        self._text, self._trouble, self._markup = "", "", ""
        self._blocked, self._is_wrong, self._remark = "", False, ""
        self.widget = HTML().add_class("flux-magic-status")

    @property
    def text(self) -> str:
        """All of it as a string."""
        return "\n".join(filter(None, [self._text, self._trouble, self._blocked, self._remark]))

    def draw(self, status: ProgressLine) -> None:
        """Show how far a job is."""
        behind = self._behind()
        told = replace(status, text=f"{status.text}; {behind} more behind it" if behind else status.text)
        self._put(told.text, render_html(told))

    def clear(self) -> None:
        """Show nothing but what keeps Generate from a press."""
        self._trouble = self._remark = ""
        self._put("", "")

    def note(self, text: str) -> None:
        """Show the result of a job."""
        self._put(text, f'<span role="status">{escape_html(text)}</span>')

    def say(self, text: str) -> None:
        """Show the result of a press, and nothing of an earlier one."""
        self._trouble = self._remark = ""
        self.note(text)

    def remark(self, text: str) -> None:
        """Show a note on a press until the next one."""
        self._remark = text
        self._put()

    def block(self, why: str, *, is_wrong: bool) -> None:
        """Show why nothing can be made now; `is_wrong` is True for a value that is not allowed. Empty shows nothing."""
        if (why, is_wrong) != (self._blocked, self._is_wrong):
            self._blocked, self._is_wrong = why, is_wrong
            self._put()

    def fail(self, error: BaseException, more: str = "") -> None:
        """Show an error."""
        self._trouble = describe_error(error)
        self.note(more)

    def clear_error(self, error: BaseException) -> None:
        """Remove this error, if it is the one shown."""
        if self._trouble == describe_error(error):
            self.say("")

    def _put(self, *line: str) -> None:
        """Show a line, its text and its markup, in place of the last one; without one show the last one again."""
        with self._lock:
            self._text, self._markup = line or (self._text, self._markup)
            blocked = [self._blocked] if self._blocked else []
            wrong, hints = ([self._trouble, *blocked], []) if self._is_wrong else ([self._trouble], blocked)
            markup = self._markup
            for one in filter(None, wrong):
                markup += f'<div class="flux-magic-error" role="alert">{escape_html(one)}</div>'
            for one in filter(None, [*hints, self._remark]):
                markup += f'<div class="flux-magic-hint">{escape_html(one)}</div>'
            self.widget.value = markup


def describe_error(error: BaseException) -> str:
    """Return an error as a cell shows it, in the words of the panel."""
    if isinstance(error, InvalidRequest | TraitError):
        return use_panel_words(clean(str(error)))
    words = use_panel_words(str(error)) if isinstance(error, FluxError) else clean(str(error))
    return f"{type(error).__name__}: {words}"

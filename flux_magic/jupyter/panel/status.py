"""A panel's status line: the progress of a job, its result, and errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ipywidgets import HTML
from traitlets import TraitError

from ...client.progress import ProgressLine, render_html
from ...errors import FluxError, InvalidRequest, clean
from ...results.table import escape_html


class StatusLine:
    """One line of text, with a bar before it while a job runs; a `progress.Screen`.

    An error stays below it until the next request, whatever later jobs report.

    Args:
        behind: returns how many jobs wait behind the one shown.
    """

    def __init__(self, behind: Callable[[], int]) -> None:
        self._behind = behind
        self._text, self._trouble = "", ""
        self.widget = HTML().add_class("flux-magic-status")

    @property
    def text(self) -> str:
        """All of it as a string."""
        return "\n".join(filter(None, [self._text, self._trouble]))

    def draw(self, status: ProgressLine) -> None:
        """Show how far a job is."""
        behind = self._behind()
        told = replace(status, text=f"{status.text}; {behind} more behind it" if behind else status.text)
        self._put(told.text, render_html(told))

    def clear(self) -> None:
        """Show nothing."""
        self._trouble = ""
        self._put("", "")

    def note(self, text: str) -> None:
        """Show the result of a job."""
        self._put(text, f'<span role="status">{escape_html(text)}</span>')

    def say(self, text: str) -> None:
        """Show the result of a press, and no error."""
        self._trouble = ""
        self.note(text)

    def fail(self, error: BaseException, more: str = "") -> None:
        """Show an error, in the words of the magic."""
        self._trouble = describe_error(error)
        self.note(more)

    def clear_error(self, error: BaseException) -> None:
        """Remove this error, if it is the one shown."""
        if self._trouble == describe_error(error):
            self.say("")

    def _put(self, text: str, markup: str) -> None:
        self._text = text
        if self._trouble:
            markup += f'<div class="flux-magic-error" role="alert">{escape_html(self._trouble)}</div>'
        self.widget.value = markup


def describe_error(error: BaseException) -> str:
    """Return an error as a cell shows it."""
    if isinstance(error, InvalidRequest | TraitError):
        return clean(str(error))
    return f"{type(error).__name__}: {error if isinstance(error, FluxError) else clean(str(error))}"

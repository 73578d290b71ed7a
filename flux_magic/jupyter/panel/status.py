"""A panel's status line: how far a job is, what came of it, what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ipywidgets import HTML
from traitlets import TraitError

from ...client.progress import ProgressLine, html_of
from ...errors import FluxError, InvalidRequest, cleaned
from ...results.table import html_text


class StatusLine:
    """One line of text, with a bar before it while a job runs; a `progress.Screen`.

    What went wrong stays below it until something is asked for anew, whatever the jobs behind it have to tell.

    Args:
        behind: how many jobs stand behind the one that is told of.
    """

    def __init__(self, behind: Callable[[], int]) -> None:
        self._behind = behind
        self._text, self._trouble = "", ""
        self.widget = HTML().add_class("flux-magic-status")

    @property
    def text(self) -> str:
        """All of it as text."""
        return "\n".join(filter(None, [self._text, self._trouble]))

    def draw(self, status: ProgressLine) -> None:
        """How far a job is."""
        behind = self._behind()
        told = replace(status, text=f"{status.text}; {behind} more behind it" if behind else status.text)
        self._put(told.text, html_of(told))

    def clear(self) -> None:
        """Nothing."""
        self._trouble = ""
        self._put("", "")

    def note(self, text: str) -> None:
        """What came of a job."""
        self._put(text, f'<span role="status">{html_text(text)}</span>')

    def say(self, text: str) -> None:
        """What came of a press."""
        self._trouble = ""
        self.note(text)

    def fail(self, error: BaseException, more: str = "") -> None:
        """What went wrong, in the words of the magic."""
        self._trouble = words(error)
        self.note(more)

    def mended(self, error: BaseException) -> None:
        """Take this error away, where it is what went wrong last."""
        if self._trouble == words(error):
            self.say("")

    def _put(self, text: str, markup: str) -> None:
        self._text = text
        if self._trouble:
            markup += f'<div class="flux-magic-error" role="alert">{html_text(self._trouble)}</div>'
        self.widget.value = markup


def words(error: BaseException) -> str:
    """An error as a cell shows it."""
    if isinstance(error, InvalidRequest | TraitError):
        return cleaned(str(error))
    return f"{type(error).__name__}: {error if isinstance(error, FluxError) else cleaned(str(error))}"

"""A panel's status line: how far a job is, what came of it, what went wrong."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace

from ipywidgets import HTML
from traitlets import TraitError

from ..errors import FluxError, InvalidRequest, masked
from ..progress import Status, html_of


class StatusLine:
    """One line of text, with a bar before it while a job runs; a `progress.Screen`.

    Args:
        behind: how many jobs stand behind the one that is told of.
    """

    def __init__(self, behind: Callable[[], int]) -> None:
        self._behind = behind
        self.text = ""
        self.widget = HTML().add_class("flux-magic-status")

    def draw(self, status: Status) -> None:
        """How far a job is."""
        behind = self._behind()
        waits = f"; {behind} more behind it" if behind else ""
        told = replace(status, text=f"{status.text}{waits}")
        self._put(told.text, html_of(told))

    def clear(self) -> None:
        """Nothing."""
        self._put("", "")

    def say(self, text: str) -> None:
        """What came of it."""
        self._put(text, f'<span role="status">{html.escape(text)}</span>')

    def fail(self, error: Exception) -> None:
        """What went wrong, in the words of the magic."""
        text = words(error)
        self._put(text, f'<div class="flux-magic-error" role="alert">{html.escape(text)}</div>')

    def _put(self, text: str, markup: str) -> None:
        if text != self.text:
            self.text, self.widget.value = text, markup


def words(error: Exception) -> str:
    """An error as a cell shows it."""
    if isinstance(error, InvalidRequest | TraitError):
        return str(error)
    return f"{type(error).__name__}: {error if isinstance(error, FluxError) else masked(str(error))}"

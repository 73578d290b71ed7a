"""Fields that refuse what the magic refuses, in its words, and keep what was typed until it is mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ipywidgets import Text
from traitlets import TraitError
from traitlets.utils.bunch import Bunch

from ...errors import InvalidRequest
from .quiet import is_quiet, keep_quiet

REFUSED: Final = "flux-magic-refused"
"""The class of a field whose value is not allowed: the style puts a border around it, and words beside it."""


class Refusals:
    """The values that the fields of a panel refuse, and why.

    Args:
        changed: called when one is added or removed.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._messages: dict[Text, str] = {}

    def __str__(self) -> str:
        return "\n".join(self._messages.values())

    def __contains__(self, field: Text) -> bool:
        return field in self._messages

    def put(self, field: Text, message: str) -> None:
        """Mark a field that refuses its value; without a message it no longer does."""
        if message == self._messages.get(field, ""):
            return
        if message:
            self._messages[field] = message
        else:
            del self._messages[field]
        (field.add_class if message else field.remove_class)(REFUSED)
        self._changed()


class Typed:
    """A field in which a value is typed.

    Args:
        take: sets a parameter to what was typed. Raises InvalidRequest or TraitError for what is not allowed.
        refusals: where that is kept.
        kind: the class of the widget.
        field: its options.
    """

    def __init__(self, take: Callable[[str], None], refusals: Refusals, kind: type[Text] = Text, **field: Any) -> None:
        self._take, self._refusals = take, refusals
        self._shown = ""
        self.widget = kind(continuous_update=False, **field)
        self.widget.observe(self._on_change, "value")

    def show(self, text: str) -> None:
        """Show a value that was set. One that was typed and refused stays, and is tried again, if none was set."""
        if self.widget in self._refusals and text == self._shown:
            self.try_text(self.widget.value)
            return
        self._shown = text
        with keep_quiet():
            self.widget.value = text
        self._refusals.put(self.widget, "")

    def _on_change(self, change: Bunch) -> None:
        if not is_quiet():
            self.try_text(change["new"])

    def try_text(self, text: str) -> None:
        """Take what is typed, or refuse it."""
        try:
            self._take(text.strip())
        except (InvalidRequest, TraitError) as error:
            self._refusals.put(self.widget, error.message if isinstance(error, InvalidRequest) else str(error))
        else:
            self._refusals.put(self.widget, "")

    def drop(self) -> None:
        """Refuse nothing any more."""
        self._refusals.put(self.widget, "")

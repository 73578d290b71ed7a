"""The parts of a panel that fold away: a button each, with what it shows and hides below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ipywidgets import HTML, Button, HBox, Layout, VBox

FOLDS: Final = {
    "parameters": "More parameters",
    "model": "Model and Space",
    "compare": "Compare",
    "save": "Copy and save",
}
"""The names of the folds as `Panel.folds` has them, in their order, and their titles."""


class Folds:
    """The folds of a panel, of which the trait `folds` has the names of those that are open.

    Args:
        panel: has the trait, which follows the buttons, and they follow it.
        parts: the widgets of each fold, by its name.

    Attributes:
        widget: all of it.
    """

    def __init__(self, panel: Any, parts: Mapping[str, Any]) -> None:
        self._panel = panel
        self._buttons = {name: self._make_button(name) for name in parts}
        self._bodies = {name: HBox([part]).add_class("flux-magic-body") for name, part in parts.items()}
        self._boxes = {name: VBox([self._buttons[name], self._bodies[name]]) for name in parts}
        self.widget = VBox([*self._boxes.values()]).add_class("flux-magic-folds")
        panel.observe(lambda _: self._show(), "folds")
        self._show()

    def _make_button(self, name: str) -> Button:
        button = Button(description=FOLDS[name], layout=Layout(width="auto")).add_class("flux-magic-fold")
        button.on_click(lambda _: self._toggle(name))
        return button

    def _toggle(self, name: str) -> None:
        self._panel.folds = tuple({*self._panel.folds} ^ {name})

    def _show(self) -> None:
        for name, button in self._buttons.items():
            is_open = name in self._panel.folds
            button.icon = "caret-down" if is_open else "caret-right"
            button.tooltip = f"{'Hide' if is_open else 'Show'}: {FOLDS[name]}"
            (button.add_class if is_open else button.remove_class)("flux-magic-open")
            self._bodies[name].layout.display = None if is_open else "none"

    def name(self, name: str, more: str = "") -> None:
        """Show what is set in a fold beside its title, as it may be hidden."""
        self._buttons[name].description = f"{FOLDS[name]}: {more}" if more else FOLDS[name]

    def offer(self, name: str, *, is_there: bool) -> None:
        """Show a fold, or nothing of it if it is empty."""
        self._boxes[name].layout.display = None if is_there else "none"


def make_key_hint(does: str) -> HTML:
    """Return a hint at the shortcut beside the button that it presses; the style shows it where the shortcut works."""
    hint = HTML(f'<span class="flux-magic-hint">Ctrl+Enter {does}</span>')
    return hint.add_class("flux-magic-key")

"""The control of the size: a list of the usual ones, or of all that there are, and a button that swaps the sides."""

from __future__ import annotations

import math
from typing import Any, Final

from ipywidgets import Button, Dropdown, HBox
from traitlets.utils.bunch import Bunch

from ...parameters.grammar import SIZES
from ...parameters.sizes import split_sides
from ...parameters.table import SIDES
from .fields import LABEL
from .parameters import Parameters
from .quiet import is_quiet, keep_quiet

_OTHER: Final = "other"
_OWN: Final = "own"


class SizeControl:
    """The list and the button, linked with the width and the height of `parameters`.

    Attributes:
        sides: the widgets of the width and the height, which are there while another size than those listed is set.
        is_other: True if they are there whatever is set: a slider that is moved past a listed size stays.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.sides: list[Any] = []
        self.is_other = self._is_chosen = False
        self.size = Dropdown(options=[_OTHER], description="Size", style=LABEL)
        self.swap = Button(description="Swap", tooltip="Swap width and height", icon="exchange")
        self.widget = HBox([self.size, self.swap]).add_class("flux-magic-row")
        self.size.observe(self._on_size, "value")
        self.swap.on_click(lambda _: self._parameters.take(width=parameters.height, height=parameters.width))
        parameters.observe(lambda _: self.show(), [*SIDES])
        self.offer()

    def offer(self) -> None:
        """Offer the sizes that the model takes."""
        model, self.is_other = self._parameters.at_hand, False
        self.widget.layout.display = None if model.has_size else "none"
        if not model.has_size:
            self._show_sides()
            return
        sizes, others = [*model.sizes], [] if model.sizes else [("another size", _OTHER)]
        self.is_other = self._is_chosen and bool(others)
        if not sizes:
            (narrow, wide), (low, high) = (self._parameters.get_range(name) for name in SIDES)
            usual = [split_sides(text) for text in SIZES]
            sizes = [(width, height) for width, height in usual if narrow <= width <= wide and low <= height <= high]
        named = [(_format_named(*size), size) for size in sizes]
        own: list[Any] = [(self._name_own(), _OWN)] if self._parameters.is_left("width") else []
        with keep_quiet():
            self.size.options = [*own, *named, *others]
        self.show()

    def _name_own(self) -> str:
        size, called = self._parameters.at_hand.default_size, self._parameters.at_hand.called
        return f"default: {size[0]} × {size[1]}" if size else f"the {called}'s default"

    def show(self) -> None:
        """Show the size that is set."""
        size = (self._parameters.width, self._parameters.height)
        known = [value for _, value in self.size.options] if self._parameters.at_hand.has_size else []
        shown: Any = _OWN if size == (None, None) else size if size in known and not self.is_other else _OTHER
        self.is_other = shown == _OTHER
        with keep_quiet():
            self.size.value = shown if shown in known else None
        self._show_sides()
        sizes = self._parameters.at_hand.sizes
        self.swap.disabled = None in size or size[0] == size[1] or bool(sizes and size[::-1] not in sizes)

    def _show_sides(self) -> None:
        """Show the sides where the list does not say all of them."""
        is_listed = self._parameters.at_hand.has_size and not self.is_other
        for side in self.sides:
            side.layout.display = "none" if is_listed else None

    def show_listed(self) -> None:
        """Show a listed size as such from now on."""
        self.is_other = self._is_chosen = False
        self.show()

    def _on_size(self, change: Bunch) -> None:
        chosen = change["new"]
        if is_quiet() or chosen is None:
            return
        self.is_other = self._is_chosen = chosen == _OTHER
        if chosen == _OTHER:  # from the model's own size, the sliders begin where they are
            sides = self._parameters.at_hand.default_size or (1024, 1024)
            chosen = tuple(getattr(self._parameters, name) or side for name, side in zip(SIDES, sides, strict=True))
        width, height = (None, None) if chosen == _OWN else chosen
        self._parameters.take(width=width, height=height)
        self.show()


def _format_named(width: int, height: int) -> str:
    """Return a size with its shape: `1024 × 768, landscape 4:3`."""
    common = math.gcd(width, height)
    word = "square" if width == height else "landscape" if width > height else "portrait"
    return f"{width} × {height}, {word} {width // common}:{height // common}"

"""The thumbnails of a gallery: a button each, whose images come in a few style sheets."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ipywidgets import HTML, Box, Button, Layout

from ...errors import FluxError, replace_controls
from ...results.generation import Generation
from ..widgets import close_widgets

BATCH: Final = 10
"""The number of thumbnails that one message brings."""

KEPT: Final = 50
"""The number of places that stay, if hidden, for the next search."""

_LONGEST_PROMPT: Final = 70
_GONE, _CURRENT, _PICKED = "flux-gallery-gone", "flux-gallery-current", "flux-gallery-picked"


@dataclass(slots=True, eq=False)
class Slot:
    """A place in the grid.

    Attributes:
        button: its widget.
        image: the image in it; None for a place that is not seen.
        is_starred: whether the image has a star.
        classes: the marks that the button has.
    """

    button: Any
    image: Generation | None = None
    is_starred: bool = False
    classes: set[str] = field(default_factory=set)

    def show(self, image: Generation | None, *, is_starred: bool = False) -> None:
        """Show an image, with a star if it has one; None hides the place."""
        self.image, self.is_starred = image, is_starred
        if image is not None:
            words, whole = _describe(image, is_starred=is_starred)
            with self.button.hold_sync():
                self.button.description, self.button.tooltip = words, whole
        self.mark(_GONE, on=image is None)

    def mark(self, name: str, *, on: bool) -> None:
        """Put a class on the button, or take it off."""
        if on != (name in self.classes):
            (self.classes.add if on else self.classes.discard)(name)
            (self.button.add_class if on else self.button.remove_class)(name)


class Grid:
    """Thumbnails in rows. A place keeps its button whatever image it shows, so that a page keeps its focus.

    Args:
        name: a word of letters and digits that no other gallery on the page has.
        opened: called with the slot whose button was pressed.

    Attributes:
        slots: the places, in order; those of deleted images are among them, without an image.
        widget: the grid.
        sheets: the hidden style sheets with the thumbnails.
    """

    def __init__(self, name: str, opened: Callable[[Slot], None]) -> None:
        self._name, self._opened = name, opened
        self.slots: list[Slot] = []
        self.widget = Box().add_class("flux-gallery-grid")
        self.sheets = Box(layout=Layout(display="none"))
        # Two widgets on no page lend their layouts and styles: so a thumbnail is one widget, and not three.
        self._button, self._sheet = Button(), HTML()
        self._drawn: dict[int, list[Any]] = {}

    @property
    def images(self) -> list[Generation]:
        """The images that are seen, in order."""
        return [slot.image for slot in self.slots if slot.image is not None]

    def show(self, images: Sequence[Generation], starred: Sequence[bool], start: int = 0) -> None:
        """Show these images from a place on, in place of those that were there and behind it."""
        end = start + len(images)
        dropped = [slot.button for slot in self.slots[max(end, KEPT) :]]
        del self.slots[max(end, KEPT) :]
        for slot in self.slots[end:]:
            slot.show(None)
        for place, (image, has_star) in enumerate(zip(images, starred, strict=True), start):
            if place < len(self.slots):
                self.slots[place].show(image, is_starred=has_star)
            else:
                self.slots.append(self._make_slot(place, image, is_starred=has_star))
        self.widget.children = tuple(slot.button for slot in self.slots)
        for button in dropped:
            button.close()

    def draw(self, number: int, read: Callable[[Generation], bytes]) -> None:
        """Show the thumbnails of one batch, unless they are shown; `read` returns them, and may raise FluxError."""
        self._drop_sheets(-(-len(self.slots) // BATCH))
        begin, sheets = number * BATCH, list(self.sheets.children)
        images = [slot.image for slot in self.slots[begin : begin + BATCH]]
        shown = [one and (one.path, one.digest) for one in images]
        if not images or self._drawn.get(number) == shown:
            return
        rules = [self._write_rule(place, one, read) for place, one in enumerate(images, begin) if one is not None]
        css = f"<style>{''.join(rules)}</style>"
        while len(sheets) <= number:
            sheets.append(HTML(css, layout=self._sheet.layout, style=self._sheet.style))
        sheets[number].value, self._drawn[number] = css, shown
        self.sheets.children = tuple(sheets)

    def _drop_sheets(self, needed: int) -> None:
        gone = self.sheets.children[needed:]
        if gone:
            self.sheets.children = self.sheets.children[:needed]
            self._drawn = {number: shown for number, shown in self._drawn.items() if number < needed}
            for sheet in gone:
                sheet.close()

    def find(self, image: Generation) -> Slot | None:
        """Return the place that an image has."""
        return next((slot for slot in self.slots if slot.image is image), None)

    def find_neighbour(self, slot: Slot) -> Slot | None:
        """Return the place to go on with when this one's image is gone: the next, or else the one before."""
        at = self.slots.index(slot) if slot in self.slots else 0
        others = [*self.slots[at + 1 :], *reversed(self.slots[:at])]
        return next((one for one in others if one.image is not None), None)

    def mark(self, current: Slot | None, picked: Generation | None) -> None:
        """Mark the image that is open, and the one to compare with."""
        for slot in self.slots:
            slot.mark(_CURRENT, on=slot is current)
            slot.mark(_PICKED, on=picked is not None and slot.image is picked)

    def close(self) -> None:
        """Close what is on no page; who closes the gallery closes the rest."""
        close_widgets([self._button, self._sheet])

    def _make_slot(self, place: int, image: Generation, *, is_starred: bool) -> Slot:
        words, whole = _describe(image, is_starred=is_starred)
        button = Button(
            description=words,
            tooltip=whole,
            layout=self._button.layout,
            style=self._button.style,
            _dom_classes=(
                "flux-gallery-item",
                f"flux-gallery-{self._name}-{place}",
            ),  # in the one message that makes it
        )
        slot = Slot(button, image, is_starred)
        button.on_click(lambda _: self._opened(slot))
        return slot

    def _write_rule(self, place: int, image: Generation, read: Callable[[Generation], bytes]) -> str:
        before = f".flux-gallery .flux-gallery-item.flux-gallery-{self._name}-{place}::before"
        try:
            small = base64.b64encode(read(image)).decode()
        except FluxError:
            is_there = image.path is not None and image.path.exists()
            return f'{before}{{content:"the file is {"damaged" if is_there else "gone"}"}}'
        return f"{before}{{background-image:url(data:image/jpeg;base64,{small})}}"


def _describe(image: Generation, *, is_starred: bool) -> tuple[str, str]:
    """Return an image in a few words, behind a star if it has one, and in all."""
    prompt = " ".join(replace_controls(image.prompt).split())
    short = prompt if len(prompt) <= _LONGEST_PROMPT else f"{prompt[: _LONGEST_PROMPT - 1]}…"
    seed = f"seed {'unknown' if image.seed is None else image.seed}"
    return f"{'★ ' if is_starred else ''}{short}\n{seed}", f"{prompt}, {seed}, {image.width}×{image.height}"

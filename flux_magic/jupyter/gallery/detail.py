"""The image that is open in a gallery: large, with its facts, its star, its tags, and what can be done with it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ipywidgets import HTML, Box, Button, Combobox, HBox, Layout, Textarea, VBox

from ...errors import FluxError
from ...images import codecs
from ...results.differences import describe_record
from ...results.generation import Generation
from ...results.table import Table, as_html, escape, escape_html, pre

LONGEST: Final = 768
"""Pixels of the longer side of the large image."""

PROMPT: Final = "margin:0;padding:0;font:inherit;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
"""The CSS of a prompt."""


class Marked(Protocol):
    """An image's star and tags."""

    @property
    def starred(self) -> bool:
        """True for a star."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags."""


class Detail:
    """The image that is open, with its buttons; hidden until there is one.

    Args:
        tag: called with all tags that the image is to have.

    Attributes:
        star, compare, delete, put, panel, use: the buttons.
        close: the button that closes it.
        tags: the field that takes a new tag.
        cell: the cell that cannot be put into the notebook, to be copied.
        widget: all of it.
    """

    def __init__(self, tag: Callable[[Sequence[str]], None]) -> None:
        self._tag = tag
        self._tags: tuple[str, ...] = ()
        self._image, self._facts = HTML().add_class("flux-gallery-image"), HTML().add_class("flux-gallery-facts")
        self.star = Button(icon="star").add_class("flux-gallery-star")
        self.compare = Button(description="Compare", icon="columns", tooltip="Show it beside another image")
        self.delete = Button(
            description="Delete", icon="trash", tooltip="Delete it from the store; Undo brings it back"
        )
        self.put = Button(description="Use as cell", icon="plus", tooltip="The cell that makes it again")
        self.panel = Button(description="Open in panel", icon="sliders", tooltip="A panel below, with what made it")
        self.use = Button(description="Use as input", icon="pencil", tooltip="Let it go into another image")
        self.tags = Combobox(
            placeholder="Add tags: fox, winter",
            continuous_update=False,
            ensure_option=False,
            description="Tags",
        ).add_class("flux-gallery-tags")
        self.tags.observe(lambda change: self._on_typed(change["new"]), "value")
        self._chips = Box().add_class("flux-gallery-chips")
        self._lender = Button()
        self.cell = Textarea(description="Cell", rows=3, layout=Layout(display="none", width="auto"))
        self.cell.add_class("flux-gallery-cell")
        self.compare.add_class("flux-gallery-compare")
        marks, does = HBox([self.star, self.compare, self.delete]), HBox([self.put, self.panel, self.use])
        parts = [self._image, marks, does, self.cell, self._chips, self.tags, self._facts]
        for row in (marks, does, self._chips):
            row.add_class("flux-gallery-row")
        self.widget = VBox(parts, layout=Layout(display="none")).add_class("flux-gallery-detail")

    def show(self, image: Generation | None, marks: Marked | None = None) -> None:
        """Show the facts of an image, and nothing for None; `draw` shows the image itself."""
        self.widget.layout.display = "none" if image is None else None
        self.hide_cell()
        if image is None:
            self._image.value = self._facts.value = ""
            return
        self._image.value = f'<span class="flux-gallery-wait">{escape_html(image.prompt)}</span>'
        facts = describe_record(image)
        self._facts.value = pre(facts.pop("prompt"), PROMPT) + as_html(Table((), tuple(facts.items())))
        if marks is not None:
            self.show_marks(marks)

    def draw(self, image: Generation) -> None:
        """Show the image itself, or why it cannot be shown; it may take some 50 ms."""
        self._image.value = render_image(image, LONGEST)

    def show_marks(self, marks: Marked) -> None:
        """Show a star and tags."""
        self.star.description = "Starred" if marks.starred else "Star"
        self.star.tooltip = "Take the star off" if marks.starred else "Give it a star"
        (self.star.add_class if marks.starred else self.star.remove_class)("flux-gallery-on")
        if marks.tags == self._tags:
            return
        self._tags, gone = marks.tags, self._chips.children
        self._chips.children = tuple(map(self._make_chip, marks.tags))
        for chip in gone:
            chip.close()

    def show_cell(self, cell: str) -> None:
        """Show a cell to be copied."""
        self.cell.value, self.cell.layout.display = cell, None

    def hide_cell(self) -> None:
        """Hide the cell to be copied."""
        self.cell.layout.display = "none"

    def close(self) -> None:
        """Close what is on no page; who closes the gallery closes the rest."""
        for part in (self._lender.style, self._lender.layout, self._lender):
            part.close()

    def _make_chip(self, tag: str) -> Button:
        chip = Button(
            description=tag,
            icon="times",
            tooltip=f"Remove the tag {tag}",
            layout=self._lender.layout,
            style=self._lender.style,
        )
        chip.on_click(lambda _: self._tag([one for one in self._tags if one != tag]))
        return chip.add_class("flux-gallery-chip")

    def _on_typed(self, typed: str) -> None:
        if added := typed.replace(",", " ").split():
            self.tags.value = ""
            self._tag([*self._tags, *added])


def render_image(image: Generation, longest: int) -> str:
    """Return an image as HTML, at most so many pixels wide and high; one whose file is gone as the reason."""
    try:
        data = base64.b64encode(codecs.make_thumbnail(image.data, longest)).decode()
    except FluxError as error:
        return f"<p>{escape_html(error.message)}</p>"
    return f'<img src="data:image/jpeg;base64,{data}" alt="{escape(image.alt)}">'

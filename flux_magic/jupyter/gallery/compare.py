"""Two images of a gallery side by side, with what differs between their records."""

from __future__ import annotations

from typing import Final

from ipywidgets import HTML, Button, Layout, VBox

from ...results.differences import describe_record, list_differing
from ...results.generation import Generation
from ...results.table import Markup, Table, as_html, escape_html, pre
from .detail import PROMPT, render_image

_LONGEST: Final = 768


class Comparison:
    """The place of two images; hidden until there are two.

    Attributes:
        picked: the image that the next one is compared with, or None.
        shut: the button that hides the two.
        widget: all of it.
    """

    def __init__(self) -> None:
        self.picked: Generation | None = None
        self._pair = HTML()
        self.shut = Button(description="Close comparison", icon="times")
        self.widget = VBox([self.shut, self._pair], layout=Layout(display="none")).add_class("flux-gallery-compared")

    @property
    def html(self) -> str:
        """The two images and the table; empty without them."""
        return str(self._pair.value)

    def take(self, image: Generation) -> Generation | None:
        """Show the image that was picked and this one, and return the first; None if there is nothing to compare."""
        first = self.picked
        if first is None or first is image:
            return None
        self.picked = None
        self._pair.value = render_pair(first, image)
        self.widget.layout.display = None
        return first

    def hide(self) -> None:
        """Hide the two."""
        self._pair.value, self.widget.layout.display = "", "none"


def render_pair(first: Generation, second: Generation) -> str:
    """Return two images side by side as HTML, above a table of what differs; it may take 100 ms."""
    figures = "".join(
        f"<figure>{render_image(image, _LONGEST)}<figcaption>{name}</figcaption></figure>"
        for name, image in (("A", first), ("B", second))
    )
    return f'<div class="flux-gallery-pair">{figures}</div>{_render_differences(first, second)}'


def _render_differences(first: Generation, second: Generation) -> str:
    differing = list_differing(first, second)
    if not differing:
        return "<p>Their records are the same.</p>"
    rows = tuple(
        (name, *(Markup(pre(value, PROMPT), value) if name == "prompt" else value for value in values))
        for name, values in differing.items()
    )
    same = [name for name in describe_record(first) if name not in differing]
    also = f"<p>The same in both: {escape_html(', '.join(same))}</p>" if same else ""
    return as_html(Table(("", "A", "B"), rows), name="flux-gallery-differences") + also

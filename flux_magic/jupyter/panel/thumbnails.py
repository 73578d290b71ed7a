"""The strip of a panel's recent results: a thumbnail each, and a button that brings the result back."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from ipywidgets import HTML, Box, Button, Layout, VBox

from ...errors import FluxError, replace_controls
from ...images import codecs
from ...results.generation import Generation
from ...results.table import escape
from .labels import Result, format_labels

MOST = 50
"""The number of results that a strip holds; the oldest are removed."""

LONGEST = 96
"""Pixels of a thumbnail's longer side."""

_AT_A_TIME = 5
_SHOWN = "flux-magic-shown"
Item = tuple[Result, VBox]
"""A result, and the widget that shows it in the strip."""


class Strip:
    """The recent results, the newest first, in a grid that scrolls; a label says in what each differs from the others.

    Args:
        chosen: called with the result whose button was pressed.
        used: called with the image whose "Use as input" was pressed; the button is seen if the model takes images.
    """

    def __init__(self, chosen: Callable[[Result], None], used: Callable[[Generation], None]) -> None:
        self._chosen, self._used = chosen, used
        self._items: list[Item] = []
        self._shown: Result | None = None
        self._closed = False
        self._lock = threading.Lock()
        # Two hidden widgets share their layouts and styles with all: so a result is four widgets, and not eleven.
        self._image, self._button = HTML(), Button()
        self.widget = Box(layout=Layout(display="none")).add_class("flux-magic-strip")

    def __len__(self) -> int:
        """Return the number of results that are shown: of those on their way, none."""
        return len(self.widget.children)

    def add(self, result: Result) -> None:
        """Add a result at the front."""
        with self._lock:
            if not self._closed:
                self._hold([(result, self._make_item(result)), *self._items])

    def fill(self, generations: Sequence[Generation]) -> None:
        """Add earlier results at the end, the most recent first, a few at a time, as each has to be decoded."""
        newest_first = list(reversed(generations))[:MOST]
        for start in range(0, len(newest_first), _AT_A_TIME):
            with self._lock:
                if self._closed:
                    return
                for one in newest_first[start : start + _AT_A_TIME]:
                    with suppress(FluxError):  # its file is no longer in the store
                        self._hold([*self._items, (one, self._make_item(one))])

    def _hold(self, items: list[Item]) -> None:
        """Show these results, as many as there is room for."""
        self._items, gone = items[:MOST], items[MOST:]
        for (_, item), label in zip(self._items, format_labels([one for one, _ in self._items]), strict=True):
            item.children[1].description = label
        self.widget.layout.display = None
        self.widget.children = tuple(item for _, item in self._items)
        for _, item in gone:
            for widget in (*item.children, item):
                widget.close()

    def mark(self, shown: Result | None) -> None:
        """Mark the result that is on view."""
        with self._lock:
            self._shown = shown
            for result, item in self._items:
                (item.add_class if result is shown else item.remove_class)(_SHOWN)

    def close(self) -> None:
        """Close what is on no page; the panel closes the rest, which is in it."""
        with self._lock:
            self._closed = True
        for lender in (self._image, self._button):
            for widget in (lender.style, lender.layout, lender):
                widget.close()

    def _make_item(self, result: Result) -> VBox:
        first = result if isinstance(result, Generation) else result[0]
        said = escape(first.prompt)
        small = base64.b64encode(_make_small(result)).decode()
        image = HTML(
            f'<img src="data:image/jpeg;base64,{small}" alt="{said}">',
            layout=self._image.layout,
            style=self._image.style,
        )
        button = Button(
            tooltip=replace_controls(first.prompt),
            layout=self._button.layout,
            style=self._button.style,
        )
        button.on_click(lambda _: self._chosen(result))
        parts = [image, button]
        if isinstance(result, Generation):
            parts.append(self._make_use(result))
        item = VBox(parts, layout=self._image.layout).add_class("flux-magic-item")
        return item.add_class(_SHOWN) if result is self._shown else item

    def _make_use(self, result: Generation) -> Button:
        use = Button(
            description="Use as input",
            tooltip=f"Let the image of seed {result.seed} go in",
            layout=self._button.layout,
            style=self._button.style,
        )
        use.on_click(lambda _: self._used(result))
        return use.add_class("flux-magic-use")


def _make_small(result: Result) -> bytes:
    """Return the result's thumbnail, as a JPEG."""
    if isinstance(result, Generation):
        return codecs.make_thumbnail(result.data, LONGEST)
    out, sheet = io.BytesIO(), result.grid()
    sheet.thumbnail((LONGEST, LONGEST))
    sheet.save(out, "JPEG", quality=90)
    return out.getvalue()

"""The widget of `%flux_pick`: small images with a checkbox each, and a button that keeps those that are ticked."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from typing import Final

from IPython.display import display
from ipywidgets import HTML, Box, Button, Checkbox, HBox, Layout, Text, VBox

from ..errors import FluxError, InvalidRequest, format_count
from ..images import codecs
from ..parameters.grammar import read_name
from ..results.generation import Generation
from ..results.generations import Generations
from ..results.table import escape
from .cell import check_name
from .picking import check_other_name, write_line

MOST: Final = 200
"""The most images that are shown to choose from."""

_LONGEST: Final = 192
"""Pixels of a small image's longer side."""

_STYLE: Final = """<style>
.flux-pick { max-width: 64rem; gap: 6px; overflow: visible; }
.flux-pick-grid {
    display: grid; grid-template-columns: repeat(auto-fill, minmax(min(10rem, 100%), 1fr)); gap: 8px;
    max-height: 32rem; overflow-y: auto; padding: 3px;
}
.flux-pick-item {
    position: relative; padding: 6px; border-radius: 4px; overflow: visible; min-width: 0;
    border: 1px solid var(--jp-border-color2, rgba(128, 128, 128, .4));
}
.flux-pick-item .widget-html, .flux-pick-item .widget-html-content { margin: 0; line-height: 0; height: auto; }
.flux-pick-item .widget-html-content { text-align: center; }
.flux-pick-item img { max-width: 100%; max-height: 10rem; }
.flux-pick-item .widget-checkbox { position: static; width: auto; height: auto; margin: 4px 0 0; }
.flux-pick-item label {
    display: flex; gap: 6px; white-space: normal; overflow-wrap: break-word; height: auto;
    line-height: 1.35; text-align: left; color: var(--jp-ui-font-color1, inherit); cursor: pointer;
}
.flux-pick-item label input { align-self: flex-start; flex: none; margin-top: 3px; }
.flux-pick-item label::after { content: ""; position: absolute; inset: 0; }
.flux-pick-item:has(input:checked) {
    border-color: var(--jp-brand-color1, #1976d2); background: var(--jp-layout-color2, transparent);
    outline: 2px solid var(--jp-brand-color1, #1976d2);
}
.flux-pick-item:has(input:focus-visible) { outline: 2px dashed var(--jp-brand-color1, #1976d2); outline-offset: 2px; }
.flux-pick-row { flex-flow: row wrap; gap: 4px 10px; align-items: center; overflow: visible; }
.flux-pick-row button { width: auto; }
.flux-pick .widget-label, .flux-pick-status { color: var(--jp-ui-font-color1, inherit); }
</style>"""


class Picker(VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A choice by click: what is ticked when *Keep* is pressed gets a name in the notebook.

    Args:
        offered: the images to choose from.
        words: their name in the notebook.
        name: the name that the choice gets, unless the user types another.
        on_kept: called with the name and the images that are kept.

    Attributes:
        kept: the images that were kept last, or None.
        line: the line that makes the same choice again without a click; empty until one was made.

    Raises InvalidRequest for more images than can be shown.
    """

    def __init__(
        self, offered: Generations, words: str, name: str, on_kept: Callable[[str, Generations], object]
    ) -> None:
        if len(offered) > MOST:
            raise InvalidRequest(
                f"{words} has {len(offered)} images, more than {MOST}: choose from a part, {words}[:50]"
            )
        self.kept: Generations | None = None
        self.line = ""
        self._offered, self._words, self._on_kept = offered, words, on_kept
        self._slot = uuid.uuid4().hex
        labels = offered.describe()
        self.boxes = [
            Checkbox(description=f"{offered.number(position)}: {label}", indent=False)
            for position, label in enumerate(labels)
        ]
        items = [
            VBox([HTML(_embed(item)), box]).add_class("flux-pick-item")
            for item, box in zip(offered, self.boxes, strict=True)
        ]
        self.name = Text(value=name, description="Name", continuous_update=True, layout=Layout(width="16rem"))
        self.keep = Button(description="Keep", button_style="primary", disabled=True)
        self.every, self.none = Button(description="All"), Button(description="None")
        self.status = HTML().add_class("flux-pick-status")
        self.keep.on_click(lambda _: self._keep())
        self.every.on_click(lambda _: self._tick(value=True))
        self.none.on_click(lambda _: self._tick(value=False))
        for box in self.boxes:
            box.observe(lambda _: self._count(), "value")
        row = HBox([self.keep, self.name, self.every, self.none]).add_class("flux-pick-row")
        super().__init__([HTML(_STYLE), Box(items).add_class("flux-pick-grid"), row, self.status])
        self.add_class("flux-pick")
        self._count()

    def _count(self) -> None:
        chosen = sum(box.value for box in self.boxes)
        self.keep.disabled = not chosen
        self._say(f"{chosen} of {len(self.boxes)} chosen" if chosen else "Tick the images to keep, then press Keep")

    def _tick(self, *, value: bool) -> None:
        for box in self.boxes:
            box.value = value

    def _keep(self) -> None:
        chosen, name = [at for at, box in enumerate(self.boxes) if box.value], self.name.value.strip()
        try:
            read_name("Name", name)
            check_name(name, "Name")
            check_other_name(name, self._words)
        except InvalidRequest as error:
            self._say(error.message)
            return
        self.kept = self._offered[chosen]
        self.line = write_line(self._words, self._offered, chosen, name)
        self._on_kept(name, self.kept)
        number = format_count(len(chosen), "image")
        self._say(f"{name} has {number}; the line below keeps the same ones again, without a click")
        self._put(self.line)

    def _say(self, text: str) -> None:
        self.status.value = f'<span role="status">{escape(text)}</span>'

    def _ipython_display_(self, **_options: object) -> None:
        """Show the widget, and below it an output for the line, which the saved notebook keeps."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        display({"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": view}, raw=True)
        display({}, raw=True, display_id=self._slot)

    def __repr__(self) -> str:
        return f"Picker({len(self.boxes)} images of {self._words})"

    def _put(self, line: str) -> None:
        data = {"text/plain": line, "text/html": f"<pre>{escape(line)}</pre>"}
        display(data, raw=True, display_id=self._slot, update=True)


def _embed(item: Generation) -> str:
    """Return a small image as HTML; one whose file is gone as the reason."""
    try:
        small = base64.b64encode(codecs.make_thumbnail(item.data, _LONGEST)).decode()
    except FluxError as error:
        return f"<span>{escape(error.message)}</span>"
    alt = getattr(item, "alt", None) or item.prompt
    return f'<img src="data:image/jpeg;base64,{small}" alt="{escape(alt)}">'

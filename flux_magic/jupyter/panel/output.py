"""The place where a panel's result is on view: two outputs below the panel, or a widget of the panel.

The outputs are ordinary ones: an image and its parameters, or a sheet and its table. So a saved notebook shows them
without a kernel. They are updated in place, by their display ids. JupyterLab forgets the ids when its page is reloaded:
then the panel's script writes into the notebook what they show (`extras.js`). The widget takes the outputs' place under
Voilà, within another widget, and on a reloaded page without that script.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from IPython.core.interactiveshell import InteractiveShell
from ipywidgets import HTML, Layout

from ...results.output import Output, render_shown_size
from ...results.table import escape

NOTHING: Final = Output({}, {})
"""An output that shows nothing."""

_LATE = """<p>You reloaded the page, so the image below no longer updates.
Run the panel's cell again to show its result there, and in the saved notebook.</p>"""


class Shown(Protocol):
    """A result that can be on view: a Generation, the Generations of a sheet, or an incomplete sheet."""

    def build_outputs(self) -> Sequence[Output]:
        """Return one or more images, then their parameters."""


class View:
    """One result on view, or none.

    Attributes:
        on_filled: called when the outputs below have changed, on the thread that changed them. Must not raise.
    """

    def __init__(self) -> None:
        self.on_filled: Callable[[], None] = lambda: None
        self._ids = (uuid.uuid4().hex, uuid.uuid4().hex)
        self._shown: Shown | None = None
        self._outputs = (NOTHING, NOTHING)
        self._lock = threading.RLock()
        self._below, self._inside, self._late = False, True, False
        self._publisher: Any = None
        self.widget = HTML(layout=Layout(display="none")).add_class("flux-magic-result")

    def open_below(self) -> None:
        """Put the two outputs below what the cell has shown so far, and update them from now on."""
        if os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
            return  # its page does not update an output
        # Keep this one: `%%capture` puts another in its place for a while, and would capture the panel's outputs.
        self._publisher = InteractiveShell.instance().display_pub
        self._fill(update=False)
        self._below, self._inside, self._late = True, False, False
        self._fill_widget()

    def open_inside(self, *, late: bool = False) -> None:
        """Show the result in the widget from now on, beside the outputs if there are some.

        `late` says that this is due to a page that was opened after the panel.
        """
        self._inside, self._late = True, late
        self._fill_widget()

    def close_inside(self) -> None:
        """Show the result in the outputs alone: a page that was opened late has found them in its notebook."""
        if self._below:
            self._inside = self._late = False
            self._fill_widget()

    @property
    def texts(self) -> list[str]:
        """The plain text of each output below, by which a page finds those that are not up to date; empty for none."""
        return [output.data.get("text/plain", "") for output in self._outputs] if self._below else []

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The outputs below, as a notebook has them."""
        return [
            {"output_type": "display_data", "data": dict(output.data), "metadata": dict(output.metadata)}
            for output in self._outputs
        ]

    @property
    def shown(self) -> Shown | None:
        """The result on view."""
        return self._shown

    def show(self, shown: Shown | None) -> None:
        """Show this result in place of the last one."""
        outputs = _split_outputs(shown)
        with self._lock:  # a job and a press may come at the same time
            self._shown, self._outputs = shown, outputs
            self.refresh()
            self._fill_widget()

    def show_again(self, shown: Shown) -> None:
        """Show a result again that has changed, if it is still the one on view."""
        with self._lock:
            if self._shown is shown:
                self.show(shown)

    def refresh(self) -> None:
        """Update the outputs once more, for clients such as nbclient that take updates only from the running cell."""
        if self._below:
            self._fill(update=True)

    def _fill(self, *, update: bool) -> None:
        for output, name in zip(self._outputs, self._ids, strict=True):
            self._publisher.publish(output.data, output.metadata, transient={"display_id": name}, update=update)
        self.on_filled()

    def _fill_widget(self) -> None:
        if self._shown is None or not self._inside:
            self.widget.value, self.widget.layout.display = "", "none"
            return
        image, parameters = self._outputs
        note = _LATE if self._below and self._late else ""
        self.widget.value = note + _render_image(image) + parameters.data.get("text/html", "")
        self.widget.layout.display = None


def _split_outputs(shown: Shown | None) -> tuple[Output, Output]:
    """Return the image and its parameters; of several images the first one."""
    if shown is None:
        return NOTHING, NOTHING
    image, *rest = shown.build_outputs()
    return image, next((one for one in reversed(rest) if "text/html" in one.data), NOTHING)


def _render_image(image: Output) -> str:
    """Return the image as HTML."""
    if "text/html" in image.data:
        return image.data["text/html"]
    media_type = next(kind for kind in image.data if kind.startswith("image/"))
    shown = image.metadata[media_type]
    size = render_shown_size(shown)
    return f'<img src="data:{media_type};base64,{image.data[media_type]}" alt="{escape(shown["alt"])}"{size}>'

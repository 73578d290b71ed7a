"""Where a panel's result is on view: in two outputs below the panel, or in a widget of the panel's.

The outputs are ordinary ones, a picture and its parameters or a sheet and its table, so a saved notebook has them for
who reads it without a kernel. They are updated in place, by their display ids. The widget stands in where that does
not work: under Voilà, within another widget, and on a page that was opened after the panel (JupyterLab forgets the
ids).
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Sequence
from typing import Any, Final, Protocol

from IPython.core.interactiveshell import InteractiveShell
from ipywidgets import HTML, Layout

from ...results.output import Output
from ...results.table import escaped

NOTHING: Final = Output({}, {})
"""An output that shows nothing."""

_LATE = """<p>This page was opened after the panel, so what stands below it does not change any more.
Run the panel's cell again to have its result there, and in the saved notebook.</p>"""


class Shown(Protocol):
    """What can be on view: a Generation, the Generations of a sheet, a sheet that is not whole yet."""

    def outputs(self) -> Sequence[Output]:
        """A picture or more, then what is said of them."""


class View:
    """One result on view, or none."""

    def __init__(self) -> None:
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
        # This one from now on: `%%capture` puts another in its place for a while, and would get what is not its own.
        self._publisher = InteractiveShell.instance().display_pub
        self._fill(update=False)
        self._below, self._inside, self._late = True, False, False
        self._fill_widget()

    def open_inside(self, *, late: bool = False) -> None:
        """Show the result in the widget from now on, beside the outputs if there are some.

        `late` where that is since a page was opened after the panel.
        """
        self._inside, self._late = True, late
        self._fill_widget()

    @property
    def shown(self) -> Shown | None:
        """What is on view."""
        return self._shown

    def show(self, shown: Shown | None) -> None:
        """Show this result, in place of the last."""
        outputs = _outputs_of(shown)
        with self._lock:  # a job and a press may come at the same time
            self._shown, self._outputs = shown, outputs
            self.refresh()
            self._fill_widget()

    def show_again(self, shown: Shown) -> None:
        """Show what has become of this result, where it is still the one on view."""
        with self._lock:
            if self._shown is shown:
                self.show(shown)

    def refresh(self) -> None:
        """Update the outputs once more, for who takes an update from the cell that runs alone (nbclient does)."""
        if self._below:
            self._fill(update=True)

    def _fill(self, *, update: bool) -> None:
        for output, name in zip(self._outputs, self._ids, strict=True):
            self._publisher.publish(output.data, output.metadata, transient={"display_id": name}, update=update)

    def _fill_widget(self) -> None:
        if self._shown is None or not self._inside:
            self.widget.value, self.widget.layout.display = "", "none"
            return
        picture, parameters = self._outputs
        note = _LATE if self._below and self._late else ""
        self.widget.value = note + _image(picture) + parameters.data.get("text/html", "")
        self.widget.layout.display = None


def _outputs_of(shown: Shown | None) -> tuple[Output, Output]:
    """The picture and its parameters. Of several pictures this is the first."""
    if shown is None:
        return NOTHING, NOTHING
    picture, *_, parameters = shown.outputs()
    return picture, parameters


def _image(picture: Output) -> str:
    """The picture as HTML."""
    if "text/html" in picture.data:
        return picture.data["text/html"]
    media_type = next(kind for kind in picture.data if kind.startswith("image/"))
    alt = escaped(picture.metadata[media_type]["alt"])
    return f'<img src="data:{media_type};base64,{picture.data[media_type]}" alt="{alt}">'

"""The uses of a gallery's image: a cell that makes it again, a panel with what made it, an input of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ipywidgets import VBox

from ...records.command import write_cell
from ...records.inputs import LEAST_DIGITS
from ...results.generation import Generation
from .detail import Detail

if TYPE_CHECKING:
    from ..panel import Panel
    from .browser import Extras


class Reuse:
    """The cells and the panel that a gallery makes of its images.

    Args:
        detail: shows a cell that the page cannot put into the notebook.
        say: shows words on the status line.
        look: lets the page scroll to what has this class.

    Attributes:
        extras: what puts a cell into the notebook of a page; None without anywidget.
        panel: the panel that was opened last, or None.
        widget: the place of the panel.
    """

    def __init__(self, detail: Detail, say: Callable[[str], None], look: Callable[[str], None]) -> None:
        self._detail, self._say, self._look = detail, say, look
        self.extras: Extras | None = None
        self.panel: Panel | None = None
        self.widget = VBox().add_class("flux-gallery-below")

    def put(self, cell: str) -> None:
        """Put a cell below the gallery's, where the page can; elsewhere show it, to be copied."""
        if self.extras is None or not self.extras.has_page:
            self.show_cell(cell)
        else:
            self.extras.send({"put": cell})

    def on_put(self, *, before: bool) -> None:
        """Report that a page has put the cell there, or found it there."""
        self._say(f"The cell is below this one{', where it was before' if before else ''}")

    def show_cell(self, cell: str) -> None:
        """Show a cell to be copied."""
        self._detail.show_cell(cell)
        self._say("The cell is below the image: select it with Ctrl+A, and copy it")

    def open_panel(self, image: Generation) -> None:
        """Open a panel with what made an image, in place of the last one."""
        from ..panel import Panel

        before, self.panel = self.panel, Panel(image)
        self.widget.children = (self.panel,)
        if before is not None:
            before.close()
        self._say("The panel is below")
        self._look("flux-gallery-below")

    def use(self, image: Generation) -> None:
        """Let an image go in: into the panel, if one is open, or else into a cell."""
        if self.panel is not None and self.panel.comm is not None:
            self.panel.use(image)
            self._say("It goes into the panel below, if its model takes images")
        else:
            self.put(write_cell("", image=[f"sha256:{image.digest[:LEAST_DIGITS]}"]))

    def close(self) -> None:
        """Close the panel."""
        if self.panel is not None:
            self.panel.close()

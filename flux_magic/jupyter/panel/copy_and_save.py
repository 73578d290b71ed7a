"""Actions on the image or the sheet on view: copy its cell, save it."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import Button, Checkbox, HBox, Layout, Text, Textarea

from ...errors import FluxError
from ...results.generation import Generation
from ...results.generations import Generations
from .fields import LABEL
from .sheets import write_sheet_cell
from .status import StatusLine

FOLDER = "pictures/"
"""The folder into which images are saved by default."""


class Keeper:
    """The buttons for these actions, which report their results on the status line.

    Args:
        status: the status line.
        used: called with the image on view when "Use as input" is pressed.
    """

    def __init__(self, status: StatusLine, used: Callable[[Generation], None]) -> None:
        self._status, self._used = status, used
        self._shown: Generation | Generations | None = None
        self.copy = Button(
            description="Copy as cell",
            icon="copy",
            tooltip="The %%flux cell that makes this again",
            disabled=True,
        ).add_class("flux-magic-copy")
        self.path = Text(description="Save to", value=FOLDER, style=LABEL, layout=Layout(width="18em"))
        self.save = Button(description="Save", icon="download", tooltip="Write a file for each image", disabled=True)
        self.replace = Checkbox(description="replace", indent=False, layout=Layout(width="auto"))
        self.replace.tooltip = "Let Save replace another image of the same name"
        self.use = Button(description="Use as input", icon="pencil", tooltip="Let the image on view go in")
        self.use.add_class("flux-magic-use")
        self.cell = Textarea(description="Cell", rows=3, style=LABEL, layout=Layout(display="none", width="auto"))
        self.cell.add_class("flux-magic-cell")
        self.copy.on_click(lambda _: self._show_cell())
        self.save.on_click(lambda _: self._save())
        self.use.on_click(lambda _: self._use())
        self.widget = HBox([self.use, self.copy, self.path, self.save, self.replace]).add_class("flux-magic-row")

    def show(self, shown: Generation | Generations | None) -> None:
        """Set the image, or the sheet, that is copied and saved."""
        self._shown = shown
        self.cell.value = shown.command() if isinstance(shown, Generation) else write_sheet_cell(shown) if shown else ""
        self.copy.disabled, self.save.disabled = not self.cell.value, not shown
        self.use.disabled = not isinstance(shown, Generation)

    def on_copied(self) -> None:
        """Report that the cell is on the clipboard."""
        self._status.say("the cell is on the clipboard: paste it into the notebook")

    def _show_cell(self) -> None:
        self.cell.layout.display = None
        self._status.say("the cell is below: select it with Ctrl+A, and copy it")

    def _use(self) -> None:
        if isinstance(self._shown, Generation):
            self._used(self._shown)

    def _save(self) -> None:
        if (shown := self._shown) is None:
            return
        path = self.path.value.strip() or FOLDER
        try:
            saved = shown.save(path, overwrite=self.replace.value)
        except FluxError as error:
            self._status.fail(error)
        else:
            several = isinstance(shown, Generations)
            named = f"{len(saved)} images in {path}" if several else ", ".join(str(one) for one in saved)
            self._status.say(f"saved {named}")

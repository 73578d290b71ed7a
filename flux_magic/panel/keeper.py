"""What can be done with the image on view: copy its cell, save it."""

from __future__ import annotations

from ipywidgets import Button, HBox, Layout, Text, Textarea

from ..errors import FluxError
from ..generation import Generation
from .controls import LABEL
from .status import StatusLine

FOLDER = "pictures/"
"""Where images are saved to, if nothing else is said."""


class Keeper:
    """Buttons for it, which tell what came of them on the status line."""

    def __init__(self, status: StatusLine) -> None:
        self._status = status
        self._shown: Generation | None = None
        self.copy = Button(
            description="Copy as cell",
            icon="copy",
            tooltip="The %%flux cell that makes this image again",
            disabled=True,
        ).add_class("flux-magic-copy")
        self.path = Text(description="Save to", value=FOLDER, style=LABEL, layout=Layout(width="18em"))
        self.save = Button(description="Save", icon="download", tooltip="Write a file", disabled=True)
        self.cell = Textarea(description="Cell", rows=3, style=LABEL, layout=Layout(display="none", width="auto"))
        self.cell.add_class("flux-magic-cell")
        self.copy.on_click(lambda _: self._show_cell())
        self.save.on_click(lambda _: self._save())
        self.widget = HBox([self.copy, self.path, self.save]).add_class("flux-magic-row")

    def show(self, generation: Generation | None) -> None:
        """Let this image be the one that is copied and saved."""
        self._shown = generation
        self.copy.disabled = self.save.disabled = generation is None
        self.cell.value = "" if generation is None else generation.command()

    def copied(self) -> None:
        """The cell is on the clipboard."""
        self._status.say("the cell is on the clipboard: paste it into the notebook")

    def _show_cell(self) -> None:
        self.cell.layout.display = None
        self._status.say("the cell is below: select it with Ctrl+A, and copy it")

    def _save(self) -> None:
        if self._shown is None:
            return
        try:
            saved = self._shown.save(self.path.value.strip() or FOLDER)
        except FluxError as error:
            self._status.fail(error)
        else:
            self._status.say(f"saved {', '.join(str(path) for path in saved)}")

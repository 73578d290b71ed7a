"""Additions to a panel in the browser that stock widgets lack: a shortcut, the clipboard, names for a screen reader.

They need anywidget, which brings its own JavaScript and so needs no network. A panel without it lacks only these.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anywidget
from traitlets import List, Unicode

from ...images.inputs import MOST
from .output import View

ANSWER: Final = 5.0
"""Seconds that a page has to send what was typed before a press."""


class Extras(anywidget.AnyWidget):
    """An invisible widget that works on the panel around it.

    Args:
        pressed: called when the shortcut is pressed, which means Generate.
        compared: called when it is pressed in the fields of a comparison, where it means Compare.
        copied: called when `cell` was put on the clipboard.
        given: called with the bytes of an image that was dropped or pasted.
        view: the place of the result: it is told if a view of the panel is within another widget, and if a page that
            was opened late has the outputs below.
        panel: the id of the panel's model.

    Attributes:
        cell: the text that the button "Copy as cell" copies.
        panel: the id, by which a page finds the outputs below it in its notebook.
        below: the plain text of each of them: a page whose outputs have another one asks for them.
    """

    # The code and not its path: anywidget watches a path, and so keeps every instance alive for good.
    _esm = Path(__file__).with_name("extras.js").read_text(encoding="utf-8")
    cell = Unicode().tag(sync=True)
    panel = Unicode().tag(sync=True)
    below = List(Unicode()).tag(sync=True)

    def __init__(
        self,
        pressed: Callable[[], None],
        compared: Callable[[], None],
        copied: Callable[[], None],
        given: Callable[[bytes], None],
        view: View,
        panel: str,
    ) -> None:
        super().__init__(panel=panel, below=view.texts)
        view.on_filled = lambda: self.set_trait("below", view.texts)
        self._has_page, self._settled = threading.Event(), threading.Event()
        does = {"pressed": pressed, "compared": compared, "copied": copied, "nested": view.open_inside}
        does |= {"below": view.close_inside, "outputs": lambda: self.send({"outputs": view.outputs})}
        does |= {"there": self._has_page.set, "settled": self._settled.set}
        self._given, self._pieces = given, bytearray()
        self.on_msg(lambda _, message, pieces: self._take(*pieces, **message) if pieces else does[message]())

    def _take(self, piece: memoryview, *, left: int) -> None:
        """Take a piece of an image, of which so many more follow: a page sends no large message whole."""
        self._pieces += piece
        if left == 0 or len(self._pieces) > MOST:
            data, self._pieces = bytes(self._pieces), bytearray()
            self._given(data)

    def settle(self) -> None:
        """Wait until the page has sent all that was typed before a press; not for the thread that handles messages.

        Returns at once if no page has loaded this, and after 5 s if the page does not answer.
        """
        if self._has_page.is_set():
            self._settled.clear()
            self.send("settle")
            self._settled.wait(ANSWER)

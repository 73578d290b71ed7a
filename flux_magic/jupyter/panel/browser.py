"""What stock widgets cannot do, added to a panel in the browser: a shortcut, the clipboard, names for a screen reader.

Needs anywidget, which brings its own JavaScript along and so needs no network. A panel without it works the same,
but for these.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anywidget
from traitlets import Unicode

ANSWER: Final = 5.0
"""Seconds that a page has to send what was typed before a press."""


class Extras(anywidget.AnyWidget):
    """Invisible; works on the panel that it is in.

    Args:
        pressed: called when the shortcut was pressed, which means Generate.
        compared: called when it was pressed in the fields of a comparison, where it means Compare.
        copied: called when `cell` was put on the clipboard.
        nested: called when a view of the panel stands within another widget.

    Attributes:
        cell: the text that the button "Copy as cell" copies.
    """

    # The text and not the path: of a path anywidget keeps a watch, and with it every instance, for good.
    _esm = Path(__file__).with_name("extras.js").read_text(encoding="utf-8")
    cell = Unicode().tag(sync=True)

    def __init__(
        self,
        pressed: Callable[[], None],
        compared: Callable[[], None],
        copied: Callable[[], None],
        nested: Callable[[], None],
    ) -> None:
        super().__init__()
        self._has_page, self._settled = threading.Event(), threading.Event()
        does = {"pressed": pressed, "compared": compared, "copied": copied, "nested": nested}
        does |= {"there": self._has_page.set, "settled": self._settled.set}
        self.on_msg(lambda _, message, __: does[message]())

    def settle(self) -> None:
        """Wait until the page has sent all that was typed before a press; not on the thread that its messages are for.

        Returns at once if no page has loaded this, and after 5 s if the page does not answer.
        """
        if self._has_page.is_set():
            self._settled.clear()
            self.send("settle")
            self._settled.wait(ANSWER)

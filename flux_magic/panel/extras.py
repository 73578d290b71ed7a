"""What stock widgets cannot do, added to a panel in the browser: a shortcut, the clipboard, names for a screen reader.

Needs anywidget, which brings its own JavaScript along and so needs no network. A panel without it works the same,
but for these.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anywidget
from traitlets import Unicode


class Extras(anywidget.AnyWidget):
    """Invisible; works on the panel that it is in.

    Args:
        pressed: called when the shortcut for Generate was pressed.
        copied: called when `cell` was put on the clipboard.

    Attributes:
        cell: the text that the button "Copy as cell" copies.
    """

    _esm = Path(__file__).with_name("extras.js")
    cell = Unicode().tag(sync=True)

    def __init__(self, pressed: Callable[[], None], copied: Callable[[], None]) -> None:
        super().__init__()
        does = {"pressed": pressed, "copied": copied}
        self.on_msg(lambda _, message, __: does[message]())

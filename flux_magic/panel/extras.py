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
        does = {"pressed": pressed, "compared": compared, "copied": copied, "nested": nested}
        self.on_msg(lambda _, message, __: does[message]())

"""Additions to a gallery in the browser that stock widgets lack: keys, loading as one scrolls, the cell below.

They need anywidget, which brings its own JavaScript and so needs no network. A gallery without it lacks only these.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Int, Unicode


class Extras(anywidget.AnyWidget):
    """An invisible widget that works on the gallery around it.

    Args:
        gallery: the id of the gallery's model.
        asked: called with what a page asks for, a dictionary.

    Attributes:
        gallery: the id, by which a page finds the gallery's cell in its notebook.
        total: the number of images that were found, for a screen reader.
        has_page: whether a page has loaded this.
    """

    # The code and not its path: anywidget watches a path, and so keeps every instance alive for good.
    _esm = Path(__file__).with_name("gallery.js").read_text(encoding="utf-8")
    gallery = Unicode().tag(sync=True)
    total = Int().tag(sync=True)

    def __init__(self, gallery: str, asked: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(gallery=gallery)
        self.has_page = False
        self._asked = asked
        self.on_msg(lambda _, message, __: self._take(message))

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("do") == "there":
            self.has_page = True
        else:
            self._asked(message)

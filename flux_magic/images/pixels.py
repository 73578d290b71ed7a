"""A budget for pixels decoded at the same time in this process, and work on an image in bands."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

MOST: Final = 64_000_000
"""An image of more pixels than this is not decoded, and no more than this are decoded at once in the process."""

_BAND: Final = 2**20
"""Pixels of a band: what is made of an image on the way takes the memory of one band."""


class Budget:
    """Pixels that may be decoded now. A thread that has to wait gets its turn."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._mine = threading.local()

    @contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Take as many pixels as these until the block ends; a thread that has some already takes no more."""
        if getattr(self._mine, "taken", False):
            yield
            return
        pixels = min(pixels, self._most)
        with self._turn, self._changed:  # a request for many pixels is not overtaken by requests for few
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        self._mine.taken = True
        try:
            yield
        finally:
            self._mine.taken = False
            with self._changed:
                self._free += pixels
                self._changed.notify_all()

    def reset(self) -> None:
        """Start again in a child process, in which no other thread gives anything back."""
        self.__init__(self._most)  # type: ignore[misc]


budget: Final = Budget(MOST)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=budget.reset)


def split_bands(image: Image) -> Iterator[Image]:
    """Yield the image from its top to its bottom in bands of about a million pixels; a small one as it is."""
    height = max(1, _BAND // max(1, image.width))
    if height >= image.height:
        yield image
        return
    for top in range(0, image.height, height):
        yield image.crop((0, top, image.width, min(top + height, image.height)))

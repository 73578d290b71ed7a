"""The history of `%flux_history` in a notebook: a gallery where widgets are there, and the page of before elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

from ...parameters.settings import Settings
from ...records.query import ALL, Query
from ...results.generation import Generation
from ...results.history import History, read_history
from ...results.library import open_library
from ..next_cell import NextCell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .gallery import Gallery

MARK: Final = {"flux_magic": {"gallery": True}}
"""The metadata of an output with a gallery, by which a page finds it when the kernel has ended."""


class GalleryHistory(History):
    """The newest images, or those found by words, which a notebook shows as a gallery.

    The same output has the page of these images for the saved notebook. Its thumbnails are those of the gallery.

    Args:
        settings: name the store.
        query: the conditions that the gallery begins with.

    Raises as `read_history`.
    """

    def __init__(self, settings: Settings, query: Query) -> None:
        found = read_history(settings, query=query, sized=False)
        super().__init__([*found], found.notes, nothing=found.nothing)
        self._settings, self._query, self._library = settings, query, open_library(settings)

    def _read_image(self, generation: Generation) -> bytes:
        return self._library.thumbnail(generation)

    def _ipython_display_(self) -> None:
        data: dict[str, Any] = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        metadata: dict[str, Any] = {}
        if self or self._query != ALL:
            from .gallery import Gallery

            gallery = Gallery(self._settings, self._query)
            keep_one(gallery)
            view = {"version_major": 2, "version_minor": 0, "model_id": gallery.model_id}
            data["application/vnd.jupyter.widget-view+json"] = view
            metadata = MARK
        display(data, metadata=metadata, raw=True)


_open: Final[dict[str, tuple[str, list[Gallery]]]] = {}
"""The galleries of each cell, with the request that opened them."""


def keep_one(gallery: Gallery) -> None:
    """Close the galleries that an earlier run of the same cell opened: they are no longer on the page."""
    from IPython import get_ipython

    shell: InteractiveShell | None = get_ipython()
    cell = NextCell.of(shell) if shell is not None else None
    if shell is None or cell is None:
        return
    request = str(shell.parent_header["header"]["msg_id"])  # type: ignore[attr-defined]
    before, opened = _open.get(cell.cell, ("", []))
    if before != request:
        close_all(opened)
        opened = []
    _open[cell.cell] = (request, [*opened, gallery])


def close_all(galleries: Sequence[Gallery]) -> None:
    """Close these galleries."""
    for one in galleries:
        one.close()

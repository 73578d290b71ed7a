"""The history of `%flux_history` in a notebook: a gallery where widgets are there, and the page of before elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

from ...errors import FluxError
from ...parameters.settings import Settings
from ...results.history import History
from ...results.library import open_library
from ..next_cell import NextCell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .gallery import Gallery

MARK: Final = {"flux_magic": {"gallery": True}}
"""The metadata of an output with a gallery, by which a page finds it when the kernel has ended."""


class GalleryHistory(History):
    """A history that a notebook shows as a gallery; the same output has the page that stays in the saved notebook.

    Args:
        history: the images of that page.
        settings: name the store.
        typed: what is in the gallery's search field at first.
    """

    def __init__(self, history: History, settings: Settings, typed: str) -> None:
        super().__init__([*history], history.notes, typed, store=history.store)
        self._settings, self._typed = settings, typed

    def _ipython_display_(self) -> None:
        data: dict[str, Any] = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        metadata: dict[str, Any] = {}
        try:
            from .gallery import Gallery

            gallery = Gallery(open_library(self._settings), self._typed)
        except (FluxError, ImportError):
            pass
        else:
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

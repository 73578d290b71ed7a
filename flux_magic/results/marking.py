"""The star and the tags of one image, as a call or a line sets them; the gallery sets them as well."""

from __future__ import annotations

from collections.abc import Sequence

from ..parameters.settings import resolve
from ..records.marks import Marks, check_tags
from ..records.store import Store, find_root, open_store
from .generation import Generation
from .library import Library


def open_keeper(generation: Generation) -> Library:
    """Return the library that keeps an image's marks: the configured one, or that of a client's own store."""
    settings = resolve()
    store, root = open_store(settings), generation.path and find_root(generation.path)
    return Library(store if root is None or root in store.list_folders() else Store(root, None), settings)


def mark(library: Library, generation: Generation, tags: Sequence[str], *, starred: bool | None) -> Marks:
    """Add tags to an image, and set its star unless that is None; return all its marks. Raises as `Library.mark`."""
    return library.mark(generation, starred=starred, tags=[*library.marks(generation).tags, *check_tags(tags)])


def unmark(library: Library, generation: Generation, tags: Sequence[str], *, starred: bool) -> Marks:
    """Take tags or the star off an image, or all its marks without either; return what is left. Raises likewise."""
    if not tags and not starred:
        return library.mark(generation, starred=False, tags=[])
    left = sorted({*library.marks(generation).tags} - {*check_tags(tags)})
    return library.mark(generation, starred=False if starred else None, tags=left)

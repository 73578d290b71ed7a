"""The gallery: its parts put together, and the work of its buttons."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ipywidgets import HTML, Box, Button, Combobox, HBox, Layout, ToggleButton, VBox

from ...errors import FluxError, InvalidRequest, NotInStore, clean, list_few, replace_controls
from ...parameters.settings import Settings, get_store_folder
from ...records.inventory import measure
from ...records.query import ALL, Query, describe_query
from ...results.generation import Generation
from ...results.library import Deleted, open_library
from ...results.notes import MOST_NOTES
from ...results.table import escape_html
from ...types import UNKNOWN, fit_one_line
from ..widgets import close_widgets, start_thread
from .compare import Comparison
from .detail import Detail
from .errands import Errands
from .grid import BATCH, Grid, Slot
from .reuse import Reuse
from .search import describe_found, list_examples, split_query
from .style import STYLE

if TYPE_CHECKING:
    from .browser import Extras

PAGE: Final = 50
"""The number of images that are loaded at a time."""

SOON: Final = 0.15
"""Seconds from a change of the search field to the search, so that a word is not searched key by key."""

PATIENCE: Final = 0.3
"""Seconds that a search waits for the store to be read, before it shows what was read so far."""

GRACE: Final = 5.0
"""Seconds that a gallery which closes waits for what it does."""

AGAIN: Final = 1.0
"""Seconds between two searches while the store is read for the first time."""


class Gallery(VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Thumbnails of the store's images, the newest first, with a search field and the image that is open.

    All work is done on threads of its own, so that the kernel stays free. What changes is changed on one of them, `do`.

    Args:
        settings: name the store.
        query: the conditions of the first search. Those that are not typed are on a button, which drops them.

    Attributes:
        search: the search field.
        drop: the button that drops conditions which are not typed.
        starred: the button that shows only images with a star.
        more: the button that loads the next page.
        undo: the button that brings back what was deleted last.
        grid: the thumbnails.
        detail: the image that is open.
        total: the number of images that were found.
        comparison: two images side by side.
        reuse: the cells and the panel that are made of an image.
    """

    def __init__(self, settings: Settings, query: Query = ALL) -> None:
        self._library, self._store = open_library(settings), get_store_folder(settings)
        self._is_reading = True
        self._asked, self.total, self._is_partial = 0, 0, True
        typed, self._around = split_query(query)
        self._query = query
        self._current: Slot | None = None
        self._held: list[str] = []
        self._deleted: list[tuple[Deleted, Slot, Generation]] = []
        self._is_closed = False
        self._do, self._draw, self._read = (Errands(self._fail) for _ in range(3))
        self.search = Combobox(
            value=typed,
            placeholder="words, #tag, seed:42, size:512x512",
            description="Search",
            ensure_option=False,
        ).add_class("flux-gallery-search")
        self.starred = ToggleButton(
            value=query.starred, description="Only starred", icon="star", tooltip="Show only images with a star"
        )
        self.drop = Button(description=describe_query(self._around), icon="times", tooltip="Search without this")
        self.drop.layout.display = None if self._around != ALL else "none"
        self.undo = Button(description="Undo", icon="undo", tooltip="Bring back what was deleted last")
        self.undo.layout.display = "none"
        self.size = HTML().add_class("flux-gallery-size")
        self.status = HTML().add_class("flux-gallery-status")
        self.more = Button(description="More", layout=Layout(display="none")).add_class("flux-gallery-more")
        self.detail = Detail(tag=lambda tags: self._with_current(partial(self._mark, tags=tags)))
        self.comparison, self.reuse = Comparison(), Reuse(self.detail, self._say, self._look)
        super().__init__()
        self.grid = Grid(self.model_id[:8], lambda slot: self.do(lambda: self._open(slot)))
        self._extras = self.reuse.extras = self._make_extras()
        self.children = self._lay_out()
        self.add_class("flux-gallery")
        self._link()
        self._read.add(self._read_store)
        self._ask(0)

    def _make_extras(self) -> Extras | None:
        if "google.colab" in sys.modules:  # Colab shows third-party widgets only if the user has allowed it
            return None
        try:
            from .browser import Extras
        except ImportError:
            return None
        return Extras(self.model_id, self._on_message)

    def _lay_out(self) -> tuple[Any, ...]:
        style = Box([HTML(STYLE), self.grid.sheets], layout=Layout(display="none"))
        extras = Box(layout=Layout(display="none"))
        if self._extras:
            extras.children = (self._extras,)  # in a message of its own: a page that cannot load it drops only that
        top = HBox([self.search, self.drop, self.starred, self.status, self.undo]).add_class("flux-gallery-row")
        scroll = VBox([self.grid.widget, self.more]).add_class("flux-gallery-scroll")
        columns = HBox([scroll, self.detail.widget]).add_class("flux-gallery-columns")
        return style, extras, top, columns, self.size, self.comparison.widget, self.reuse.widget

    def _link(self) -> None:
        """Let the buttons and fields do their work."""
        self.search.observe(lambda _: self._ask(SOON), "value")
        self.starred.observe(lambda _: self._ask(0), "value")
        self.drop.on_click(lambda _: self._drop())
        detail = self.detail
        alone: dict[Any, Callable[[], None]] = {
            self.more: self._load_more,
            self.undo: self._undo,
            self.comparison.shut: self.comparison.hide,
        }
        on_current: dict[Any, Callable[[Slot], None]] = {
            detail.star: self._star,
            detail.compare: self._pick,
            detail.delete: self._delete,
            detail.put: lambda slot: self.reuse.put(_get_image(slot).command()),
            detail.panel: lambda slot: self.reuse.open_panel(_get_image(slot)),
            detail.use: lambda slot: self.reuse.use(_get_image(slot)),
        }
        for button, work in alone.items():
            button.on_click(lambda _, work=work: self.do(work))
        for button, work_on in on_current.items():
            button.on_click(lambda _, work_on=work_on: self._with_current(work_on))

    def do(self, work: Callable[[], None]) -> None:
        """Queue a piece of work."""
        self._do.add(work)

    def wait(self, timeout: float = 60) -> bool:
        """Wait until all is done and drawn, at most so many seconds; return True if it is."""
        return all(errands.wait(timeout) for errands in (self._read, self._do, self._draw))

    def _with_current(self, work: Callable[[Slot], None]) -> None:
        if (slot := self._current) is not None and slot.image is not None:
            self.do(lambda: work(slot))

    def _on_message(self, message: dict[str, Any]) -> None:
        """Do what a key or the script of a page asks for."""
        keys = {"star": self._star, "delete": self._delete, "compare": self._pick}
        what, at = message.get("do"), message.get("at", -1)
        if what in keys and 0 <= at < len(self.grid.slots):
            self.do(lambda: keys[what](self.grid.slots[at]))
        elif what == "more":
            self.do(self._load_more)
        elif what == "escape":
            self.do(self._unpick)
        elif what == "put":
            self.reuse.on_put(before=bool(message.get("before")))
        elif what == "show":
            self.reuse.show_cell(str(message.get("cell", "")))

    def _read_store(self) -> None:
        """Bring the index up to date; meanwhile a search finds what was read so far."""
        try:
            self._library.refresh()
        finally:
            self._is_reading = False
        self._go_on()
        self._measure()

    def _measure(self) -> None:
        """Show how large the store is now."""
        held = measure(self._store) if self._store is not None else None
        self._held = [f"the store: {held}"] if held and held.files else []
        self._show_below()

    def _show_below(self) -> None:
        """Show below the thumbnails what is skipped, and the size of the store."""
        lines = [*list_few([*map(replace_controls, self._library.skipped)], MOST_NOTES), *self._held]
        self.size.value = "<br>".join(map(escape_html, lines))

    def _go_on(self) -> None:
        """Search once more, if the last search found only what was read so far."""
        if self._is_partial:
            self._ask(0, keep=True)

    def _drop(self) -> None:
        self._around, self.drop.layout.display = ALL, "none"
        self._ask(0)

    def _ask(self, delay: float, *, keep: bool = False) -> None:
        """Search after some time, unless something else is searched by then; `keep` shows as many images as before."""
        self._asked += 1
        number = self._asked

        def find() -> None:
            if number == self._asked and not self._is_closed:
                time.sleep(delay)
                if number == self._asked and not self._is_closed:
                    self._find(len(self.grid.slots) if keep else PAGE)

        self.do(find)

    def _find(self, number: int = PAGE) -> None:
        self._read.wait(PATIENCE)
        asked, self._is_partial = self._asked, self._is_reading
        words = " ".join(self.search.value.split())
        query = replace(self._around, words=words, starred=self.starred.value)
        total = self._library.count(query)
        if asked != self._asked:  # something else was typed meanwhile, and is next
            return
        self._query, self.total = query, total
        self._show_page(0, max(number, PAGE))
        found = describe_found(self.total, self._query)
        self._say(f"Reading the store: {self.total:,} so far" if self._is_partial else found)
        if self._is_partial:
            start_thread(self._go_on, delay=AGAIN)
        self._offer_tags()
        self._show_below()
        if self._current is not None and self._current.image is None:
            self._close_detail()
        self.grid.mark(self._current, self.comparison.picked)

    def _show_page(self, start: int, number: int = PAGE) -> None:
        """Show the images behind the first `start` ones that were found."""
        skipped = sum(slot.image is not None for slot in self.grid.slots[:start])
        images = self._library.find(self._query, start=skipped, number=number)
        opened = self._current.image if self._current is not None else None
        self.grid.show(images, [self._library.marks(one).starred for one in images], start)
        if start == 0 and opened is not None:  # the image stays open if it was found again
            self._current = next((slot for slot in self.grid.slots if _is_same(slot.image, opened)), None)
            if self._current is None:
                self._close_detail()
        self._update_more()
        for batch in range(start // BATCH, -(-len(self.grid.slots) // BATCH)):
            self._draw.add(partial(self.grid.draw, batch, self._library.thumbnail))

    def _load_more(self) -> None:
        if len(self.grid.images) < self.total:
            self._show_page(len(self.grid.slots))

    def _update_more(self) -> None:
        left = self.total - len(self.grid.images)
        self.more.description = f"More ({left:,})"
        self.more.layout.display = None if left > 0 else "none"
        if self._extras is not None:
            self._extras.total = self.total

    def _open(self, slot: Slot) -> None:
        """Open the image of a slot, or compare it with the one that was picked."""
        if (image := slot.image) is None:
            return
        self._current = slot
        self.detail.show(image, self._library.marks(image))
        self._draw.add(lambda: self._draw_detail(slot, image))
        if (other := self.comparison.take(image)) is not None:
            self._say(f"Below, {_name(other)} is beside {_name(image)}")
            self._look("flux-gallery-compared")
        else:
            self._look("flux-gallery-detail")
        self.grid.mark(slot, self.comparison.picked)

    def _draw_detail(self, slot: Slot, image: Generation) -> None:
        if self._current is slot and slot.image is image and not self._is_closed:
            self.detail.draw(image)

    def _close_detail(self) -> None:
        self._current = None
        self.detail.show(None)

    def _star(self, slot: Slot) -> None:
        if slot.image is not None:
            self._mark(slot, starred=not self._library.marks(slot.image).starred)

    def _mark(self, slot: Slot, **marks: Any) -> None:
        """Set a star or tags."""
        if (image := slot.image) is None:
            return
        try:
            marked = self._library.mark(image, **marks)
        except NotInStore:
            self._take_out(slot, image)
            raise
        if marked.starred != slot.is_starred:
            slot.show(image, is_starred=marked.starred)
        if slot is self._current:
            self.detail.show_marks(marked)
        if "tags" in marks:
            self._offer_tags()
            self._say(f"Tags: {', '.join(marked.tags)}" if marked.tags else "No tags")
        else:
            self._say(f"{_name(image)} {'has a star' if marked.starred else 'has no star'}")

    def _offer_tags(self) -> None:
        tags = [*self._library.tags()]
        self.detail.tags.options, self.search.options = tags, list_examples(tags)

    def _delete(self, slot: Slot) -> None:
        if (image := slot.image) is None:
            return
        try:
            self._deleted.append((self._library.delete(image), slot, image))
        except NotInStore:
            self._take_out(slot, image)
            raise
        self._take_out(slot, image)
        self.undo.layout.display = None
        self._say(f"Deleted {_name(image)}; {self.total:,} left")
        self._read.add(self._measure)

    def _take_out(self, slot: Slot, image: Generation) -> None:
        """Take an image that is gone off the grid, and open the next one if it was open."""
        after = self.grid.find_neighbour(slot)
        slot.show(None)
        self.total -= 1
        self._update_more()
        if self.comparison.picked is image:
            self.comparison.picked = None
        if self._current is slot and after is not None:
            self._open(after)  # without hiding the buttons in between: one of them has the focus
        elif self._current is slot:
            self._close_detail()

    def _undo(self) -> None:
        if not self._deleted:
            return
        deleted, slot, image = self._deleted.pop()
        deleted.undo()
        if slot.image is None and slot in self.grid.slots:
            slot.show(image, is_starred=self._library.marks(image).starred)
            self.total += 1
            self._update_more()
            self._open(slot)
        else:  # another search is on view
            self._find()
        self._say(f"{_name(image)} is back")
        self._read.add(self._measure)
        self.undo.layout.display = None if self._deleted else "none"  # last, as a page then looks for the image

    def _pick(self, slot: Slot) -> None:
        """Compare with the image that is opened next; a second press ends that."""
        comparison = self.comparison
        if comparison.picked is slot.image:
            self._unpick()
        elif comparison.picked is not None:
            self._open(slot)
        else:
            comparison.picked = slot.image
            self.grid.mark(self._current, comparison.picked)
            self._say("Now choose the image to compare it with")

    def _unpick(self) -> None:
        if self.comparison.picked is not None:
            self.comparison.picked = None
            self.grid.mark(self._current, None)
            self._say("Nothing is compared")

    def _look(self, part: str) -> None:
        """Let the page in which something was pressed scroll to a part, unless it is in sight."""
        if self._extras is not None:
            self._extras.send({"look": f".{part}"})

    def _fail(self, error: Exception) -> None:
        if not self._is_closed:
            self._say(error.message if isinstance(error, FluxError) else f"{type(error).__name__}: {clean(str(error))}")

    def _say(self, words: str) -> None:
        self.status.value = f'<span role="status">{escape_html(words)}</span>'

    def close(self) -> None:
        """Take the gallery off the page, and free what it holds; what was deleted stays so."""
        if not getattr(self, "_is_closed", True):
            self._is_closed = True
            for errands in (self._read, self._do, self._draw):
                errands.close()
            for errands in (self._do, self._draw):  # they may be making widgets; a store is read to its end
                errands.wait(GRACE)
            self.reuse.close()
            self.grid.close()
            self.detail.close()
            close_widgets(self.children)
            self.layout.close()
        super().close()

    def __repr__(self) -> str:
        return f"Gallery({self.total} images)"


def _get_image(slot: Slot) -> Generation:
    if slot.image is None:
        raise InvalidRequest("the image was deleted")
    return slot.image


def _is_same(one: Generation | None, other: Generation) -> bool:
    return one is not None and (one.path, one.digest) == (other.path, other.digest)


def _name(image: Generation) -> str:
    return f"“{fit_one_line(image.prompt, 40)}” (seed {UNKNOWN if image.seed is None else image.seed})"

"""Progress bars made from events: in a notebook an output that is empty again at the end, in a terminal tqdm."""

from __future__ import annotations

import base64
import contextvars
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import FluxError, replace_controls
from ..results.generation import ClientEvent, Generation
from ..results.notes import escape_for, get_shell, is_in_notebook, is_watched, print_note
from ..results.table import escape, escape_html
from ..types import Log, Preview, Queued, Running, Waiting, fit_one_line

if TYPE_CHECKING:
    from tqdm import tqdm

BAR_DELAY = 0.5
"""Seconds before a bar is shown; a shorter job shows none."""

PAUSE = 0.1
"""Least seconds between two statuses that are drawn, as a Space may send thousands a second."""

SHEET_PAUSE = 0.5
"""Least seconds between two drawings of a sheet."""

MOMENT = 1.5
"""Seconds that a passing message stays."""


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """A status for the user: its words, how far the job is (None if that is not known), and unfinished images.

    Those are data URLs.
    """

    text: str
    done: int | None = None
    total: int | None = None
    previews: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", replace_controls(self.text))


def describe_event(event: ClientEvent) -> ProgressLine:
    """Return an event in words for the user."""
    match event:
        case Waiting(reason):
            return ProgressLine(reason)
        case Queued():
            return ProgressLine(_describe_queued(event))
        case Running():
            return _describe_running(event)
        case Log(message, level):
            return ProgressLine(message if level == "note" else f"the Space says: {message}")
        case Preview():
            return ProgressLine("the first preview has arrived")
    return ProgressLine("made", 1, 1)


def _describe_queued(event: Queued) -> str:
    size = f" of {event.size}" if event.size else ""
    eta = f", about {event.eta:.0f} s" if event.eta else ""
    return f"{_format_ordinal(event.position)}{size} in the queue{eta}"


def _format_ordinal(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _describe_running(event: Running) -> ProgressLine:
    if event.step is None:
        return ProgressLine(event.description or "started")
    total = f" of {event.total}" if event.total is not None else ""
    text = f"{event.unit.removesuffix('s')} {event.step}{total}"
    return ProgressLine(f"{event.description}: {text}" if event.description else text, event.step, event.total)


def find_previews(event: object) -> tuple[str, ...]:
    """Return the unfinished images that an event brings along, as data URLs."""
    given = event.images if isinstance(event, Preview) else ()
    return tuple(one for one in given if re.fullmatch(r"data:image/jpeg;base64,[A-Za-z0-9+/=]{1,1000000}", one))


class Screen(Protocol):
    """A place that shows a status."""

    def draw(self, status: ProgressLine) -> None:
        """Show this status in place of the last one."""

    def clear(self) -> None:
        """Remove what was drawn."""


class ImageScreen(Protocol):
    """A place that shows an image."""

    def draw_image(self, jpeg: bytes, text: str) -> None:
        """Show an image in place of the last one, with alternative text."""


class _Pace:
    """A screen that draws at most ten statuses a second, and always the last one of a job.

    Callers draw the status again while nothing happens, so a skipped one is soon made up for.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._next = 0.0

    def draw(self, status: ProgressLine, *, is_last: bool = False) -> None:
        now = time.monotonic()
        if is_last or now >= self._next:
            self._next = now + PAUSE
            self._screen.draw(status)

    def move(self) -> None:
        """Draw below what is shown next; a terminal's bar is always below."""
        if isinstance(self._screen, NotebookSlot):
            self._screen.move()


class Bar:
    """Progress bar for the events of `count` images; it appears after half a second, or after `patience` seconds."""

    def __init__(self, screen: Screen | None, count: int, patience: float | None = None) -> None:
        self._screen = None if screen is None else _Pace(screen)
        self._count = count
        self._patience = BAR_DELAY if patience is None else patience
        self._finished = 0
        self._status = ProgressLine("connecting")
        self._begin = time.monotonic()

    def show(self, event: ClientEvent | None) -> None:
        """Update the bar with an event, or with None if only time has passed."""
        if previews := find_previews(event):
            self._status = replace(self._status, previews=previews)
        elif event is not None:
            self._status = replace(describe_event(event), previews=self._status.previews)
        if isinstance(event, Generation):
            self._status = replace(self._status, previews=self._status.previews[1:])
        if self._screen is not None and time.monotonic() - self._begin >= self._patience:
            is_last = isinstance(event, Generation) and self._finished + 1 >= self._count
            self._screen.draw(self._add_label(), is_last=is_last)
        self._finished += isinstance(event, Generation)

    def move(self) -> None:
        """Draw below what is shown next: an image of several."""
        if self._screen is not None:
            self._screen.move()

    def _add_label(self) -> ProgressLine:
        if self._count == 1:
            return self._status
        number = min(self._finished + 1, self._count)
        return replace(self._status, text=f"image {number} of {self._count}: {self._status.text}")


@contextmanager
def show_bar(count: int, *, quiet: bool = False) -> Iterator[Bar]:
    """Provide a bar for `count` images if it can be shown; it is removed at the end."""
    screen = None if quiet else _choose_screen()
    with _clear_after(screen):
        yield Bar(screen, count)


@contextmanager
def _clear_after(*screens: Screen | None) -> Iterator[None]:
    """Remove everything that was drawn when the block ends."""
    try:
        yield
    finally:
        for screen in screens:
            if screen is not None:
                screen.clear()


class SheetBar:
    """Progress bar for several images that are made at once, with their sheet as it fills in.

    Nothing is drawn in the first half second. The sheet is redrawn when an image has arrived, but drawing takes at most
    a tenth of the time.

    Args:
        screen: where the bar is drawn, None for nowhere.
        slot: where the sheet is drawn, None for nowhere.
        count: how many images there are.
        sheet: returns the sheet as it is now, a JPEG.
    """

    def __init__(self, screen: Screen | None, slot: ImageScreen | None, count: int, sheet: Callable[[], bytes]) -> None:
        self._screen, self._slot, self._sheet = None if screen is None else _Pace(screen), slot, sheet
        self._count, self._done = count, 0
        self._text = "connecting"
        self._sheet_is_new = True
        self._next_sheet = 0.0
        self._begin = time.monotonic()

    def show(self, label: str, event: ClientEvent | FluxError) -> None:
        """Update the bar with an event of the image that is called `label`, or with the error that it failed with."""
        if find_previews(event):
            return  # the sheet fills in with whole images
        if isinstance(event, Generation | FluxError):
            self._done += 1
            self._sheet_is_new = True
        words = f"failed: {event.message}" if isinstance(event, FluxError) else describe_event(event).text
        self._text = f"{label}: {words}"
        self.wait()

    def wait(self) -> None:
        """Redraw the bar when only time has passed."""
        now = time.monotonic()
        if self._screen is None or now - self._begin < BAR_DELAY:
            return
        status = ProgressLine(f"{self._done} of {self._count} images; {self._text}", self._done, self._count)
        self._screen.draw(status, is_last=self._done >= self._count)
        if self._slot is not None and self._sheet_is_new and now >= self._next_sheet:
            self._slot.draw_image(self._sheet(), f"{self._done} of {self._count} images")
            self._sheet_is_new = False
            drawn = time.monotonic()
            self._next_sheet = drawn + max(SHEET_PAUSE, 10 * (drawn - now))


@contextmanager
def show_sheet(count: int, encoded: Callable[[], bytes], *, quiet: bool = False) -> Iterator[SheetBar]:
    """Provide a bar for `count` images and their sheet if they can be shown; both are removed at the end."""
    screen = None if quiet else _choose_screen()
    slot = NotebookSlot() if isinstance(screen, NotebookSlot) else None
    with _clear_after(screen, slot):
        yield SheetBar(screen, slot, count, encoded)


@contextmanager
def note_interrupt() -> Iterator[Callable[[ClientEvent | None], None]]:
    """Provide a callback for the events of a block that prints a provider's notes, each once.

    If the block is interrupted, a note says what is not called back.
    """
    said: dict[str, None] = {}
    left: dict[str, None] = {}

    def on_event(event: ClientEvent | None) -> None:
        if isinstance(event, Log) and event.level == "note" and event.message not in said:
            said[event.message] = None
            with print_above():
                print_note(event.message)
        if isinstance(event, Running) and event.if_stopped:
            left[event.if_stopped] = None

    try:
        yield on_event
    except KeyboardInterrupt:
        for line in left:
            print_note(line)
        raise


@contextmanager
def show_count(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Provide a callback that shows how many of how many are done, and which one was last, until the block ends."""
    screen = _choose_screen()
    pace = None if screen is None else _Pace(screen)

    def on_done(done: int, total: int, label: str) -> None:
        if pace is not None:
            line = f"{done} of {total} {what}  {fit_one_line(label, 60)}".rstrip()
            pace.draw(ProgressLine(line, done, total), is_last=done >= total)

    with _clear_after(screen):
        yield on_done


@contextmanager
def print_above() -> Iterator[None]:
    """Print the block's output above a terminal's bar, and not behind it."""
    tqdm = sys.modules.get("tqdm")
    with tqdm.tqdm.external_write_mode() if tqdm is not None else nullcontext():
        yield


def show_moment(text: str) -> None:
    """Show a message for a moment if a person is watching, then remove it."""
    shell = get_shell()
    if getattr(shell, "kernel", None) is None:
        if is_watched():
            # The next output overwrites it.
            print(escape_for(text, sys.stderr), end="\r", file=sys.stderr, flush=True)
    elif getattr(shell.kernel, "_allow_stdin", False):  # no person is watching when a program runs the notebook
        slot = NotebookSlot()
        slot.draw(ProgressLine(text), bar=False)
        fading = threading.Timer(MOMENT, contextvars.copy_context().run, (slot.clear,))
        fading.daemon = True
        fading.start()


@dataclass(slots=True)
class Replays:
    """A message, shown once for a moment, that an image came from the store; none if `told` is set."""

    told: bool

    def see(self, generation: Generation) -> None:
        if generation.replayed and not self.told:
            show_moment("from the store; --fresh asks the Space")
            self.told = True


def _choose_screen() -> Screen | None:
    if is_in_notebook():
        return NotebookSlot()
    return Terminal() if is_watched() else None


class NotebookSlot:
    """One output of the cell, updated in place. Its last content equals its first, an empty bundle.

    So it leaves nothing in the saved notebook, and a comparison of outputs does not see it.
    """

    def __init__(self) -> None:
        self._id: str | None = None
        self._shown: ProgressLine | None = None

    def draw(self, status: ProgressLine, *, bar: bool = True) -> None:
        if status == self._shown:
            return
        self._open()
        self._put(
            {"text/html": render_html(status) if bar else escape_html(status.text), "text/plain": status.text},
            update=True,
        )
        self._shown = status

    def draw_image(self, jpeg: bytes, text: str) -> None:
        self._open()
        alt = {"image/jpeg": {"alt": text}}
        self._put({"image/jpeg": base64.b64encode(jpeg).decode(), "text/plain": text}, alt, update=True)

    def clear(self) -> None:
        if self._id is not None:
            self._put({}, update=True)

    def move(self) -> None:
        self.clear()
        self._id = self._shown = None

    def _open(self) -> None:
        if self._id is None:
            self._id = uuid.uuid4().hex
            self._put({}, update=False)

    def _put(self, data: dict[str, Any], metadata: dict[str, Any] | None = None, *, update: bool) -> None:
        from IPython.display import display

        display(data, metadata=metadata, raw=True, display_id=self._id, update=update)


def render_html(status: ProgressLine) -> str:
    """Return a status as HTML: a bar with the words beside it, below the unfinished images."""
    value = f' value="{status.done}" max="{status.total}"' if status.total else ""
    text = escape_html(status.text)
    number = len(status.previews)
    width = f"max-width:calc({100 // min(number, 4)}% - 4px)" if number > 1 else ""
    images = [
        f'<img src="{one}" alt="unfinished image{f" {place} of {number}" if number > 1 else ""}" style="{width}">'
        for place, one in enumerate(status.previews, 1)
    ]
    seen = (
        f'<div style="display:flex;flex-wrap:wrap;gap:4px;align-items:start">{"".join(images)}</div>' if images else ""
    )
    return f'{seen}<progress{value} aria-label="{escape(status.text)}"></progress> <span role="status">{text}</span>'


class Terminal:
    """A tqdm line on stderr."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def draw(self, status: ProgressLine) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(leave=False, bar_format="{desc} {bar:20} {elapsed}", file=sys.stderr)
        self._bar.total, self._bar.n = status.total or 1, status.done or 0
        self._bar.set_description_str(escape_for(status.text, sys.stderr))

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.close()

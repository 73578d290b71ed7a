"""Events as a bar: in a notebook a slot that is empty again at the end, in a terminal tqdm."""

from __future__ import annotations

import base64
import contextvars
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import FluxError, without_controls
from ..results.generation import ClientEvent, Generation
from ..results.notes import is_watched, writable
from ..results.table import escaped, html_text
from ..types import Log, Preview, Queued, Running, Waiting, one_line

if TYPE_CHECKING:
    from tqdm import tqdm

BAR_DELAY = 0.5
"""Seconds without a bar: what is done by then shows none."""

PAUSE = 0.1
"""Seconds between two statuses that are drawn, at the least: a Space may send thousands a second."""

SHEET_PAUSE = 0.5
"""Seconds between two drawings of a sheet, at the least."""

MOMENT = 1.5
"""Seconds that a passing word stays."""


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """What a person is told: a text, and how far the job is (None where that is not known)."""

    text: str
    done: int | None = None
    total: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", without_controls(self.text))


def status_of(event: ClientEvent) -> ProgressLine:
    """An event as a person would say it."""
    match event:
        case Waiting(reason):
            return ProgressLine(reason)
        case Queued():
            return ProgressLine(_queued(event))
        case Running():
            return _running(event)
        case Log(message):
            return ProgressLine(f"the Space says: {message}")
        case Preview():
            return ProgressLine("the first of the picture is there")
    return ProgressLine("done")


def _queued(event: Queued) -> str:
    size = f" of {event.size}" if event.size else ""
    eta = f", about {event.eta:.0f} s" if event.eta else ""
    return f"{_ordinal(event.position)}{size} in the queue{eta}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _running(event: Running) -> ProgressLine:
    if event.step is None:
        return ProgressLine(event.description or "started")
    total = f" of {event.total}" if event.total is not None else ""
    text = f"{event.unit.removesuffix('s')} {event.step}{total}"
    return ProgressLine(f"{event.description}: {text}" if event.description else text, event.step, event.total)


class Screen(Protocol):
    """Where a status is drawn."""

    def draw(self, status: ProgressLine) -> None:
        """Show this status, in place of the last."""

    def clear(self) -> None:
        """Leave nothing of it."""


class PictureScreen(Protocol):
    """Where a picture is drawn."""

    def draw_picture(self, jpeg: bytes, text: str) -> None:
        """Show a picture in place of the last, with a text for who cannot see it."""


class _Pace:
    """A screen that gets a status ten times a second at most, and the last of a job in any case.

    Callers draw the status again while nothing happens, so none is missing for long.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._next = 0.0

    def draw(self, status: ProgressLine, *, is_last: bool = False) -> None:
        now = time.monotonic()
        if is_last or now >= self._next:
            self._next = now + PAUSE
            self._screen.draw(status)


class Bar:
    """Follows the events of `count` images; nothing is drawn in the first half second, or `patience` seconds."""

    def __init__(self, screen: Screen | None, count: int, patience: float | None = None) -> None:
        self._screen = None if screen is None else _Pace(screen)
        self._count = count
        self._patience = BAR_DELAY if patience is None else patience
        self._finished = 0
        self._status = ProgressLine("connecting")
        self._begin = time.monotonic()

    def show(self, event: ClientEvent | None) -> None:
        """Take in an event, or None where only time has passed."""
        if event is not None:
            self._status = status_of(event)
        if self._screen is not None and time.monotonic() - self._begin >= self._patience:
            is_last = isinstance(event, Generation) and self._finished + 1 >= self._count
            self._screen.draw(self._labelled(), is_last=is_last)
        self._finished += isinstance(event, Generation)

    def _labelled(self) -> ProgressLine:
        if self._count == 1:
            return self._status
        number = min(self._finished + 1, self._count)
        return ProgressLine(
            f"image {number} of {self._count}: {self._status.text}", self._status.done, self._status.total
        )


@contextmanager
def bar(count: int, *, quiet: bool = False) -> Iterator[Bar]:
    """A bar for `count` images, where there is a place for one; gone at the end."""
    screen = None if quiet else _screen()
    with _cleared(screen):
        yield Bar(screen, count)


@contextmanager
def _cleared(*screens: Screen | None) -> Iterator[None]:
    """In the end nothing is left of what was drawn."""
    try:
        yield
    finally:
        for screen in screens:
            if screen is not None:
                screen.clear()


class SheetBar:
    """Follows the events of several images that are made at once, and shows their sheet as it fills in.

    Nothing is drawn in the first half second. The sheet is drawn again where an image has come, but not so often that
    drawing it takes more than a tenth of the time.

    Args:
        screen: where the bar is drawn, None for nowhere.
        slot: where the sheet is, None for nowhere.
        count: how many images there are.
        sheet: gives the sheet as it is, a JPEG.
    """

    def __init__(
        self, screen: Screen | None, slot: PictureScreen | None, count: int, sheet: Callable[[], bytes]
    ) -> None:
        self._screen, self._slot, self._sheet = None if screen is None else _Pace(screen), slot, sheet
        self._count, self._done = count, 0
        self._text = "connecting"
        self._sheet_is_new = True
        self._next_sheet = 0.0
        self._begin = time.monotonic()

    def show(self, label: str, event: ClientEvent | FluxError) -> None:
        """Take in an event of the image that is called `label`, or the error that it failed with."""
        if isinstance(event, Generation | FluxError):
            self._done += 1
            self._sheet_is_new = True
        words = f"failed: {event.message}" if isinstance(event, FluxError) else status_of(event).text
        self._text = f"{label}: {words}"
        self.wait()

    def wait(self) -> None:
        """Draw what there is, where only time has passed."""
        now = time.monotonic()
        if self._screen is None or now - self._begin < BAR_DELAY:
            return
        status = ProgressLine(f"{self._done} of {self._count} images; {self._text}", self._done, self._count)
        self._screen.draw(status, is_last=self._done >= self._count)
        if self._slot is not None and self._sheet_is_new and now >= self._next_sheet:
            self._slot.draw_picture(self._sheet(), f"{self._done} of {self._count} images")
            self._sheet_is_new = False
            drawn = time.monotonic()
            self._next_sheet = drawn + max(SHEET_PAUSE, 10 * (drawn - now))


@contextmanager
def sheet(count: int, encoded: Callable[[], bytes], *, quiet: bool = False) -> Iterator[SheetBar]:
    """A bar for `count` images and the sheet that they fill, where there is a place for them; gone at the end."""
    screen = None if quiet else _screen()
    slot = NotebookSlot() if isinstance(screen, NotebookSlot) else None
    with _cleared(screen, slot):
        yield SheetBar(screen, slot, count, encoded)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Gives what is told how many are done, of how many, and of which one; it is shown, and gone at the end."""
    screen = _screen()
    pace = None if screen is None else _Pace(screen)

    def told(done: int, total: int, label: str) -> None:
        if pace is not None:
            line = f"{done} of {total} {what}  {one_line(label, 60)}".rstrip()
            pace.draw(ProgressLine(line, done, total), is_last=done >= total)

    with _cleared(screen):
        yield told


@contextmanager
def above() -> Iterator[None]:
    """What is printed within stands above a bar, and not behind it, where a terminal shows one."""
    tqdm = sys.modules.get("tqdm")
    with tqdm.tqdm.external_write_mode() if tqdm is not None else nullcontext():
        yield


def moment(text: str) -> None:
    """Show a text for a moment, to a person who looks on, and leave nothing of it."""
    shell = _shell()
    if getattr(shell, "kernel", None) is None:
        if is_watched():
            # What comes next is written over it.
            print(writable(text, sys.stderr), end="\r", file=sys.stderr, flush=True)
    elif getattr(shell.kernel, "_allow_stdin", False):  # nobody looks on where a program runs the notebook
        slot = NotebookSlot()
        slot.draw(ProgressLine(text), bar=False)
        fading = threading.Timer(MOMENT, contextvars.copy_context().run, (slot.clear,))
        fading.daemon = True
        fading.start()


@dataclass(slots=True)
class Replays:
    """Says once, for a moment, that an image came from the store; nothing where that is `told`."""

    told: bool

    def see(self, generation: Generation) -> None:
        if generation.replayed and not self.told:
            moment("from the store; --fresh asks the Space")
            self.told = True


def _screen() -> Screen | None:
    if getattr(_shell(), "kernel", None) is not None:
        return NotebookSlot()
    return Terminal() if is_watched() else None


def _shell() -> Any:
    """IPython's shell, where this runs in one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


class NotebookSlot:
    """One output of the cell, updated in place. Its last content equals its first, an empty bundle.

    So nothing is left of it in the saved notebook, and a comparison of outputs does not see it.
    """

    def __init__(self) -> None:
        self._id: str | None = None
        self._shown: ProgressLine | None = None

    def draw(self, status: ProgressLine, *, bar: bool = True) -> None:
        if status == self._shown:
            return
        self._open()
        self._put(
            {"text/html": html_of(status) if bar else html_text(status.text), "text/plain": status.text}, update=True
        )
        self._shown = status

    def draw_picture(self, jpeg: bytes, text: str) -> None:
        self._open()
        alt = {"image/jpeg": {"alt": text}}
        self._put({"image/jpeg": base64.b64encode(jpeg).decode(), "text/plain": text}, alt, update=True)

    def clear(self) -> None:
        if self._id is not None:
            self._put({}, update=True)

    def _open(self) -> None:
        if self._id is None:
            self._id = uuid.uuid4().hex
            self._put({}, update=False)

    def _put(self, data: dict[str, Any], metadata: dict[str, Any] | None = None, *, update: bool) -> None:
        from IPython.display import display

        display(data, metadata=metadata, raw=True, display_id=self._id, update=update)


def html_of(status: ProgressLine) -> str:
    """A status as HTML: a bar, and the text beside it."""
    value = f' value="{status.done}" max="{status.total}"' if status.total else ""
    text = html_text(status.text)
    return f'<progress{value} aria-label="{escaped(status.text)}"></progress> <span role="status">{text}</span>'


class Terminal:
    """A line of tqdm's on stderr."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def draw(self, status: ProgressLine) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(leave=False, bar_format="{desc} {bar:20} {elapsed}", file=sys.stderr)
        self._bar.total, self._bar.n = status.total or 1, status.done or 0
        self._bar.set_description_str(writable(status.text, sys.stderr))

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.close()

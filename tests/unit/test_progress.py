from __future__ import annotations

import io
import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.getipython import get_ipython

from flux_magic.client import progress
from flux_magic.client.progress import (
    Bar,
    NotebookSlot,
    ProgressLine,
    SheetBar,
    Terminal,
    describe_event,
    note_interrupt,
    print_above,
    show_bar,
)
from flux_magic.errors import SpaceError
from flux_magic.jupyter.panel.status import StatusLine
from flux_magic.results.generation import ClientEvent
from flux_magic.types import Log, Preview, Queued, Running, Waiting
from tests.support import limits
from tests.unit.samples import generation, notebook


class Paper:
    """A screen that keeps what was drawn on it."""

    def __init__(self) -> None:
        self.drawn: list[ProgressLine] = []
        self.cleared = 0

    def draw(self, status: ProgressLine) -> None:
        self.drawn.append(status)

    def clear(self) -> None:
        self.cleared += 1

    @property
    def texts(self) -> list[str]:
        return [status.text for status in self.drawn]


class Screenless(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BAR_DELAY", 0)
    monkeypatch.setattr(progress, "PAUSE", 0)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        pytest.param(Waiting("starting the local Space"), ProgressLine("starting the local Space"), id="waiting"),
        pytest.param(Queued(3), ProgressLine("3rd in the queue"), id="queued"),
        pytest.param(Queued(3, 7, 20.6), ProgressLine("3rd of 7 in the queue, about 21 s"), id="queued with an eta"),
        pytest.param(Queued(1, 1, 0.0), ProgressLine("1st of 1 in the queue"), id="an eta of 0"),
        pytest.param(Running(), ProgressLine("started"), id="started"),
        pytest.param(Running(3, None, "tiles"), ProgressLine("tile 3", 3), id="a step of unknown many"),
        pytest.param(Queued(111), ProgressLine("111th in the queue"), id="an eleventh"),
        pytest.param(Running(1, 4, "steps", "denoising"), ProgressLine("denoising: step 1 of 4", 1, 4), id="described"),
        pytest.param(Running(description="loading"), ProgressLine("loading"), id="described without steps"),
        pytest.param(Log("waiting for a GPU"), ProgressLine("the Space says: waiting for a GPU"), id="log"),
        pytest.param(Preview(["http://h/a.png"]), ProgressLine("the first preview has arrived"), id="preview"),
        pytest.param(Running(1, 4), ProgressLine("step 1 of 4", 1, 4), id="a step"),
        pytest.param(Running(0, 4), ProgressLine("step 0 of 4", 0, 4), id="the first step"),
        pytest.param(generation(), ProgressLine("made", 1, 1), id="made"),
    ],
)
def test_an_event_is_told_as_a_person_would(event: ClientEvent, status: ProgressLine) -> None:
    assert describe_event(event) == status


def test_nothing_is_drawn_in_the_first_half_second() -> None:
    paper = Paper()
    Bar(paper, 1).show(Running(1, 4))
    assert paper.drawn == []


@pytest.mark.usefixtures("impatient")
def test_a_bar_follows_the_events_and_stays_while_there_is_none() -> None:
    paper = Paper()
    following = Bar(paper, 1)
    for event in (None, Queued(2), None, Running(1, 4), generation()):
        following.show(event)
    assert paper.texts == ["connecting", "2nd in the queue", "2nd in the queue", "step 1 of 4", "made"]
    assert paper.drawn[3] == ProgressLine("step 1 of 4", 1, 4)


@pytest.mark.usefixtures("impatient")
def test_a_bar_for_several_images_counts_them() -> None:
    paper = Paper()
    following = Bar(paper, 2)
    for event in (Running(1, 4), generation(), Running(2, 4), generation(), None):
        following.show(event)
    assert paper.drawn[0] == ProgressLine("image 1 of 2: step 1 of 4", 1, 4)
    assert paper.drawn[2] == ProgressLine("image 2 of 2: step 2 of 4", 2, 4)
    assert paper.texts[-1] == "image 2 of 2: made"


@pytest.mark.usefixtures("impatient")
def test_a_bar_without_a_place_draws_nowhere() -> None:
    with show_bar(1, quiet=True) as following:
        following.show(Running())
    with show_bar(1) as following:
        following.show(Running())


@pytest.mark.usefixtures("impatient")
def test_a_terminal_gets_one_line_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screenless()
    monkeypatch.setattr(sys, "stderr", screen)
    with show_bar(1) as following:
        following.show(Running(1, 4))
        following.show(Running(4, 4))
        drawn = screen.getvalue()
    assert "step 1 of 4" in drawn
    assert "step 4 of 4" in drawn
    assert "\n" not in screen.getvalue()
    assert screen.getvalue().endswith("\r")


@pytest.mark.usefixtures("impatient")
def test_what_is_printed_stands_on_a_line_of_its_own_above_a_terminals_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screenless()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", screen)
    with show_bar(2) as following:
        following.show(Running(4, 4))
        with print_above():
            print("saved fox.png")
    line = screen.getvalue().partition("saved fox.png\n")[0].rpartition("\n")[2]
    assert line.endswith("\r")
    assert "step 4 of 4" in screen.getvalue()


def test_a_terminal_without_a_status_stays_empty() -> None:
    screen = Terminal()
    screen.clear()
    assert screen._bar is None


@pytest.mark.usefixtures("impatient")
def test_the_bar_is_cleared_also_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper()
    monkeypatch.setattr(progress, "_choose_screen", lambda: paper)
    with pytest.raises(ZeroDivisionError), show_bar(1) as following:
        following.show(Running(1 // 0))
    assert (paper.texts, paper.cleared) == ([], 1)


def test_a_notebooks_slot_is_one_output_that_begins_and_ends_empty(tmp_path: Path) -> None:
    with notebook(tmp_path) as shown:
        slot = NotebookSlot()
        for status in (ProgressLine("<b>"), ProgressLine("<b>"), ProgressLine("step 1 of 4", 1, 4)):
            slot.draw(status)
        slot.clear()
    first, *updates = shown
    assert (first["data"], first["update"]) == ({}, False)
    assert [item["data"].get("text/plain") for item in updates] == ["<b>", "step 1 of 4", None]
    assert all(item["update"] and item["transient"] == first["transient"] for item in updates)
    assert updates[-1]["data"] == {}


@pytest.mark.parametrize(
    ("screen", "follow"),
    [
        pytest.param(NotebookSlot, lambda screen: Bar(screen, 1).show, id="one image"),
        pytest.param(NotebookSlot, lambda screen: partial(sheet_bar(1, Slot(), screen).show, "seed 1"), id="a sheet"),
        pytest.param(lambda: StatusLine(lambda: 0), lambda screen: Bar(screen, 1).show, id="a panel"),
    ],
)
@pytest.mark.parametrize("last", [generation(), Log("the last")], ids=["an image", "a word, and time that passes"])
def test_thousands_of_words_are_some_messages_and_the_last_is_shown(
    screen: Callable[[], Any], follow: Callable[[Any], Callable[[Any], None]], last: ClientEvent,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with notebook(tmp_path) as shown:
        where, drawn = screen(), []
        if isinstance(where, StatusLine):
            where.widget.observe(lambda _: drawn.append(where.text), "value")
        ticks = itertools.count(time.monotonic())
        monkeypatch.setattr(time, "monotonic", lambda: next(ticks) / 1000)
        show = follow(where)
        for number in range(30_000):
            show(Log(f"word {number}"))
        show(last)
        if isinstance(last, Log):
            next(itertools.islice(ticks, 100, None))
            show(last)
        monkeypatch.undo()
        drawn += [item["data"].get("text/plain", "") for item in shown]
    assert 200 < len(drawn) < 700, "ten a second; a clock that is looked at twice ticks twice"
    assert drawn[-1].endswith(progress.describe_event(last).text)
    if isinstance(where, StatusLine):
        where.widget.close()


def test_a_notebooks_slot_that_was_never_drawn_leaves_nothing(tmp_path: Path) -> None:
    with notebook(tmp_path) as shown:
        NotebookSlot().clear()
    assert shown == []


def test_a_notebook_shows_a_bar_that_a_screen_reader_can_tell(tmp_path: Path) -> None:
    with notebook(tmp_path) as shown:
        slot = NotebookSlot()
        slot.draw(ProgressLine("<b>"))
        slot.draw(ProgressLine("1 of 4", 1, 4))
    assert shown[1]["data"]["text/html"] == (
        '<progress aria-label="&lt;b&gt;"></progress> <span role="status">&lt;b&gt;</span>'
    )
    assert shown[2]["data"]["text/html"].startswith('<progress value="1" max="4" aria-label="1 of 4">')


def test_a_shell_without_a_kernel_is_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with notebook(tmp_path):
        monkeypatch.setattr(sys, "stderr", Screenless())
        assert isinstance(progress._choose_screen(), Terminal)


def test_a_shell_with_a_kernel_is_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with notebook(tmp_path) as shown:
        monkeypatch.setattr(get_ipython(), "kernel", object(), raising=False)
        assert isinstance(progress._choose_screen(), NotebookSlot)
        with show_bar(1):
            pass
    assert shown == []


@pytest.mark.usefixtures("impatient")
def test_the_first_of_two_that_is_done_is_still_the_first() -> None:
    texts: list[str] = []

    class Screen:
        def draw(self, status: progress.ProgressLine) -> None:
            texts.append(status.text)

        def clear(self) -> None:
            pass

    bar = progress.Bar(Screen(), 2)
    bar.show(generation())
    bar.show(Running(1, 4))
    assert texts == ["image 1 of 2: made", "image 2 of 2: step 1 of 4"]


def test_a_moment_in_a_terminal_is_a_line_that_the_next_one_covers(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screenless()
    monkeypatch.setattr(sys, "stderr", screen)
    progress.show_moment("from the store")
    assert screen.getvalue() == "from the store\r"


def test_a_moment_where_nobody_looks_on_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.show_moment("from the store")
    with notebook(tmp_path) as shown:
        monkeypatch.setattr(get_ipython(), "kernel", SimpleNamespace(_allow_stdin=False), raising=False)
        progress.show_moment("from the store")
    assert shown == []
    assert capsys.readouterr() == ("", "")


def test_a_moment_in_a_notebook_is_one_output_that_begins_and_ends_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MOMENT", 0.01)
    with notebook(tmp_path) as shown:
        monkeypatch.setattr(get_ipython(), "kernel", SimpleNamespace(_allow_stdin=True), raising=False)
        progress.show_moment("from <the> store")
        end = time.monotonic() + limits.PATIENCE
        while len(shown) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    assert [one["data"] for one in shown] == [
        {},
        {"text/html": "from &lt;the&gt; store", "text/plain": "from <the> store"},
        {},
    ]
    assert [one["update"] for one in shown] == [False, True, True]


# Several at once, and their sheet


class Slot(Paper):
    """A slot that keeps the sheets that were drawn in it."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[bytes] = []

    def draw_image(self, jpeg: bytes, _text: str) -> None:
        self.sheets.append(jpeg)


def sheet_bar(count: int, slot: Slot, paper: Paper | None = None) -> SheetBar:
    made = iter(range(10**6))
    return SheetBar(paper or Paper(), slot, count, lambda: b"%d" % next(made))


def test_no_sheet_is_drawn_in_the_first_half_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    slot, paper = Slot(), Paper()
    sheet_bar(2, slot, paper).show("seed 1", generation())
    assert (slot.sheets, paper.drawn) == ([], [])


@pytest.mark.usefixtures("impatient")
def test_the_bar_counts_what_is_done_and_names_what_is_at_work() -> None:
    paper = Paper()
    bar = sheet_bar(3, Slot(), paper)
    bar.wait()
    bar.show("seed 1", Running(1, 4))
    bar.show("seed 1", generation())
    bar.show("seed 2", SpaceError("no"))
    assert paper.drawn == [
        ProgressLine("0 of 3 images; connecting", 0, 3),
        ProgressLine("0 of 3 images; seed 1: step 1 of 4", 0, 3),
        ProgressLine("1 of 3 images; seed 1: made", 1, 3),
        ProgressLine("2 of 3 images; seed 2: failed: no", 2, 3),
    ]


@pytest.mark.usefixtures("impatient")
def test_a_sheet_is_drawn_where_an_image_has_come_and_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    slot = Slot()
    bar = sheet_bar(9, slot)
    bar.wait()
    for _ in range(3):
        bar.show("seed 1", generation())
    assert slot.sheets == [b"0"]
    now[0] += progress.SHEET_PAUSE
    bar.wait()
    bar.wait()
    assert slot.sheets == [b"0", b"1"]


@pytest.mark.usefixtures("impatient")
def test_in_a_notebook_a_sheet_has_two_slots_that_are_empty_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with notebook(tmp_path) as shown:
        monkeypatch.setattr(get_ipython(), "kernel", object(), raising=False)
        with progress.show_sheet(2, lambda: b"\xff\xd8") as following:
            following.show("seed 1", generation())
    slots = {item["transient"]["display_id"]: item["data"] for item in shown}
    assert list(slots.values()) == [{}, {}]
    assert [item["data"] for item in shown if not item["update"]] == [{}, {}]
    (drawn,) = [item for item in shown if "image/jpeg" in item["data"]]
    assert drawn["data"] == {"image/jpeg": "/9g=", "text/plain": "1 of 2 images"}
    assert drawn["metadata"] == {"image/jpeg": {"alt": "1 of 2 images"}}


@pytest.mark.usefixtures("impatient")
def test_a_quiet_sheet_is_not_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with notebook(tmp_path) as shown:
        monkeypatch.setattr(get_ipython(), "kernel", object(), raising=False)
        with progress.show_sheet(2, lambda: b"", quiet=True) as following:
            following.show("seed 1", generation())
    assert shown == []


def test_a_providers_note_is_printed_once_and_an_interrupt_says_what_is_not_called_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    note, job = Log("no steps", "note"), Running(if_stopped="x is not called back")

    def see(*events: ClientEvent) -> None:
        with note_interrupt() as on_event:
            for event in events:
                on_event(event)
            if job in events:
                raise KeyboardInterrupt

    see(note, note, Log("busy"))
    assert capsys.readouterr().err == "note: no steps\n"
    with pytest.raises(KeyboardInterrupt):
        see(job)
    assert capsys.readouterr().err == "note: x is not called back\n"
    assert describe_event(note).text == "no steps"

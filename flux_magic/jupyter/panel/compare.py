"""Comparisons: the fields that say what varies, and the sheet as it fills in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Final

from ipywidgets import Button, Dropdown, HBox, Text
from traitlets.utils.bunch import Bunch

from ...client.batch import Tally, make_incomplete
from ...client.many import follow
from ...client.progress import ProgressLine, Screen, SheetBar
from ...parameters.grammar import format_values
from ...results.generation import Generation
from ...results.generations import Generations
from ...results.output import Output
from ...sweeps.requests import Sweep
from .folds import make_key_hint
from .output import NOTHING, Shown, View
from .parameters import MOST_COMPARED, Parameters
from .queue import PanelTask
from .quiet import is_quiet, keep_quiet

COMPARE: Final = "Make an image of each combination, and show them as one sheet"

_EXAMPLES: Final = {"seed": "1..4", "steps": "1,2,4,8", "size": "768x768,1024x768"}


class CompareRow:
    """Two lists of the parameters that can vary, each with a field for its values; and the button.

    Args:
        parameters: what they set.
        pressed: called when "Compare" is pressed.

    Attributes:
        names: the lists.
        values: the fields.
    """

    def __init__(self, parameters: Parameters, pressed: Callable[[], None]) -> None:
        self._parameters = parameters
        labels = ("Vary", "and")
        self.names = [Dropdown(description=label, style={"description_width": "2.5em"}) for label in labels]
        self.values = [Text() for _ in labels]
        self.button = Button(description="Compare", icon="th", tooltip=COMPARE)
        self.button.on_click(lambda _: pressed())
        pairs = [HBox(pair) for pair in zip(self.names, self.values, strict=True)]
        self.widget = HBox([*pairs, self.button, make_key_hint("in these fields compares")])
        self.widget.add_class("flux-magic-row").add_class("flux-magic-compare")
        self._show()
        for place in range(MOST_COMPARED):
            self.names[place].observe(self._on_name, "value")
            self.values[place].observe(lambda change, place=place: self._on_values(place, change), "value")
        parameters.observe(lambda _: self._show(), "compared")
        parameters.on_model(self._show)

    def _show(self) -> None:
        """Show what is compared: each parameter where it was, or in place of one that is not compared."""
        fields, compared = self._parameters.list_comparable(), self._parameters.compared
        before = [one.value for one in self.names if one.value in fields] or [*fields]
        chosen: list[str | None] = [*before, None, None][:MOST_COMPARED]
        for name in compared:
            if name not in chosen:
                free = [place for place in range(MOST_COMPARED) if chosen[place] not in compared]
                chosen[free[0]] = name
        for place in range(MOST_COMPARED):
            chosen[place] = chosen[place] or next((one for one in fields if one not in chosen), None)
        with keep_quiet():
            for place, one in enumerate(chosen):
                others = {key: called for key, called in fields.items() if key == one or key not in chosen}
                self._show_place(place, one, others)

    def _show_place(self, place: int, name: str | None, fields: dict[str, str]) -> None:
        names, values = self.names[place], self.values[place]
        for widget in (names, values):
            widget.layout.display = "none" if name is None else None
        names.options = [(called, key) for key, called in fields.items()]
        if name is None:
            return
        names.value = name
        called = values.description = fields.get(name, name)
        values.value = self._parameters.compared.get(name, "")
        values.placeholder = self._make_example(name)
        values.tooltip = f"{called} to compare, for example {values.placeholder}"

    def _make_example(self, name: str) -> str:
        row = self._parameters.rows.get(name)
        if name in _EXAMPLES or row is None:
            return _EXAMPLES.get(name, "")
        if row.choices:
            return ",".join(map(str, row.choices[:2]))
        ends = [one for one in (row.least, row.default, row.most) if one is not None]
        return format_values(sorted(set(ends))[-2:]) if ends else "1,2"

    def _on_name(self, change: Bunch) -> None:
        if not is_quiet():
            self._parameters.set_compared(change["old"] or "", "")
            self._show()

    def _on_values(self, place: int, change: Bunch) -> None:
        if not is_quiet() and self.names[place].value:
            self._parameters.set_compared(self.names[place].value, change["new"])


class ComparisonView:
    """One running comparison, which shows its progress.

    Args:
        job: the task that makes its images.
        asked: its images.
        status: where it shows its progress.
        view: where its sheet is shown.
        show: puts the sheet there.
    """

    def __init__(self, job: PanelTask, asked: Sweep, status: Screen, view: View, show: Callable[[Shown], None]) -> None:
        self._job, self._asked = job, asked
        self._tally = Tally(asked, job.settings)
        self._bar = SheetBar(status, _FillingSheet(view, show), len(asked), self._tally.encode_sheet)
        status.draw(ProgressLine(f"0 of {len(asked)} images; connecting", 0, len(asked)))

    def iterate_images(self) -> Generator[Generation, None, None]:
        """Yield each image as it is made.

        Raises Cancelled if the job was cancelled, and Incomplete at the end if some images failed.
        """
        with closing(self._job.iterate_placed()) as events:
            for _, image in follow(events, self._tally, self._bar):
                yield image
        if error := self._tally.build_failure():
            hint = "The others are on the sheet: to request only the missing ones, copy its cell and run it."
            raise make_incomplete(len(self._asked), error.failures, hint if self._tally.made else "", error.made)

    def build_sheet(self) -> Generations | None:
        """Return the final sheet, or None if there is no image."""
        return self._tally.collect_generations() if self._tally.made else None


class _FillingSheet:
    """An incomplete sheet, drawn in place of the panel's result until the user brings something else back there."""

    def __init__(self, view: View, show: Callable[[Shown], None]) -> None:
        self._view, self._show = view, show
        self._image = NOTHING
        self._begun = False

    def draw_image(self, jpeg: bytes, text: str) -> None:
        data = {"image/jpeg": base64.b64encode(jpeg).decode(), "text/plain": text}
        self._image = Output(data, {"image/jpeg": {"alt": text}})
        if self._begun:
            self._view.show_again(self)
        else:
            self._show(self)
        self._begun = True

    def build_outputs(self) -> list[Output]:
        return [self._image, NOTHING]

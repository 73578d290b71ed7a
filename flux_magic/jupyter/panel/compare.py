"""A comparison: the fields that say what it varies, its sheet as it fills in, and what makes a sheet again."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Final

from ipywidgets import Button, HBox, Layout, Text

from ...client.batch import Tally, incomplete
from ...client.many import followed
from ...client.progress import ProgressLine, Screen, SheetBar
from ...parameters import grammar
from ...parameters.sizes import size_text
from ...records.command import needed_options, write_cell
from ...results.generation import Generation
from ...results.generations import Generations
from ...results.output import Output
from ...sweeps.requests import Sweep
from ...sweeps.template import escape
from .controls import LABEL, bind
from .output import NOTHING, Shown, View
from .parameters import COMPARED, Parameters, parameters_of, trait_of
from .queue import PanelTask

_EXAMPLES: Final = {"seed": "1..4", "steps": "1,2,4,8"}


class CompareRow:
    """A text for each parameter that a comparison varies, linked with its trait, and the button.

    Args:
        parameters: what the texts set.
        pressed: called when "Compare" is pressed.
    """

    def __init__(self, parameters: Parameters, pressed: Callable[[], None]) -> None:
        self.seeds, self.steps = (self._text(parameters, name) for name in COMPARED)
        self.button = Button(
            description="Compare", icon="th", tooltip="Make an image of each combination, and show them as one sheet"
        )
        self.button.on_click(lambda _: pressed())
        self.widget = HBox([self.seeds, self.steps, self.button])
        self.widget.add_class("flux-magic-row").add_class("flux-magic-compare")

    @staticmethod
    def _text(parameters: Parameters, name: str) -> Text:
        called, trait = COMPARED[name], trait_of(name)
        text = Text(
            description=called,
            placeholder=_EXAMPLES[name],
            tooltip=f"{called} to compare, for example {_EXAMPLES[name]}",
            style=LABEL,
            layout=Layout(width="14em"),
        )
        bind(parameters, trait, text)
        return text


class ComparisonView:
    """One comparison on its way, which shows how far it is.

    Args:
        job: what it is to make.
        asked: its images.
        status: where it says so.
        view: where its sheet is.
        show: puts the sheet there.
    """

    def __init__(self, job: PanelTask, asked: Sweep, status: Screen, view: View, show: Callable[[Shown], None]) -> None:
        self._job, self._asked = job, asked
        self._tally = Tally(asked, job.settings)
        self._bar = SheetBar(status, _FillingSheet(view, show), len(asked), self._tally.sheet)
        status.draw(ProgressLine(f"0 of {len(asked)} images; connecting", 0, len(asked)))

    def images(self) -> Generator[tuple[Generation, str], None, None]:
        """Each image as it is made, and what tells it from the others: `seed 2, steps 4`.

        Raises as `Job.placed_events`; at the end Incomplete, where some failed.
        """
        with closing(self._job.placed_events()) as events:
            for place, image in followed(events, self._tally, self._bar):
                yield image, self._asked.label(place)
        if error := self._tally.failure():
            hint = "The others are on the sheet: its cell, copied and run, asks for the missing ones alone."
            raise incomplete(len(self._asked), error.failures, hint if self._tally.made else "", error.made)

    def sheet(self) -> Generations | None:
        """The sheet as it stays; None where there is no image."""
        return self._tally.generations() if self._tally.made else None


class _FillingSheet:
    """A sheet that is not whole yet, drawn where the panel's result is, until something else is brought back there."""

    def __init__(self, view: View, show: Callable[[Shown], None]) -> None:
        self._view, self._show = view, show
        self._picture = NOTHING
        self._begun = False

    def draw_picture(self, jpeg: bytes, text: str) -> None:
        data = {"image/jpeg": base64.b64encode(jpeg).decode(), "text/plain": text}
        self._picture = Output(data, {"image/jpeg": {"alt": text}})
        if self._begun:
            self._view.show_again(self)
        else:
            self._show(self)
        self._begun = True

    def outputs(self) -> list[Output]:
        return [self._picture, NOTHING]


def seed_of(shown: Generation | Generations | None) -> int | None:
    """The seed of what is shown; None where there are several, or it is not known."""
    seeds = {shown.seed} if isinstance(shown, Generation) else {one.seed for one in shown or ()}
    return seeds.pop() if len(seeds) == 1 else None


def taken_from(sheet: Generations) -> dict[str, Any]:
    """The parameters that make the images of a sheet again; what it does not vary has the value that all have."""
    varied = {axis.name: grammar.written(axis.values) for axis in sheet.axes}
    same = {name: value for name, value in parameters_of(sheet[0].record).items() if name not in varied}
    return same | {trait_of(name): varied.get(name, "") for name in COMPARED}


def cell_of(sheet: Generations) -> str:
    """The cell that makes a sheet again: running it sends the same requests.

    Empty where the prompt is varied, whose text with places for the values is not known here.
    """
    varied = {axis.name: grammar.written(axis.values) for axis in sheet.axes}
    if not sheet or not varied or not varied.keys() <= COMPARED.keys():
        return ""
    options = needed_options(sheet[0].record)
    text, size = options.pop("prompt"), size_text(options.pop("width"), options.pop("height"))
    others = {name: value for name, value in options.items() if name not in varied}
    made = write_cell(text, **varied, **others, size=size)
    return made if made.startswith("%%flux") else _call_of(sheet)  # no cell can hold every prompt


def _call_of(sheet: Generations) -> str:
    """As `cell_of`, in Python."""
    record = sheet[0].record
    same = parameters_of(record) | {"space": record.requested_space}
    text = same.pop("prompt")
    varied = {axis.name: list(axis.values) for axis in sheet.axes}
    given = {name: value for name, value in same.items() if value is not None and name not in varied} | varied
    listed = "".join(f", {name}={value!a}" for name, value in given.items())
    return f"import flux_magic\n\nflux_magic.sweep({escape(text)!a}{listed})"

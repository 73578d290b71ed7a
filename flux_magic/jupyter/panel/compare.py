"""Comparisons: the fields that say what varies, the sheet as it fills in, and the cell that makes a sheet again."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Final

from ipywidgets import Button, HBox, Layout, Text

from ...client.batch import Tally, make_incomplete
from ...client.many import follow
from ...client.progress import ProgressLine, Screen, SheetBar
from ...parameters import grammar
from ...parameters.sizes import format_size
from ...records.command import get_needed_options, write_cell
from ...results.generation import Generation
from ...results.generations import Generations
from ...results.output import Output
from ...sweeps.requests import Sweep
from ...sweeps.template import escape
from .controls import LABEL, bind
from .output import NOTHING, Shown, View
from .parameters import COMPARED, Parameters, get_parameters, get_trait
from .queue import PanelTask

_EXAMPLES: Final = {"seed": "1..4", "steps": "1,2,4,8"}


class CompareRow:
    """A field for each parameter that a comparison varies, linked with its trait, and the button.

    Args:
        parameters: what the fields set.
        pressed: called when "Compare" is pressed.
    """

    def __init__(self, parameters: Parameters, pressed: Callable[[], None]) -> None:
        self.seeds, self.steps = (self._make_text(parameters, name) for name in COMPARED)
        self.button = Button(
            description="Compare", icon="th", tooltip="Make an image of each combination, and show them as one sheet"
        )
        self.button.on_click(lambda _: pressed())
        self.widget = HBox([self.seeds, self.steps, self.button])
        self.widget.add_class("flux-magic-row").add_class("flux-magic-compare")

    @staticmethod
    def _make_text(parameters: Parameters, name: str) -> Text:
        called, trait = COMPARED[name], get_trait(name)
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

    def iterate_images(self) -> Generator[tuple[Generation, str], None, None]:
        """Yield each image as it is made, with what tells it from the others: `seed 2, steps 4`.

        Raises Cancelled if the job was cancelled, and Incomplete at the end if some images failed.
        """
        with closing(self._job.iterate_placed()) as events:
            for place, image in follow(events, self._tally, self._bar):
                yield image, self._asked.format_label(place)
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


def find_seed(shown: Generation | Generations | None) -> int | None:
    """Return the seed of what is shown; None if there are several seeds, or if it is not known."""
    seeds = {shown.seed} if isinstance(shown, Generation) else {one.seed for one in shown or ()}
    return seeds.pop() if len(seeds) == 1 else None


def collect_parameters(sheet: Generations) -> dict[str, Any]:
    """Return the parameters that make the images of a sheet again, with the shared value of what does not vary."""
    varied = {axis.name: grammar.format_values(axis.values) for axis in sheet.axes}
    same = {name: value for name, value in get_parameters(sheet[0].record).items() if name not in varied}
    return same | {get_trait(name): varied.get(name, "") for name in COMPARED}


def write_sheet_cell(sheet: Generations) -> str:
    """Return the cell that makes a sheet again: running it sends the same requests.

    It is empty if the prompt varies, as its template is not known here.
    """
    varied = {axis.name: grammar.format_values(axis.values) for axis in sheet.axes}
    if not sheet or not varied or not varied.keys() <= COMPARED.keys():
        return ""
    options = get_needed_options(sheet[0].record)
    text, size = options.pop("prompt"), format_size(options.pop("width"), options.pop("height"))
    others = {name: value for name, value in options.items() if name not in varied}
    made = write_cell(text, **varied, **others, size=size)
    return made if made.startswith("%%flux") else _write_sheet_call(sheet)  # some prompts do not fit into a cell


def _write_sheet_call(sheet: Generations) -> str:
    """Return the Python call that makes a sheet again."""
    record = sheet[0].record
    same = get_parameters(record) | {"space": record.requested_space}
    text = same.pop("prompt")
    varied = {axis.name: list(axis.values) for axis in sheet.axes}
    given = {name: value for name, value in same.items() if value is not None and name not in varied} | varied
    listed = "".join(f", {name}={value!a}" for name, value in given.items())
    return f"import flux_magic\n\nflux_magic.sweep({escape(text)!a}{listed})"

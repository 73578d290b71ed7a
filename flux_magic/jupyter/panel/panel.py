"""The panel: its parts put together, and the work of its buttons."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display
from ipywidgets import HTML, Box, Button, HBox, Layout, VBox
from traitlets import Bool, Instance, TraitError, Tuple, observe, validate
from traitlets.utils.bunch import Bunch

from ...client import blocking, runner
from ...client.target import resolve_target
from ...errors import FluxError, InvalidArgument, InvalidRequest, TimedOut, show_value
from ...parameters.calls import check_class
from ...parameters.dialects import explain
from ...parameters.placeholders import escape
from ...parameters.settings import check_one_size, resolve
from ...results.generation import Generation
from ...results.generations import Generations
from ...results.recall import Recalled
from ...sweeps.template import Template
from ..widgets import close_widgets, start_thread
from .compare import COMPARE, CompareRow
from .controls import Controls
from .copy_and_save import Keeper
from .folds import FOLDS, Folds, make_key_hint
from .inquiry import Inquiry, find_unnamed
from .labels import Result
from .memory import Memory, find_path
from .output import Shown, View
from .parameters import InvalidTrait, Parameters, list_options
from .queue import PanelQueue, PanelTask
from .refusals import Refusals
from .requests import build_comparison, build_press, get_configured, get_parameters, read_prompt, take_one
from .sheets import collect_parameters, find_seed
from .status import StatusLine
from .strip_style import STRIP_STYLE
from .style import STYLE
from .thumbnails import Strip
from .worker import Work

if TYPE_CHECKING:
    from .browser import Extras

GRACE: Final = 0.1
"""Seconds from a press to the reading of what is set.

While a kernel is busy, a browser holds back all but the first change of a widget, and sends the rest after a press. A
page with Extras is asked for the rest; any other page has this long to send it.
"""

_GENERATE: Final = "Make an image"
_EMPTY: Final = "the prompt is empty: say in words what the image shows"


@check_class
class Panel(Parameters, VBox):
    """Sliders and buttons for the options of `%%flux`, with the result below them.

    Args:
        generation: the first image on view, with what made it; or what `flux_magic.recall` found.
        new: whether to start over, in place of what was set when this cell last opened a panel.
        options: the panel's first values: the attributes of `Parameters`, such as `prompt`, `model`, `provider`,
            `space`, `size`, `steps`, `seed`, `guidance`, `parameters`, `images`, `count` and `compared`. Those
            left out come from `generation`, else from what was set when the same cell of the notebook last opened a
            panel, else from `%config FluxMagics`, the environment, the defaults. `layout` is that of ipywidgets.

    Each of the options is a trait, to `observe` and `link`, and so are:

    Attributes:
        generation: the image on view, a Generation, or None; while a sheet is on view, the last image before it. A job
            sets it on the panel's own thread, where an observer may take its time and make images of its own. A press
            in the strip sets it on the kernel's thread.
        generations: the sheet on view, the Generations of a comparison, or None if an image is on view. It is set
            likewise, once the sheet is complete or was cancelled.
        busy: whether a job runs or waits; read only. It becomes True on the thread of the press, and False on the
            panel's own.
        folds: the names of the parts that are open, of `parameters`, `model`, `compare` and `save`; none at first.
            It is an option as well.

    Raises InvalidTrait, which is a TraitError, for a value that is not allowed; InvalidArgument, which is a TypeError,
    for an unknown option.
    """

    generation = Instance(Generation, allow_none=True)
    generations = Instance(Generations, allow_none=True)
    busy = Bool(False)
    folds = Tuple()

    def __init__(
        self, generation: Generation | Generations | Recalled | None = None, *, new: bool = False, **options: Any
    ) -> None:
        recalled = generation.usable if isinstance(generation, Recalled) else {}
        recalled = {name: value for name, value in recalled.items() if name in list_options()}
        if "prompt" in recalled:
            recalled["prompt"] = escape(recalled["prompt"])
        shown_first = take_one(generation)
        start = get_configured() | recalled | (get_parameters(shown_first) if shown_first else {})
        options = self._check_options(options)
        super().__init__(**start | options)
        if options.get("space") and not self.has_space:
            resolve_target(resolve(**self.place | {"space": options["space"]}), self.model)  # it refuses that
        self._memory = Memory(self, options, find_path() if generation is None else None, new=new)
        unnamed = "" if shown_first is None else find_unnamed(self, shown_first, options)
        remembered = self._memory.find_shown()
        self._closed = False
        self._cancels = 0
        self._status = StatusLine(lambda: self._jobs.waiting)
        self._inquiry = Inquiry(self, self._status, lambda: self.busy, unnamed, self._name_folds)
        self._refusals = Refusals(self._update_generate)
        self._controls = Controls(self, keep=self._keep_seed, failed=self._status.fail, refusals=self._refusals)
        self._keeper = Keeper(self._status, self.use)
        self._row = CompareRow(self, pressed=lambda: self._on_press(self.compare))
        self._view, self._strip = View(), Strip(self._bring_back, self.use)
        self._work = Work(self._status, self._view, self._strip, show=self._show, put=self._set_observed)
        self._jobs = PanelQueue(self._do, self._settle)
        earlier = list(blocking.history)
        self._make_buttons()
        self._extras = self._make_extras()
        self.children = self._lay_out()
        self.add_class("flux-magic-panel").add_class("flux-panel")
        for update in (self._mark_edits, self._name_folds):
            update()
            self.on_model(update)
        self.observe(lambda _: self._mark_edits(), "images")
        self.observe(lambda _: self._update_generate(), "prompt")
        self.observe(lambda _: self._update_keep(), "seed")
        if isinstance(remembered, Generations):
            self._strip.add(remembered)
            self.generations = remembered
        else:
            self.generation = shown_first or remembered
        self._report_missing(shown_first)
        self._memory.add(earlier)
        start_thread(lambda: self._strip.fill([*self._memory.find_others(earlier), *earlier]))
        self._inquiry.begin()

    @classmethod
    def _check_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options after checking that they exist: parameters, and what a subclass adds."""
        added = [name for name in cls.class_traits() if name not in Panel.class_traits()]
        allowed = [*list_options(), "folds", "layout", *added]
        if unknown := sorted(options.keys() - set(allowed)):
            meant = explain(unknown[0], allowed) or f"there are {', '.join(allowed)}"
            raise InvalidArgument(f"a Panel has no option {unknown[0]}; {meant}")
        check_one_size(options)
        return {name: value for name, value in options.items() if value is not None or name == "seed"}

    def _make_buttons(self) -> None:
        self._generate = Button(description="Generate", button_style="primary", icon="play", tooltip=_GENERATE)
        self._cancel = Button(description="Cancel", icon="stop", tooltip="End this panel's jobs", disabled=True)
        self._generate.on_click(lambda _: self._on_press(self.generate))
        self._cancel.on_click(lambda _: self.cancel())
        self._update_generate()

    def _make_extras(self) -> Extras | None:
        if "google.colab" in sys.modules:  # Colab shows third-party widgets only if the user has allowed it
            return None
        try:
            from .browser import Extras
        except ImportError:
            return None
        self._controls.inputs.offer_drop()
        return Extras(
            pressed=lambda: self._on_press(self.generate),
            compared=lambda: self._on_press(self.compare),
            copied=self._keeper.on_copied,
            given=self._controls.inputs.add,
            view=self._view,
            panel=self.model_id,
        )

    def _lay_out(self) -> tuple[Any, ...]:
        style, extras = (Box(inside, layout=Layout(display="none")) for inside in ([HTML(STYLE + STRIP_STYLE)], []))
        controls, actions = self._controls, VBox([self._keeper.widget, self._keeper.cell])
        parts = {"parameters": controls.own, "model": controls.place, "compare": self._row.widget, "save": actions}
        self._folds = Folds(self, parts)
        left = VBox(
            [
                controls.prompt,
                HBox([self._generate, self._cancel, make_key_hint("generates")]).add_class("flux-magic-row"),
                self._status.widget,
                controls.inputs.widget,
                controls.main,
                self._folds.widget,
                self._strip.widget,
            ]
        )
        if self._extras:
            # Sent in a message of its own: a page that cannot load it drops only that. Otherwise ipywidgets 7 would
            # # drop the panel.
            extras.children = (self._extras,)
        columns = HBox([left.add_class("flux-magic-controls"), self._view.widget])
        return style, extras, columns.add_class("flux-magic-columns")

    def _name_folds(self) -> None:
        """Show what is set in folds that may be closed."""
        self._folds.name("model", self._controls.describe_place())
        is_asking = self._inquiry.is_asking and not self.at_hand.is_described
        self._folds.name("parameters", "asking the Space what it takes" if is_asking else "")
        self._folds.offer("parameters", is_there=is_asking or bool(self._controls.own.children))

    def generate(self) -> None:
        """Press Generate: queue a job for what is set, and return at once.

        Raises InvalidRequest if it cannot be requested. Later errors are shown in the status line, and raised by
        `wait`.
        """
        self._ask(lambda prompt: PanelTask(*build_press(self, prompt)))

    def compare(self) -> None:
        """Press Compare: queue a job for each combination of the values in `compared`, as `generate` does.

        Several images are made at once, at most 16 in one go. If some fail, `wait` raises Incomplete, and the others
        are on the sheet.
        """

        def plan(prompt: Template) -> PanelTask:
            sweep, settings = build_comparison(self, prompt)
            return PanelTask(sweep.requests, settings, sweep)

        self._ask(plan)

    def _ask(self, plan: Callable[[Template], PanelTask]) -> None:
        if self._closed:
            raise InvalidRequest("the panel is closed: open another")
        self._status.clear()
        if why := self._find_hindrance():  # it is in the status line
            raise InvalidRequest(why)
        try:
            prompt, notes = read_prompt(self)
            job = plan(prompt)
        except FluxError as error:
            self._status.fail(error)
            raise
        self._status.remark("\n".join(notes))
        self._jobs.add(job)

    def cancel(self) -> int:
        """Press Cancel: end the running job of this panel, drop those behind it, and return how many there were."""
        self._cancels += 1
        if self._jobs.pending:
            self._status.say("cancelling")
        ended = self._jobs.cancel()
        if not self._jobs.pending and self._status.text == "cancelling":
            self._status.say("cancelled")
        return ended

    def wait(self, timeout: float | None = None) -> Generation | Generations | None:
        """Wait until this panel has nothing to do, at most `timeout` seconds; an interrupt ends only the wait.

        Returns what is on view: an image, or the Generations of a sheet. Raises the error of the last job, if any, and
        TimedOut. Raises WouldDeadlock in an observer of the panel, which would wait for itself.
        """
        if not isinstance(timeout, numbers.Real | None):
            raise InvalidArgument(f"timeout is {show_value(timeout)}: give seconds")
        with runner.hide_traceback():
            if not self._jobs.wait(timeout):
                raise TimedOut(f"the panel is still busy after {timeout:g} s", "Wait longer, or cancel().")
        self._view.refresh()
        if self._work.failure is not None:
            raise self._work.failure
        return self._on_view

    def close(self) -> None:
        """End the panel's jobs and take its widgets off the page; the outputs below it stay."""
        if not getattr(self, "_closed", True):
            self._closed = True
            self._memory.close()
            self.cancel()
            self._inquiry.close()
            self._strip.close()
            self._controls.close()
            close_widgets(self.children)
            self.layout.close()
        super().close()

    def _on_press(self, ask: Callable[[], None]) -> None:
        cancels = self._cancels

        def press() -> None:
            if self._extras is not None:
                self._extras.settle()
            if cancels == self._cancels:
                with suppress(FluxError):  # it is in the status line
                    ask()

        start_thread(press, delay=GRACE)

    def _do(self, job: PanelTask) -> None:
        if self._work.do(job):
            self._inquiry.ask_again()

    def _set_observed(self, name: str, value: object) -> None:
        """Set a trait whose observers may fail: their errors end no job."""
        try:
            setattr(self, name, value)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs into the status line and to `wait`
            self._work.on_failure(error)

    def _settle(self) -> None:
        """Update `busy`; of two threads that come here at once, the one that looks last is right."""
        while (self.busy, not self._cancel.disabled) != ((busy := self._jobs.pending), busy):
            self._cancel.disabled = not busy
            self._set_observed("busy", busy)

    @property
    def _on_view(self) -> Generation | Generations | None:
        return self.generation if self.generations is None else self.generations

    @validate("folds")
    def _check_folds(self, proposal: Bunch) -> tuple[str, ...]:
        if strange := [name for name in proposal["value"] if name not in FOLDS]:
            raise InvalidTrait(f"there is no fold {show_value(strange[0])}: choose from {', '.join(FOLDS)}")
        return tuple(name for name in FOLDS if name in proposal["value"])

    @observe("generation")
    def _show_image(self, _change: Bunch) -> None:
        if self.generations is None:
            self._show()
        else:
            self._set_observed("generations", None)

    @observe("generations")
    def _show_sheet(self, _change: Bunch) -> None:
        self._show()

    def _show(self, filling: Shown | None = None) -> None:
        """Show what the traits say, or an incomplete sheet."""
        shown = self._on_view if filling is None else None
        self._strip.mark(shown)
        self._keeper.show(shown)
        self._update_keep()
        if self._extras is not None:
            self._extras.cell = self._keeper.cell.value
        self._controls.show_used_seed(find_seed(shown))
        self._view.show(shown if filling is None else filling)  # the last: once it is seen, all the rest is there

    def _find_hindrance(self) -> str:
        """Return why nothing can be made of what is set; empty if it can."""
        return str(self._refusals) or ("" if self.prompt.strip() else _EMPTY)

    def _update_generate(self) -> None:
        """Show why nothing can be made, where Generate and Compare are, and on the status line."""
        why = self._find_hindrance()
        for button, does in ((self._generate, _GENERATE), (self._row.button, COMPARE)):
            button.disabled, button.tooltip = bool(why), why or does
        self._status.block(why, is_wrong=why != _EMPTY)

    def _update_keep(self) -> None:
        self._controls.keep.disabled = find_seed(self._on_view) in {None, self.seed}

    def _bring_back(self, result: Result) -> None:
        """Bring an earlier result back, with its parameters."""
        if isinstance(result, Generations):
            self._set_observed("generations", result)
        else:
            self._set_observed("generation", result)
            self._set_observed("generations", None)
        if self._view.shown is not result:  # a sheet that fills in
            self._show()
        self._controls.size.show_listed()
        try:
            self.take(**(collect_parameters(result) if isinstance(result, Generations) else get_parameters(result)))
        except (InvalidRequest, TraitError) as error:
            self._status.fail(error)
        self._report_missing(result)

    def _report_missing(self, result: Result | None) -> None:
        """Report images that went in and are not here: the store has them no more, or never had."""
        first = result[0] if isinstance(result, Generations) else result
        if first is not None and (number := len(first.record.images) - len(self.images)) > 0:
            several = "an image that went in is" if number == 1 else f"{number} images that went in are"
            self._status.fail(InvalidRequest(f"{several} not in the store: choose the file under Image"))

    def use(self, image: Generation) -> None:
        """Press "Use as input" of an image: it goes in, if the model takes one; else the status line says why not."""
        self._status.clear()
        self._controls.inputs.add(image)

    def _mark_edits(self) -> None:
        """Show the buttons "Use as input" while the model at hand takes images."""
        (self.add_class if self._controls.inputs.are_taken else self.remove_class)("flux-magic-edits")

    def _keep_seed(self) -> None:
        self.seed = find_seed(self._on_view)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:  # noqa: FBT001, FBT002 - ipywidgets'
        """Return the state for a page. One that asks for all of it was opened late: its outputs are not updated."""
        if key is None and hasattr(self, "_view"):
            self._view.open_inside(late=True)
        return super().get_state(key, drop_defaults)

    def __repr__(self) -> str:
        if getattr(self, "_closed", False):
            return "<closed Panel>"
        # What is left to the model is left out here as well.
        names = [one for one in ("prompt", "width", "height", "steps") if getattr(self, one) is not None] + ["seed"]
        return f"Panel({', '.join(f'{name}={show_value(getattr(self, name))}' for name in names)})"

    def _ipython_display_(self, **_kwargs: Any) -> None:
        if self._closed:
            display({"text/plain": repr(self)}, raw=True)
            return
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        display({"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": view}, raw=True)
        self._view.open_below()

"""The widgets of a panel that a person sets its parameters with, and how they follow each other."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from ipywidgets import (
    BoundedIntText,
    Box,
    Button,
    Checkbox,
    Combobox,
    Dropdown,
    HBox,
    IntSlider,
    Layout,
    Textarea,
    ValueWidget,
    VBox,
)
from traitlets import TraitError
from traitlets.utils.bunch import Bunch

from ...parameters.grammar import SIZES
from ...parameters.settings import MAX_SEED, MOST_IMAGES, resolve
from ...parameters.sizes import sides
from ...providers import get_provider, model_names
from ...types import SIZE_STEP
from .parameters import Parameters

_OTHER: Final = "other"
LABEL: Final = {"description_width": "4.5em"}
"""All labels are as wide, so that what they name stands in columns."""


class Controls:
    """The widgets, linked with the traits of `parameters`: each follows the other.

    Args:
        parameters: what they set.
        keep: called when "keep this seed" is pressed.
    """

    def __init__(self, parameters: Parameters, keep: Callable[[], None]) -> None:
        self._parameters = parameters
        self._here = threading.local()
        self.prompt = Textarea(description="Prompt", rows=3, placeholder="what the image shows", style=LABEL)
        self.model = Dropdown(options=model_names(), value=parameters.model, description="Model", style=LABEL)
        self.space = Combobox(description="Space", continuous_update=False, style=LABEL)
        self.size = Dropdown(options=[_OTHER], description="Size", style=LABEL)
        self.width = IntSlider(description="Width", step=SIZE_STEP, style=LABEL)
        self.height = IntSlider(description="Height", step=SIZE_STEP, style=LABEL)
        self.swap = Button(description="Swap", tooltip="Swap width and height", icon="exchange")
        self.steps = IntSlider(description="Steps", style=LABEL)
        self.seed = BoundedIntText(description="Seed", max=MAX_SEED, style=LABEL, layout=Layout(width="14em"))
        self.random = Checkbox(description="random", indent=False, layout=Layout(width="auto"))
        self.keep = Button(description="Keep this seed", tooltip="Use the seed of the image on view", disabled=True)
        self.count = BoundedIntText(
            description="Images", min=1, max=MOST_IMAGES, style=LABEL, layout=Layout(width="9em")
        )
        bind(parameters, "prompt", self.prompt)
        bind(parameters, "model", self.model)
        bind(parameters, "space", self.space)
        bind(parameters, "count", self.count)
        self._link_numbers()
        self._link_seed()
        self.keep.on_click(lambda _: keep())
        self._offer_spaces()
        parameters.observe(lambda _: self._offer_spaces(), ["model", "space"])
        self.widget = self._laid_out()

    def _laid_out(self) -> VBox:
        cells = (
            _row(self.size, self.swap),
            self.steps,
            self.width,
            self.height,
            _row(self.seed, self.random, self.keep),
            self.count,
            self.model,
            self.space,
        )
        return VBox([self.prompt, Box(cells).add_class("flux-magic-grid")])

    def _offer_spaces(self) -> None:
        own = get_provider(self._parameters.model).own_space()
        self.space.placeholder = resolve().space or own
        self.space.options = tuple(dict.fromkeys([own, "local", *filter(None, [self._parameters.space])]))

    def _link_numbers(self) -> None:
        for name in ("width", "height", "steps"):
            slider = self._slider(name)
            slider.observe(lambda change, name=name: self._slid(name, change["new"]), "value")
            self._parameters.observe(lambda _, name=name: self._fit(name), name)
        self._parameters.on_bounds(self._fit_all)
        self._parameters.observe(lambda _: self._show_size(), ["width", "height"])
        self.size.observe(self._sized, "value")
        self.swap.on_click(lambda _: self._swap())
        self._fit_all()

    def _slider(self, name: str) -> IntSlider:
        slider: IntSlider = getattr(self, name)
        return slider

    def _slid(self, name: str, value: int) -> None:
        if self._fitting:
            return
        try:
            setattr(self._parameters, name, value)
        except TraitError:  # a move that was on its way while the bounds became others
            self._fit(name)

    def _fit_all(self) -> None:
        for name in ("width", "height", "steps"):
            self._fit(name)
        self._offer_sizes()

    def _fit(self, name: str) -> None:
        """Give a slider the range and the value that go with each other."""
        slider, value = self._slider(name), getattr(self._parameters, name)
        least, most = self._parameters.range_of(name)
        with self._quiet():
            slider.max = max(slider.max, most)
            slider.min = least
            slider.value = value
            slider.max = most

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Within it a widget's change is ours, and sets no parameter."""
        before, self._here.fitting = self._fitting, True
        try:
            yield
        finally:
            self._here.fitting = before

    @property
    def _fitting(self) -> bool:
        """Of this thread alone: a person's move may come on another at the same time."""
        return getattr(self._here, "fitting", False)

    def _offer_sizes(self) -> None:
        """The usual sizes that this Space takes."""
        (narrow, wide), (low, high) = (self._parameters.range_of(name) for name in ("width", "height"))
        sizes = [sides(text) for text in SIZES]
        fit = [(width, height) for width, height in sizes if narrow <= width <= wide and low <= height <= high]
        with self._quiet():
            self.size.options = [*((_named(*size), size) for size in fit), ("another size", _OTHER)]
        self._show_size()

    def _show_size(self) -> None:
        size = (self._parameters.width, self._parameters.height)
        with self._quiet():
            self.size.value = size if size in dict(self.size.options).values() else _OTHER
        self.swap.disabled = size[0] == size[1]

    def _sized(self, change: Bunch) -> None:
        if not self._fitting and change["new"] != _OTHER:
            width, height = change["new"]
            self._parameters.take(width=width, height=height)

    def _swap(self) -> None:
        self._parameters.take(width=self._parameters.height, height=self._parameters.width)

    def _link_seed(self) -> None:
        self._show_seed()
        self._parameters.observe(lambda _: self._show_seed(), "seed")
        self.random.observe(lambda _: self._seeded(), "value")
        self.seed.observe(lambda _: self._seeded(), "value")

    def _show_seed(self) -> None:
        seed = self._parameters.seed
        with self._quiet():
            self.random.value = self.seed.disabled = seed is None
            if seed is not None:
                self.seed.value = seed

    def _seeded(self) -> None:
        if not self._fitting:
            self._parameters.seed = None if self.random.value else self.seed.value

    def show_used_seed(self, seed: int | None) -> None:
        """Where seeds are random, show the one that the image on view has."""
        if self._parameters.seed is None and seed is not None:
            with self._quiet():
                self.seed.value = min(max(seed, 0), MAX_SEED)


def bind(parameters: Parameters, name: str, widget: ValueWidget) -> None:
    """The trait of this name and the widget's value follow each other."""
    widget.value = getattr(parameters, name)
    parameters.observe(lambda change: setattr(widget, "value", change["new"]), name)
    widget.observe(lambda change: setattr(parameters, name, change["new"]), "value")


def _row(*widgets: Any) -> HBox:
    return HBox(list(widgets)).add_class("flux-magic-row")


def _named(width: int, height: int) -> str:
    """A size with its shape: `▭ 1024 × 768 landscape 4:3`."""
    common = math.gcd(width, height)
    shape, word = ("□", "square") if width == height else ("▭", "landscape") if width > height else ("▯", "portrait")
    return f"{shape} {width} × {height} {word} {width // common}:{height // common}"

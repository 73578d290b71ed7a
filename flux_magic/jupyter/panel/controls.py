"""The widgets of a panel that set its parameters, and the links that keep both the same."""

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
    FloatSlider,
    HBox,
    IntSlider,
    Layout,
    Text,
    Textarea,
    ValueWidget,
    VBox,
)
from traitlets import TraitError
from traitlets.utils.bunch import Bunch

from ...errors import InvalidRequest
from ...parameters.grammar import SIZES
from ...parameters.settings import MOST_IMAGES, resolve
from ...parameters.sizes import split_sides
from ...parameters.table import EXTRA, MAX_SEED, ROWS, Parameter
from ...providers import get_provider, list_model_names
from .parameters import DEFAULTS, UNTOLD, Parameters

_OTHER: Final = "other"
LABEL: Final = {"description_width": "4.5em"}
"""Style that gives all labels the same width, so that the fields form columns."""


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
        self.model = Dropdown(options=list_model_names(), value=parameters.model, description="Model", style=LABEL)
        self.space = Combobox(description="Space", continuous_update=False, style=LABEL)
        self.size = Dropdown(options=[_OTHER], description="Size", style=LABEL)
        self.sliders = {name: _make_slider(ROWS[name]) for name in UNTOLD}
        self.width, self.height, self.steps = (self.sliders[name] for name in ("width", "height", "steps"))
        self.unset = {name: _make_default_box() for name in UNTOLD if name not in DEFAULTS}
        self.fields = {row.name: _make_field(row) for row in EXTRA if not row.slider}
        self.swap = Button(description="Swap", tooltip="Swap width and height", icon="exchange")
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
        for name in self.fields:
            self._link_field(name)
        self.keep.on_click(lambda _: keep())
        self._offer_spaces()
        parameters.observe(lambda _: self._offer_spaces(), ["model", "space"])
        self.widget = self._lay_out()

    def _lay_out(self) -> VBox:
        cells = (
            _make_row(self.size, self.swap),
            self.steps,
            self.width,
            self.height,
            _make_row(self.seed, self.random, self.keep),
            *(_make_row(self.sliders[name], box) for name, box in self.unset.items()),
            *self.fields.values(),
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
        for name, slider in self.sliders.items():
            slider.observe(lambda change, name=name: self._on_slider(name, change["new"]), "value")
            self._parameters.observe(lambda _, name=name: self._fit(name), name)
        for name, box in self.unset.items():
            box.observe(lambda change, name=name: self._on_left(name, is_default=change["new"]), "value")
        self._parameters.on_bounds(self._fit_all)
        self._parameters.observe(lambda _: self._show_size(), ["width", "height"])
        self.size.observe(self._on_size, "value")
        self.swap.on_click(lambda _: self._swap())
        self._fit_all()

    def _on_left(self, name: str, *, is_default: bool) -> None:
        """Leave a parameter to the Space, or take the slider's value for it."""
        if not self._fitting:
            setattr(self._parameters, name, None if is_default else self.sliders[name].value)

    def _on_slider(self, name: str, value: float) -> None:
        if self._fitting:
            return
        try:
            setattr(self._parameters, name, value)
        except TraitError:  # the slider was moved while the bounds changed
            self._fit(name)

    def _fit_all(self) -> None:
        for name in self.sliders:
            self._fit(name)
        self._offer_sizes()

    def _fit(self, name: str) -> None:
        """Give a slider a range and a value that go with each other."""
        slider, value = self.sliders[name], getattr(self._parameters, name)
        least, most = self._parameters.get_range(name)
        with self._keep_quiet():
            slider.max = max(slider.max, most)
            slider.min = least
            if value is not None:
                slider.value = value
            slider.max = most
            if name in self.unset:
                self.unset[name].value = slider.disabled = value is None

    @contextmanager
    def _keep_quiet(self) -> Iterator[None]:
        """Mark the block's changes of widgets as ours, so that they set no parameter."""
        before, self._here.fitting = self._fitting, True
        try:
            yield
        finally:
            self._here.fitting = before

    @property
    def _fitting(self) -> bool:
        """True while this thread changes widgets; a user's change may come on another thread at the same time."""
        return getattr(self._here, "fitting", False)

    def _offer_sizes(self) -> None:
        """Offer the usual sizes that this Space accepts."""
        (narrow, wide), (low, high) = (self._parameters.get_range(name) for name in ("width", "height"))
        sizes = [split_sides(text) for text in SIZES]
        fit = [(width, height) for width, height in sizes if narrow <= width <= wide and low <= height <= high]
        with self._keep_quiet():
            self.size.options = [*((_format_named(*size), size) for size in fit), ("another size", _OTHER)]
        self._show_size()

    def _show_size(self) -> None:
        size = (self._parameters.width, self._parameters.height)
        with self._keep_quiet():
            self.size.value = size if size in dict(self.size.options).values() else _OTHER
        self.swap.disabled = size[0] == size[1]

    def _on_size(self, change: Bunch) -> None:
        if not self._fitting and change["new"] != _OTHER:
            width, height = change["new"]
            self._parameters.take(width=width, height=height)

    def _swap(self) -> None:
        self._parameters.take(width=self._parameters.height, height=self._parameters.width)

    def _link_seed(self) -> None:
        self._show_seed()
        self._parameters.observe(lambda _: self._show_seed(), "seed")
        self.random.observe(lambda _: self._on_seed(), "value")
        self.seed.observe(lambda _: self._on_seed(), "value")

    def _show_seed(self) -> None:
        seed = self._parameters.seed
        with self._keep_quiet():
            self.random.value = self.seed.disabled = seed is None
            if seed is not None:
                self.seed.value = seed

    def _on_seed(self) -> None:
        if not self._fitting:
            self._parameters.seed = None if self.random.value else self.seed.value

    def _link_field(self, name: str) -> None:
        """Link a field that is a list of choices or a string; an empty one leaves the parameter to the Space."""
        field = self.fields[name]

        def show() -> None:
            value = getattr(self._parameters, name)
            with self._keep_quiet():
                field.value = value if isinstance(field, Dropdown) else "" if value is None else str(value)

        def take(change: Bunch) -> None:
            if self._fitting:
                return
            try:
                self._parameters.set_typed(name, change["new"])
            except InvalidRequest:
                show()  # as it was

        show()
        self._parameters.observe(lambda _: show(), name)
        field.observe(take, "value")

    def show_used_seed(self, seed: int | None) -> None:
        """Show the seed of the image on view if seeds are random."""
        if self._parameters.seed is None and seed is not None:
            with self._keep_quiet():
                self.seed.value = min(max(seed, 0), MAX_SEED)


def bind(parameters: Parameters, name: str, widget: ValueWidget) -> None:
    """Link the trait of this name and the widget's value, so that each follows the other."""
    widget.value = getattr(parameters, name)
    parameters.observe(lambda change: setattr(widget, "value", change["new"]), name)
    widget.observe(lambda change: setattr(parameters, name, change["new"]), "value")


def _make_slider(row: Parameter) -> Any:
    if row.kind is int:
        return IntSlider(description=row.label, step=row.multiple_of, style=LABEL)
    return FloatSlider(description=row.label, step=0.1, style=LABEL)


def _make_default_box() -> Checkbox:
    return Checkbox(description="default", indent=False, layout=Layout(width="auto"))


def _make_field(row: Parameter) -> Any:
    if row.choices:
        options = [("the Space's default", None), *((choice, choice) for choice in row.choices)]
        return Dropdown(options=options, description=row.label, style=LABEL)
    return Text(placeholder="the Space's default", continuous_update=False, description=row.label, style=LABEL)


def _make_row(*widgets: Any) -> HBox:
    return HBox(list(widgets)).add_class("flux-magic-row")


def _format_named(width: int, height: int) -> str:
    """Return a size with its shape: `▭ 1024 × 768 landscape 4:3`."""
    common = math.gcd(width, height)
    shape, word = ("□", "square") if width == height else ("▭", "landscape") if width > height else ("▯", "portrait")
    return f"{shape} {width} × {height} {word} {width // common}:{height // common}"

"""The controls of a model's parameters, made from its rows: sliders, choices, switches and fields for words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ipywidgets import Checkbox, Dropdown, FloatSlider, HBox, IntSlider, Layout
from traitlets import TraitError
from traitlets.utils.bunch import Bunch

from ...errors import InvalidRequest
from ...parameters.table import SIDES, Parameter, format_value
from ..widgets import close_widgets
from .parameters import Parameters, get_label
from .quiet import is_quiet, keep_quiet
from .refusals import Refusals, Typed

LABEL: Final = {"description_width": "5.2em"}
"""Style that gives the labels of most fields the same width, so that they form columns."""

_LONG_LABEL: Final = {"description_width": "8.5em"}
_SHORT: Final = 8
"""The number of characters that fit into a label of the usual width."""


class Field:
    """The control of one parameter, which follows its value, and sets it.

    Args:
        parameters: what it sets.
        row: of the parameter.
        failed: called with the error of a value that is not allowed, and that was not typed.
        refusals: what was typed and is not allowed.

    Attributes:
        control: the widget with the value.
        widget: all of it.
    """

    def __init__(
        self,
        parameters: Parameters,
        row: Parameter,
        failed: Callable[[BaseException], None],
        refusals: Refusals,
    ) -> None:
        self.row, self._parameters, self._failed, self._refusals = row, parameters, failed, refusals
        self.control = self._make_control()
        self.widget: Any = self._lay_out()
        self.control.observe(self._on_change, "value")
        self.adapt(row)

    def _make_control(self) -> Any:
        raise NotImplementedError

    def _lay_out(self) -> Any:
        return self.control

    def adapt(self, row: Parameter) -> None:
        """Take over another range, default or name, and show the value."""
        self.row = row
        label = get_label(row)
        self.control.style.description_width = (LABEL if len(label) <= _SHORT else _LONG_LABEL)["description_width"]
        self.control.description = label
        self.control.tooltip = row.help
        self.show()

    def show(self) -> None:
        """Show the parameter's value, unless the model at hand has no such parameter: then this is about to go."""
        if self.row.name not in self._parameters.rows:
            return
        with keep_quiet():
            self._show(self._parameters.get_value(self.row.name))

    def _show(self, value: Any) -> None:
        raise NotImplementedError

    def _on_change(self, change: Bunch) -> None:
        if is_quiet():
            return
        try:
            self._take(change["new"])
        except (InvalidRequest, TraitError) as error:  # it was changed while its range did, or is no number
            self.show()
            self._failed(error)

    def _take(self, value: Any) -> None:
        self._parameters.set_value(self.row.name, value)

    def close(self) -> None:
        """Close all widgets."""
        close_widgets([self.widget])

    def _make_typed(self, **field: Any) -> Typed:
        return Typed(lambda text: self._parameters.set_typed(self.row.name, text), self._refusals, **field)


class Slider(Field):
    """A slider for a number with a range, a field to type it, and a box that leaves the parameter to the model.

    The slider has no number of its own: stock widgets move one that is out of the range, and do not say so.
    """

    def _make_control(self) -> Any:
        self.left = Checkbox(description="default", indent=False, layout=Layout(width="auto"))
        self.left.tooltip = "Leave this to the model"
        self.left.add_class("flux-magic-left").observe(self._on_left, "value")
        self.typed = self._make_typed(layout=Layout(width="4.5em"))
        self.typed.widget.add_class("flux-magic-number")
        return (IntSlider if self.row.kind is int else FloatSlider)(readout=False)

    def _lay_out(self) -> Any:
        return HBox([self.control, self.typed.widget, self.left]).add_class("flux-magic-row")

    def adapt(self, row: Parameter) -> None:
        super().adapt(row)
        self.typed.widget.description = f"{get_label(row)}, as a number"

    def close(self) -> None:
        self.typed.drop()
        super().close()

    def _show(self, value: Any) -> None:
        row, slider = self.row, self.control
        least, most = self._parameters.get_range(row.name)
        slider.step = self._find_step(least, most)
        known = row.default if value is None else value
        slider.max = max(slider.max, most)
        slider.min = least
        if isinstance(known, int | float):
            slider.value = min(max(known, least), most)
        slider.max = most
        self.typed.show("" if known is None else format_value(known))
        self.typed.widget.placeholder = "default"
        self.left.value = value is None
        self.left.layout.display = None if self._parameters.is_left(row.name) and row.name not in SIDES else "none"
        slider.disabled = not isinstance(known, int | float)

    def _find_step(self, least: float, most: float) -> float:
        if self.row.kind is int:
            is_known = not self._parameters.is_left(self.row.name)  # a model that takes every multiple
            return self.row.multiple_of if is_known else max(int(self.row.step), self.row.multiple_of)
        return self.row.step or (0.1 if most - least > 2 else 0.01)

    def _on_left(self, change: Bunch) -> None:
        if not is_quiet():
            self._parameters.set_value(self.row.name, None if change["new"] else self.control.value)


_LEFT: Final = object()
"""The choice that leaves a parameter to the model; a list with no choice at all would look empty."""


class Choice(Field):
    """A list of choices, of which the first leaves the parameter to the model."""

    def _make_control(self) -> Any:
        return Dropdown()

    def _show(self, value: Any) -> None:
        choices = self.row.choices or (True, False)
        named = self.row.default if self.row.default in choices else None
        default = f"the {self._parameters.at_hand.called}'s default" if named is None else f"default: {_format(named)}"
        self.control.options = [(default, _LEFT), *((_format(choice), choice) for choice in choices)]
        self.control.value = value if value in choices else _LEFT

    def _take(self, value: Any) -> None:
        super()._take(None if value is _LEFT else value)


class Switch(Field):
    """A checkbox; what it has by default is left to the model."""

    def _make_control(self) -> Any:
        return Checkbox(indent=True)

    def _show(self, value: Any) -> None:
        self.control.value = bool(self.row.default if value is None else value)

    def _take(self, value: Any) -> None:
        super()._take(None if value == self.row.default else value)


class Words(Field):
    """A field for words, or for a number without a range; an empty one leaves the parameter to the model."""

    def _make_control(self) -> Any:
        self.typed = self._make_typed()
        return self.typed.widget

    def _on_change(self, change: Bunch) -> None:
        """Do nothing: `typed` does it."""

    def _show(self, value: Any) -> None:
        default = self.row.default
        called = f"the {self._parameters.at_hand.called}'s default"
        self.control.placeholder = f"{called}{'' if default in (None, '') else f': {default}'}"
        self.typed.show("" if value is None else format_value(value))

    def close(self) -> None:
        self.typed.drop()
        super().close()


def choose_field(row: Parameter) -> type[Field]:
    """Return the kind of control for a parameter."""
    if row.choices or (row.kind is bool and row.default is None):
        return Choice
    if row.kind is bool:
        return Switch
    has_range = row.slider is not None or None not in (row.least, row.most)
    return Slider if row.kind in {int, float} and has_range else Words


def _format(choice: object) -> str:
    return {True: "yes", False: "no"}[choice] if isinstance(choice, bool) else str(choice)

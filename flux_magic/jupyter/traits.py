"""Traits that `%config` and the panel share: those of the table's rows, and a size that follows width and height."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import HasTraits, TraitError, TraitType, Unicode, default, observe, validate
from traitlets.utils.bunch import Bunch

from ..errors import InvalidRequest, show_value
from ..parameters.sizes import format_size, read_size, split_sides
from ..parameters.table import ROWS, Parameter

if TYPE_CHECKING:
    _Text = Unicode[Any, Any]
    _Trait = TraitType[Any, Any]
else:
    _Text = Unicode
    _Trait = TraitType  # before traitlets 5.10, as in Colab's 5.7, a trait takes no types


class Checked(_Trait):
    """A trait whose values a row of the table checks, and whose errors say what is allowed."""

    def __init__(self, row: Parameter, default: Any = None, **options: Any) -> None:
        self.row = row
        super().__init__(default, **options)

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - as traitlets calls it
        if value is None or (isinstance(value, str) and not value and self.allow_none):
            return None
        try:
            return self.row.check(value)
        except InvalidRequest as error:
            raise TraitError(str(error).replace("leave it out", "None")) from None

    def from_string(self, s: str) -> Any:
        """Return the value of a string on a command line; `validate` refuses an invalid one."""
        try:
            return s if self.row.kind is str else self.row.kind(s)
        except ValueError:
            return s

    def info(self) -> str:
        return self.row.allowed


def make_traits() -> dict[str, Checked]:
    """Return the traits for `%config`: one for each row, or None if it is not set."""
    return {
        name: Checked(row, allow_none=True, help=f"{row.help[:1].upper()}{row.help[1:]}.").tag(config=True)
        for name, row in ROWS.items()
    }


class Size(_Text):
    """A size, set as `"1024x768"` or `(1024, 768)` and kept as `"1024x768"`; empty if it is not set."""

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - as traitlets calls it
        if value is None or (isinstance(value, str) and not value):
            return ""
        try:
            return format_size(*read_size(value))
        except InvalidRequest as error:
            raise TraitError(str(error)) from None


class Engine(_Text):
    """The name of an engine; it may be set to a provider itself, such as a `flux_magic.Pipeline`."""

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - as traitlets calls it
        from ..providers.registry import name_engine  # the magics have no such trait

        try:
            return name_engine(value)
        except InvalidRequest as error:
            raise TraitError(str(error)) from None


def check_sides(owner: HasTraits, size: str) -> None:
    """Raise TraitError if the `width` or `height` trait of the owner cannot take its side of a size."""
    for name, side in zip(("width", "height"), split_sides(size), strict=True):
        owner.traits()[name]._validate(owner, side)  # noqa: SLF001 - traitlets has no other way to ask


class Sized(HasTraits):
    """A `size` that follows the traits `width` and `height`, and that they follow; empty unless both are set."""

    width: int | None
    height: int | None
    size = Size(help="Width and height at once: 1024x768.").tag(config=True)

    @default("size")
    def _format_size(self) -> str:
        return format_size(self.width, self.height) if self.width and self.height else ""

    @validate("size")
    def _check_size(self, proposal: Bunch) -> str:
        if proposal["value"]:
            check_sides(self, proposal["value"])
        return str(proposal["value"])

    @observe("size")
    def _set_sides(self, change: Bunch) -> None:
        if change["new"] != self._format_size():
            with self.hold_trait_notifications():
                self.width, self.height = split_sides(change["new"]) if change["new"] else (None, None)

    @observe("width", "height")
    def _set_size(self, _change: Bunch) -> None:
        self.size = self._format_size()


def explain_error(error: TraitError, trait: Any, value: object) -> str:
    """Return an explanation of a value that a trait refused, in our words unless they already are."""
    text = str(error)
    return f"{trait.name} is {show_value(value)}: give {trait.info()}" if " instance expected " in text else text

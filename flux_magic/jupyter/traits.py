"""Traits that `%config` and the panel share: integers of any kind, and a size that follows width and height."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import HasTraits, Int, TraitError, Unicode

from ..errors import InvalidRequest, shown
from ..parameters.sizes import read_size, sides, size_text
from ..sweeps.requests import whole

if TYPE_CHECKING:
    _Int = Int[Any, Any]
    _Text = Unicode[Any, Any]
else:
    _Text = Unicode
    _Int = Int  # before traitlets 5.10, as in Colab's 5.7, a trait takes no types


class Whole(_Int):
    """An integer of any kind, NumPy's too, whose errors say what is allowed."""

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - as traitlets calls it
        if value is None and self.allow_none:
            return None
        name, least, most = str(self.name), self.min, self.max
        bounds = "" if least is None else f" from {least} {'up' if most is None else f'to {most}'}"
        try:
            number = whole(name, value)
        except InvalidRequest as error:
            raise TraitError(str(error).replace("a whole number", f"a whole number{bounds}")) from None
        if (least is not None and number < least) or (most is not None and number > most):
            random = ", or None for a random one" if name == "seed" else ""
            raise TraitError(f"{name} is {shown(value)}: give a whole number{bounds}{random}")
        return number


class Size(_Text):
    """A size, set as `"1024x768"` or `(1024, 768)` and kept as `"1024x768"`; empty if it is not set."""

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - as traitlets calls it
        if value is None or (isinstance(value, str) and not value):
            return ""
        try:
            return size_text(*read_size(value))
        except InvalidRequest as error:
            raise TraitError(str(error)) from None


def check_sides(owner: HasTraits, size: str) -> None:
    """Raise TraitError if the `width` or `height` trait of the owner cannot take its side of a size."""
    for name, side in zip(("width", "height"), sides(size), strict=True):
        owner.traits()[name]._validate(owner, side)  # noqa: SLF001 - traitlets has no other way to ask


def explained(error: TraitError, trait: Any, value: object) -> str:
    """Return what is wrong with a value that a trait refused, in our words if they are not ours already."""
    text = str(error)
    return f"{trait.name} is {shown(value)}: give {trait.info()}" if " instance expected " in text else text

"""The trait for the images that go in, as a panel takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import TraitError, TraitType

from ...client.inputs import load_image
from ...errors import FluxError
from ...types import InputImage

if TYPE_CHECKING:
    _Trait = TraitType[Any, Any]
else:
    _Trait = TraitType


class Images(_Trait):
    """The images that go in, set as one or several of what `flux_magic.load_image` takes; a tuple of InputImage."""

    default_value = ()

    def validate(self, obj: Any, value: Any) -> tuple[InputImage, ...]:  # noqa: ARG002 - as traitlets calls it
        several = value if isinstance(value, list | tuple) else [] if value is None else [value]
        try:
            return tuple(load_image(one, one.role if isinstance(one, InputImage) else "image") for one in several)
        except FluxError as error:
            raise TraitError(str(error)) from None

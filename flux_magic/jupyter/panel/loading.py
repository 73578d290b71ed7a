"""The trait of the images that go in, and those of an earlier result."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from traitlets import TraitError, TraitType

from ...client.inputs import load_image
from ...errors import FluxError
from ...records.command import name_input
from ...results.generation import Generation
from ...types import InputImage, Record

if TYPE_CHECKING:
    _Trait = TraitType[Any, Any]
else:
    _Trait = TraitType


class Images(_Trait):
    """The images that go in: set as one or several of what `load_image` takes, and kept as a tuple of InputImage."""

    default_value = ()

    def validate(self, obj: Any, value: Any) -> tuple[InputImage, ...]:  # noqa: ARG002 - as traitlets calls it
        several = value if isinstance(value, list | tuple) else [] if value is None else [value]
        try:
            return tuple(load_image(one, one.role if isinstance(one, InputImage) else "image") for one in several)
        except FluxError as error:
            raise TraitError(str(error)) from None


def find_images(result: Generation | Record) -> tuple[InputImage, ...]:
    """Return the images that went in, as far as they are in memory or in the store."""
    if isinstance(result, Generation) and result.request.images:
        return result.request.images
    record, found = result.record if isinstance(result, Generation) else result, []
    for one in record.images:
        with suppress(FluxError):
            found.append(load_image(name_input(one), one.role))
    return tuple(found)

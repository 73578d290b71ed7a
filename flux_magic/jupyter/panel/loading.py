"""The images that go in, as a panel takes them: a result, a file's bytes, or an image that is already loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from traitlets import TraitError, TraitType

from ...errors import FluxError, InvalidRequest, show_value
from ...images import codecs
from ...records.record import compute_key
from ...results.generation import Generation
from ...types import InputImage, InputRecord

if TYPE_CHECKING:
    _Trait = TraitType[Any, Any]
else:
    _Trait = TraitType

MOST_BYTES: Final = 64 * 2**20
"""The largest file that goes in."""


def load_image(given: object, role: str = "image") -> InputImage:
    """Return what goes in for a Generation, the bytes of a file, or an InputImage; `role` is `image` or `mask`.

    Raises NotAnImage for a file that is no image, and InvalidRequest for one above 64 MB and for anything else.
    """
    if isinstance(given, InputImage):
        return given if given.role == role else replace(given, record=replace(given.record, role=role))
    of = (compute_key(given.record) or "") if isinstance(given, Generation) else ""
    data = given.data if isinstance(given, Generation) else given
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidRequest(f"an image that goes in is {show_value(given)}: give a Generation, or a file's bytes")
    if len(data) > MOST_BYTES:
        raise InvalidRequest(f"the image has {len(data) / 2**20:.0f} MB: at most {MOST_BYTES // 2**20} MB can go in")
    data = bytes(data)
    codecs.check_readable("the image", data)
    file = codecs.describe(data)
    record = InputRecord(role, file.media_type, file.width, file.height, file.digest, file.sha256, of)
    return InputImage(record, data)


class Images(_Trait):
    """The images that go in: set as one or several of what `load_image` takes, and kept as a tuple of InputImage."""

    default_value = ()

    def validate(self, obj: Any, value: Any) -> tuple[InputImage, ...]:  # noqa: ARG002 - as traitlets calls it
        several = value if isinstance(value, list | tuple) else [] if value is None else [value]
        try:
            return tuple(load_image(one, one.role if isinstance(one, InputImage) else "image") for one in several)
        except FluxError as error:
            raise TraitError(str(error)) from None

"""PNG, JPEG and WebP alike: each file goes to the module that knows its format."""

from __future__ import annotations

from typing import Final, Protocol

from ..errors import NotAnImage
from ..picture import media_type_of
from . import jpeg, png, webp
from .texts import Found, Written


class _Format(Protocol):
    """What the module of each format offers."""

    def embed(self, data: bytes, carried: Written) -> bytes: ...

    def bare(self, data: bytes) -> bytes: ...

    def read(self, data: bytes) -> Found: ...


_FORMATS: Final[dict[str | None, _Format]] = {"image/png": png, "image/jpeg": jpeg, "image/webp": webp}


def embed(data: bytes, carried: Written) -> bytes:
    """The file with these texts in it, in place of those that an earlier call put there.

    Its pixels and whatever else it holds stay as they are. Raises NotAnImage for a damaged file.
    """
    return _format_of(data).embed(data, carried)


def bare(data: bytes) -> bytes:
    """The file without its EXIF, its XMP and the texts of a PNG, in a form that is the same after `embed`.

    Raises NotAnImage for a damaged file.
    """
    return _format_of(data).bare(data)


def read(data: bytes) -> Found:
    """What the file carries; raises NotAnImage for a damaged file, and for a text of over 8 MiB."""
    return _format_of(data).read(data)


def _format_of(data: bytes) -> _Format:
    known = _FORMATS.get(media_type_of(data))
    if known is None:
        raise NotAnImage(f"this is no PNG, JPEG or WebP but {len(data)} bytes of something else")
    return known

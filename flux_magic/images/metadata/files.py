"""PNG, JPEG, WebP, GIF and AVIF alike: each file goes to the module that knows its format."""

from __future__ import annotations

from typing import Final, Protocol

from ..formats import media_type_of, refusal
from . import jpeg, png, sealed, webp
from .texts import Found, Written


class _Format(Protocol):
    """What the module of each format offers."""

    def embed(self, data: bytes, carried: Written) -> bytes: ...

    def bare(self, data: bytes) -> bytes: ...

    def read(self, data: bytes) -> Found: ...

    def has_credentials(self, data: bytes) -> bool: ...

    def without_credentials(self, data: bytes) -> bytes: ...


_FORMATS: Final[dict[str | None, _Format]] = {
    "image/png": png,
    "image/jpeg": jpeg,
    "image/webp": webp,
    "image/gif": sealed,
    "image/avif": sealed,
}


def embed(data: bytes, carried: Written) -> bytes:
    """The file with these texts in it, in place of those that an earlier call put there.

    Its pixels and whatever else it holds stay as they are, but content credentials are not valid any more: ask
    `has_credentials` first. Raises NotAnImage for a damaged file, a GIF and an AVIF.
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


def has_credentials(data: bytes) -> bool:
    """Return if somebody signed the file: it has content credentials (C2PA), or says where they are.

    If they are valid is another question. Raises NotAnImage for a damaged file.
    """
    return _format_of(data).has_credentials(data)


def without_credentials(data: bytes) -> bytes:
    """The file without its content credentials, its pixels as they were.

    Raises NotAnImage for a damaged file, and for a GIF or AVIF that has some.
    """
    return _format_of(data).without_credentials(data)


def _format_of(data: bytes) -> _Format:
    known = _FORMATS.get(media_type_of(data))
    if known is None:
        raise refusal("this", data)
    return known

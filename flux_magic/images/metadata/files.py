"""PNG, JPEG, WebP, GIF and AVIF alike: each file is passed to the module for its format."""

from __future__ import annotations

from typing import Final, Protocol

from ..formats import detect_media_type, make_refusal
from . import jpeg, png, sealed, webp
from .texts import Found, Written


class _Format(Protocol):
    """The functions of the module for each format."""

    def embed(self, data: bytes, carried: Written) -> bytes: ...

    def remove_metadata(self, data: bytes) -> bytes: ...

    def read(self, data: bytes) -> Found: ...

    def has_credentials(self, data: bytes) -> bool: ...

    def remove_credentials(self, data: bytes) -> bytes: ...


_FORMATS: Final[dict[str | None, _Format]] = {
    "image/png": png,
    "image/jpeg": jpeg,
    "image/webp": webp,
    "image/gif": sealed,
    "image/avif": sealed,
}


def embed(data: bytes, carried: Written) -> bytes:
    """Return the file with these strings in it, in place of those of an earlier call.

    Its pixels and whatever else it holds stay as they are, but content credentials are not valid any more: ask
    `has_credentials` first. Raises NotAnImage for a damaged file, a GIF and an AVIF.
    """
    return _get_format(data).embed(data, carried)


def remove_metadata(data: bytes) -> bytes:
    """Return the file without EXIF, XMP and a PNG's strings, in a form that `embed` does not change.

    Raises NotAnImage for a damaged file.
    """
    return _get_format(data).remove_metadata(data)


def read(data: bytes) -> Found:
    """Read what the file carries; raises NotAnImage for a damaged file, and for a string of over 8 MiB."""
    return _get_format(data).read(data)


def has_credentials(data: bytes) -> bool:
    """Return True if somebody signed the file: it has content credentials (C2PA), or says where they are.

    If they are valid is another question. Raises NotAnImage for a damaged file.
    """
    return _get_format(data).has_credentials(data)


def remove_credentials(data: bytes) -> bytes:
    """Return the file without its content credentials; its pixels do not change.

    Raises NotAnImage for a damaged file, and for a GIF or AVIF that has some.
    """
    return _get_format(data).remove_credentials(data)


def _get_format(data: bytes) -> _Format:
    known = _FORMATS.get(detect_media_type(data))
    if known is None:
        raise make_refusal("this", data)
    return known

"""GIF and AVIF: nothing is written into them, and only the EXIF of an AVIF is read."""

from __future__ import annotations

from typing import Final

from ...errors import NotAnImage
from .. import codecs
from . import exif
from .texts import Found, Written

_CREDENTIALS: Final = (b"\x21\xff\x0bC2PA_GIF", bytes.fromhex("75756964d8fec3d61b0e483c92975828877ec481"))
"""The beginning of content credentials (C2PA): a GIF's application extension, or a box of type `uuid` in an AVIF."""


def embed(data: bytes, carried: Written) -> bytes:  # noqa: ARG001 - as the other formats
    """Refuse: a record of such a file is beside it. Raises NotAnImage."""
    raise NotAnImage("nothing is written into a GIF or an AVIF")


def remove_metadata(data: bytes) -> bytes:
    """Return the file as it is."""
    return data


def read(data: bytes) -> Found:
    """Return the strings in an AVIF's EXIF, if Pillow can open it."""
    texts = exif.read_texts(_read_exif(data), "AVIF") if data[4:8] == b"ftyp" else {}
    return Found(texts.get(exif.COMMENT, ""), texts=texts)


def _read_exif(data: bytes) -> bytes:
    if not codecs.can_read_avif():
        return b""
    try:
        found = codecs.open_image(data, "AVIF").info.get("exif", b"")
    except NotAnImage:
        return b""
    return found if isinstance(found, bytes) else b""


def has_credentials(data: bytes) -> bool:
    """Return True if the file has content credentials (C2PA)."""
    return any(beginning in data for beginning in _CREDENTIALS)


def remove_credentials(data: bytes) -> bytes:
    """Return the file as it is where it has no content credentials; raises NotAnImage if it has."""
    if has_credentials(data):
        raise NotAnImage("content credentials cannot be taken out of a GIF or an AVIF", "Save it as .png.")
    return data

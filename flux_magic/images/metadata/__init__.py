"""Text in image files, read and written without re-encoding any pixels."""

from .a1111 import format_a1111, unescape
from .files import embed, has_credentials, read, remove_credentials, remove_metadata
from .texts import Found, Written
from .xmp import name_source

__all__ = [
    "Found",
    "Written",
    "embed",
    "format_a1111",
    "has_credentials",
    "name_source",
    "read",
    "remove_credentials",
    "remove_metadata",
    "unescape",
]

"""What a picture file carries as text, written and read without re-encoding a pixel."""

from .a1111 import a1111_text, unescaped
from .files import bare, embed, has_credentials, read, without_credentials
from .texts import Found, Written

__all__ = [
    "Found",
    "Written",
    "a1111_text",
    "bare",
    "embed",
    "has_credentials",
    "read",
    "unescaped",
    "without_credentials",
]

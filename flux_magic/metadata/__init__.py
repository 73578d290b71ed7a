"""What a picture file carries as text, written and read without re-encoding a pixel."""

from .a1111 import a1111_text, unescaped
from .files import bare, embed, read
from .texts import Found, Written

__all__ = ["Found", "Written", "a1111_text", "bare", "embed", "read", "unescaped"]

"""Words of others, as a line of a report shows them."""

from __future__ import annotations

from ..errors import FluxError, masked
from ..types import printable


def one_line(text: str, most: int = 300) -> str:
    """`text` on one line of at most this many letters, with nothing in it that steers a terminal, and no secret."""
    kept = masked(printable(text))
    return kept if len(kept) <= most else f"{kept[: most - 3].rstrip()}..."


def reason(error: FluxError | OSError) -> str:
    """An error on one line."""
    return one_line(error.message) if isinstance(error, FluxError) else f"cannot be read: {error.strerror or error}"


def reason_of_file(error: FluxError | OSError) -> str:
    """The same for what is in a file or a notebook: no Space sent that just now."""
    return reason(error).replace("the picture that the Space sent", "the picture")

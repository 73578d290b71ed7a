"""What a person should know beside a result: a line each on stderr, which a notebook shows with the cell."""

from __future__ import annotations

import sys
from typing import Final

MOST_NOTES: Final = 5
"""Notes of one kind that are told; of the rest, how many there are."""


def note(text: str) -> None:
    """Tell a person this."""
    print(f"note: {text}", file=sys.stderr)

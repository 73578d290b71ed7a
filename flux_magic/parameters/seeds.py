"""Seeds: the choice of a random one if the user gives none."""

from __future__ import annotations

import random

from .table import MAX_SEED


def choose_seed(count: int = 1) -> int:
    """Return a random seed that leaves room for `count` successive ones, itself included: 1 to 2147483648 of them."""
    return random.randrange(MAX_SEED - count + 2)

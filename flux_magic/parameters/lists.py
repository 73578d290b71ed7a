"""Lists, arrays and table columns of the notebook, as the values of a sweep."""

from __future__ import annotations

from collections import UserList, deque
from collections.abc import Iterator, KeysView, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from typing import Any


def list_items(value: object) -> list[Any] | None:
    """Return the items of a list, tuple, range, one-dimensional array or table column, or None for anything else.

    The views of a dict count as lists. A string is one value, and a set has no order.
    """
    if isinstance(value, str | bytes | bytearray | memoryview):
        return None
    if isinstance(value, list | tuple | range | deque | UserList | KeysView | ValuesView):
        return list(value)
    for name in ("tolist", "to_list", "to_pylist"):  # NumPy and pandas, polars, pyarrow
        if hasattr(value, name) and not isinstance(value, type) and count_dimensions(value) == 1:
            return list(getattr(value, name)())
    return None


def count_dimensions(value: object) -> int:
    """Return the dimensions of an array or a table, or 1 if it does not say."""
    found = getattr(value, "ndim", None)
    if found is None:
        shape = getattr(value, "shape", None)
        found = len(shape) if isinstance(shape, tuple) else 1
    return found if isinstance(found, int) else 1


def is_many(value: object) -> bool:
    """Return True for a collection of another kind than a list: a set, a dict, a generator, a table."""
    return isinstance(value, AbstractSet | Mapping | Iterator) or count_dimensions(value) > 1


def name_kind(value: object) -> str:
    """Return the type of such a collection in words: `set`, `2-dimensional ndarray`."""
    many = count_dimensions(value)
    return f"{many}-dimensional {type(value).__name__}" if many > 1 else type(value).__name__

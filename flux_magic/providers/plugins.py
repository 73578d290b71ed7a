"""Providers of other packages, found by the entry points that these declare."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import clean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "flux_magic.providers"
"""The group of entry points; each names a subclass of `flux_magic.providers.base.Provider`."""

_lock = threading.RLock()
_seen: dict[tuple[str, str], str] = {}
"""The entry points that were loaded, each with what was wrong with it."""


def load(register: Callable[[Any], object]) -> None:
    """Load each entry point that was not loaded before, and register its class; what fails is one note."""
    from importlib.metadata import entry_points

    with _lock:
        for point in entry_points(group=GROUP):
            key = (point.name, point.value)
            if key in _seen:
                continue
            _seen[key] = ""  # one that asks for a provider as it is loaded does not load itself again
            try:
                register(point.load())
            except Exception as error:  # noqa: BLE001 - whatever another package does at its import
                _seen[key] = f"the provider {_name(point)} is left out: {clean(f'{type(error).__name__}: {error}')}"
                print(f"note: {_seen[key]}", file=sys.stderr)


def troubles() -> list[str]:
    """Return what was wrong with the entry points that are left out, a line each."""
    with _lock:
        return [trouble for trouble in _seen.values() if trouble]


def _name(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else ""
    return clean(f"{point.name} of the package {package}" if package else point.name)

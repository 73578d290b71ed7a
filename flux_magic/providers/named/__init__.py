"""Models whose Spaces are known by name, a file each; a file that is added here is found."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..base import Provider


def find_providers() -> tuple[type[Provider], ...]:
    """Return the providers of the files of this folder, in the order of their names."""
    modules = [import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__)]
    return tuple(
        one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Provider) and one.__module__ == module.__name__
    )

"""Verification of notebooks, images and folders: whether the records still make these images.

The package can be called: `flux_magic.verify(paths)` is the shared client's `Client.verify`. Its names are loaded when
they are first used, so the command line knows its options without loading a client.

Example::

    >>> paths = flux_magic.generate("a red fox", seed=42, quiet=True).save("fox.png")
    >>> flux_magic.verify(paths, static=True).passed
    True
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .command import add_arguments, main
    from .discover import Paths, find_subjects
    from .live import check
    from .report import Report, report_html
    from .similarity import Grade
    from .static import check_static
    from .verdict import Outcome, Status, Verdict

_HOMES = {
    "Grade": "similarity",
    "Outcome": "verdict",
    "Report": "report",
    "Status": "verdict",
    "Verdict": "verdict",
    "add_arguments": "command",
    "check": "live",
    "check_static": "static",
    "find_subjects": "discover",
    "main": "command",
    "report_html": "report",
}

__all__ = [
    "Grade",
    "Outcome",
    "Report",
    "Status",
    "Verdict",
    "add_arguments",
    "check",
    "check_static",
    "find_subjects",
    "main",
    "report_html",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


class _Callable(ModuleType):
    """This package as a function, since both have the name `flux_magic.verify`."""

    def __call__(
        self,
        paths: Paths,
        *,
        space: str | None = None,
        provider: str | None = None,
        concurrency: int = 2,
        static: bool = False,
    ) -> Report:
        """Regenerate images from their records, and check that they are the same: see `Client.verify`."""
        from ..client.client import shared

        return shared.verify(paths, space=space, provider=provider, concurrency=concurrency, static=static)


if TYPE_CHECKING:
    package: _Callable
    """This package, as a type checker sees `flux_magic.verify`."""

sys.modules[__name__].__class__ = _Callable

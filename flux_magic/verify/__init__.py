"""Is this still the image that its record makes? Notebooks, pictures and folders, checked and graded.

The names are loaded when they are first used: the command line knows its options without a client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .command import add_arguments, main
    from .discover import find_subjects
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

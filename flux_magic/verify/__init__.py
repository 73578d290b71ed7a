"""Is this still the image that its record makes? Notebooks, pictures and folders, checked and graded.

The names are loaded when they are first used: the command line knows its options without a client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..verify.discover import find_subjects
    from .command import add_arguments, main
    from .html import report_html
    from .live import check
    from .report import Report
    from .static import check_static
    from .verdict import Grade, Outcome, Status, Verdict

_HOMES = {
    "Grade": "verdict",
    "Outcome": "verdict",
    "Report": "report",
    "Status": "verdict",
    "Verdict": "verdict",
    "add_arguments": "command",
    "check": "live",
    "check_static": "static",
    "find_subjects": "discover",
    "main": "command",
    "report_html": "html",
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

"""The end of widgets with all that is in them, and threads that change widgets while the kernel goes on."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any


def close_widgets(widgets: Iterable[Any]) -> None:
    """Close these widgets and all that are in them, with their layouts and styles."""
    for widget in widgets:
        close_widgets(getattr(widget, "children", ()))
        for part in (getattr(widget, "style", None), widget.layout, widget):
            if part is not None:
                part.close()


def start_thread(work: Callable[[], None], delay: float = 0) -> threading.Thread:
    """Start a thread that does the work after `delay` seconds, and return it.

    It has the caller's context variables, in which ipykernel 7.0 looks for the cell of a widget's message.
    """

    def run_later() -> None:
        time.sleep(delay)
        work()

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(run_later,), name="flux_magic panel", daemon=True
    )
    thread.start()
    return thread

"""The user's code that calls a magic: the frame where the line runs, its names, and what it does with the value.

IPython rewrites `%flux a fox` into a call, and the call does not know if its value is assigned, printed or dropped. The
bytecode after the call shows it, in a cell, a loop, a function and a script alike.
"""

from __future__ import annotations

import dis
import linecache
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from enum import Enum
from types import FrameType
from typing import Any

shows_result: ContextVar[bool] = ContextVar("shows_result", default=False)
"""True while a magic runs whose result will be shown, by the magic or the display hook."""


class Use(Enum):
    """The use that the user's code makes of a value."""

    DROPPED = "dropped"
    PRINTED = "printed"
    """A value that the display hook gets."""
    TAKEN = "taken"
    """A value that is assigned, or part of an expression."""


def find_frame() -> FrameType | None:
    """Return the frame of the user's code that called the magic; None if there is no such code."""
    return _leave(sys._getframe(1))  # noqa: SLF001 - as IPython does, to expand names


def _leave(frame: FrameType | None) -> FrameType | None:
    """Return the first frame that belongs to neither IPython nor this package, from `frame` outwards."""
    while frame is not None and _is_machinery(frame):
        frame = frame.f_back
    return frame


def _is_machinery(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    # IPython 7 wraps each magic by the package `decorator`, which before its version 5 generates a function.
    return package in {"IPython", "flux_magic", "decorator"} or frame.f_code.co_filename.startswith("<decorator-gen")


def find_names(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names where the line runs: a function's own before the notebook's, as for `!echo {name}`."""
    frame = find_frame()
    return {**notebook, **(frame.f_locals if frame is not None else {})}


def find_use() -> Use:
    """Return the use of the magic's value; a value that a function returns is followed to the function's caller."""
    frame = find_frame()
    while frame is not None:
        step = _find_next_instruction(frame)
        if step is None or step.opname != "RETURN_VALUE":
            return _find_use_in(frame, step)
        frame = _leave(frame.f_back)
    return Use.TAKEN


def _find_next_instruction(frame: FrameType) -> dis.Instruction | None:
    """Return the instruction after the call that the frame waits for."""
    return next((step for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti), None)


def _find_use_in(frame: FrameType, step: dis.Instruction | None) -> Use:
    if step is None:
        return Use.TAKEN
    if step.opname == "POP_TOP":
        return Use.DROPPED
    prints = step.opname == "PRINT_EXPR" or (step.opname == "CALL_INTRINSIC_1" and step.arg == 1)  # 3.12 and later
    if not prints:
        return Use.TAKEN
    return Use.DROPPED if _is_silenced_by_another(frame) else Use.PRINTED


def _is_silenced_by_another(frame: FrameType) -> bool:
    """Return True if the display hook is quiet because of a `;` that ends a statement other than this one.

    With `ast_node_interactivity = "all"` a cell's last `;` silences all its lines, and `run_cell("%flux a fox");` the
    cell that it runs.
    """
    is_quiet = getattr(sys.displayhook, "quiet", None)
    if is_quiet is None or not is_quiet():
        return False
    lines = "".join(linecache.getlines(frame.f_code.co_filename)).rstrip().split("\n")
    return lines != [""] and (frame.f_lineno < len(lines) or ";" not in lines[-1])

"""The growth of a work's time with its size, measured at one moment: how busy the machine is plays no part."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMES = 4
"""How much larger the larger one is."""

MOST = 10
"""How much longer it may take: linear is 4, quadratic 16."""

FLOOR = 0.003
"""Seconds that are noise."""


def assert_linear(made: Callable[[int], T], work: Callable[[T], object], size: int) -> None:
    """Fail if in each of five tries the work on four times the size takes far more than four times as long."""
    small, large = made(size), made(TIMES * size)
    ratios = []
    for _ in range(5):
        ratios.append(_measure_seconds(work, large) / max(_measure_seconds(work, small), FLOOR))
        if ratios[-1] < MOST:
            return
    raise AssertionError(f"{TIMES} times as much takes {min(ratios):.0f} times as long")


def _measure_seconds(work: Callable[[T], object], given: T) -> float:
    """Return the time that the processor spent on it for this thread."""
    begin = time.thread_time()
    work(given)
    return time.thread_time() - begin

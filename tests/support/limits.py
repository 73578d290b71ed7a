"""How long tests wait for what must come: long enough for the busiest machine, and a wait ends with what it is for."""

from __future__ import annotations

PATIENCE = 120.0
"""Seconds for one thing: a cell, a request, an element of a page, a thread's end."""

PROGRAM = 300.0
"""Seconds for a program: an interpreter that imports much, a wheel that is built."""

PAGE = 1000 * PATIENCE
"""Milliseconds, for Playwright."""

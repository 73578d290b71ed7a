"""How the properties here are tried."""

from __future__ import annotations

from hypothesis import settings

# How long an example may take is nobody's promise, and a machine may be busy. Other examples are drawn in each run, so
# fewer of them in one find as much over some runs; a property that needs more says so.
settings.register_profile("here", deadline=None, max_examples=50)
settings.load_profile("here")

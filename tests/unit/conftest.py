"""How the properties here are tried."""

from __future__ import annotations

from hypothesis import settings

# How long an example may take is no one's promise, and a machine may be busy. Other examples are drawn in each run, so
# fewer of them in one find as much over some runs; `make test-thorough` draws many.
settings.register_profile("here", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=300)
settings.load_profile("here")

"""How the properties here are tried."""

from __future__ import annotations

from hypothesis import settings

# How long an example may take is nobody's promise, and a machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

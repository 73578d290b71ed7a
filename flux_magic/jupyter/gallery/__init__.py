"""The gallery of the store, which `%flux_history` opens in a notebook."""

from __future__ import annotations

from .gallery import Gallery

__all__ = ["Gallery"]

"""The control panel: `%flux_panel`, or `flux_magic.Panel()` as the last line of a cell."""

from __future__ import annotations

from .panel import Panel
from .parameters import InvalidTrait

__all__ = ["InvalidTrait", "Panel"]

"""Captions and alternative texts with the values of their image in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..parameters import placeholders
from .file_names import get_values

if TYPE_CHECKING:
    from ..parameters.settings import Settings
    from .generation import Generation

OWN: Final = ("prompt", "seed", "steps", "size", "width", "height", "model")
"""The values of an image that its caption and alternative text may name, as in `seed {seed}`."""


def list_own(made: Generation) -> dict[str, object]:
    """Return the values of an image by the names of `OWN`."""
    known = get_values(made.record, made.record.files[0])
    return {name: known[name] for name in OWN}


def fill_words(made: Generation, settings: Settings, values: Mapping[str, object] = MappingProxyType({})) -> Generation:
    """Return an image with its own values and those of a sweep's axes in its caption and alternative text."""
    given = {"caption": settings.caption, "alt": settings.alt}
    filled: dict[str, Any] = {
        name: placeholders.fill_words(text, {**list_own(made), **values}) for name, text in given.items() if text
    }
    return replace(made, **filled) if filled else made

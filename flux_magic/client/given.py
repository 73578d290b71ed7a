"""The images that a call is given to go in: taken from its options, and loaded before anything is sent.

What loads them is imported only for a call that has some.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ..images.inputs import ROLES
from ..parameters.settings import Settings
from ..parameters.table import SIDES
from ..types import ImageRequest, InputImage

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
"""The images of a call that is given none."""


def take_given(options: dict[str, Any]) -> dict[str, Any]:
    """Take `image` and `mask` out of the options of a call, as far as they are given."""
    taken = {role: options.pop(role, None) for role in ROLES}
    return {role: one for role, one in taken.items() if one is not None}


def load_given(given: Mapping[str, Any], settings: Settings) -> tuple[InputImage, ...]:
    """Return the images that go in, for a caller that blocks. Raises as `inputs.load_inputs`."""
    if not given:
        return ()
    from .inputs import load_inputs

    return load_inputs(given, settings)


async def load_given_async(given: Mapping[str, Any], settings: Settings) -> tuple[InputImage, ...]:
    """Return the images that go in, without holding up the loop. Raises as `inputs.load_inputs`."""
    if not given:
        return ()
    from .inputs import load_inputs_async

    return await load_inputs_async(given, settings)


def add_inputs(
    requests: Iterable[ImageRequest], images: tuple[InputImage, ...], settings: Settings
) -> Iterator[ImageRequest]:
    """Yield the requests with these images, each as it is taken; one that has images of its own keeps them.

    A side that is not set is left to the model: its default is for an image that is made of words alone.
    """
    sides = _list_sides(settings) if images else {}
    for one in requests:
        has_none = not getattr(one, "images", True)  # what is no request is refused later
        left: dict[str, Any] = {
            name: None for name, default in sides.items() if has_none and getattr(one, name) == default
        }
        yield replace(one, images=images, **left) if images and has_none else one


def _list_sides(settings: Settings) -> dict[str, int]:
    """Return the default sides of the model at hand, as far as the settings have no others."""
    from ..providers.registry import get_defaults

    _, defaults = get_defaults(settings.model, settings.space)
    return {name: one for name, one in defaults.items() if name in SIDES and getattr(settings, name) is None}

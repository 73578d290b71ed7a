"""The images and tables that a call is given: taken from its options, and loaded before anything is sent.

What loads them is imported only for a call that has some.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, TypeGuard

from ..errors import InvalidRequest, clean, show_value
from ..images.inputs import ROLES
from ..parameters.settings import Settings
from ..types import ImageRequest, InputImage

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
"""The images of a call that is given none."""


class DataFrame(Protocol):
    """A table of pandas, polars or their like, whose rows are requests and whose columns are parameters."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""


Requests: TypeAlias = "Iterable[ImageRequest | str | Mapping[str, Any]] | DataFrame"
"""The requests of `generate_many`: prompts and values by name as well."""

_FORMS: Final = "give a list of prompts, of dicts or of ImageRequest, or a data frame"


def is_frame(value: object) -> TypeGuard[DataFrame]:
    """Return True for a data frame of pandas, polars or their like."""
    return hasattr(value, "columns") and (hasattr(value, "to_dicts") or hasattr(value, "to_dict"))


def read_requests(requests: Any, options: Mapping[str, Any], images: Mapping[str, Any]) -> Iterator[object]:
    """Return the requests of `generate_many`, each built when its turn comes; what is wrong with one is in its place.

    Raises InvalidRequest for what are no requests, and as `rows.build_frame`.
    """
    if is_frame(requests):
        from .rows import build_frame  # it reads tables, which other requests do not wait for

        return build_frame(requests, options, images)
    if isinstance(requests, str | os.PathLike):
        name = os.fspath(requests)
        if not isinstance(requests, str) or re.search(r"\.(csv|tsv|jsonl?|txt|xlsx?)$", name, re.IGNORECASE):
            raise InvalidRequest(
                f"the requests are the file {clean(str(name))}: flux-magic batch FILE --out FOLDER makes its rows, and "
                "here pandas.read_csv(FILE) does"
            )
        raise InvalidRequest(f"the requests are the string {show_value(name)}: {_FORMS}, as in [{show_value(name)}]")
    if isinstance(requests, Mapping) or not isinstance(requests, Iterable):
        raise InvalidRequest(f"the requests are {show_value(requests)}: {_FORMS}")
    return _read_each(requests, options, images)


def _read_each(requests: Iterable[Any], options: Mapping[str, Any], images: Mapping[str, Any]) -> Iterator[object]:
    for place, one in enumerate(requests):
        if isinstance(one, str | Mapping):
            from .rows import build_row

            yield build_row(place, one, options, images)
        else:
            yield one


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


def add_inputs(requests: Iterable[Any], images: tuple[InputImage, ...]) -> Iterator[Any]:
    """Yield the requests with these images, each as it is taken; one that has images of its own keeps them."""
    for one in requests:
        has_none = isinstance(one, ImageRequest) and not one.images  # a row has its own; no request is refused later
        yield replace(one, images=images) if images and has_none else one

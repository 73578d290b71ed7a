"""The values of a request for a model whose file names its endpoint's inputs. Pure.

What the file names must be there: if it is not, the Space has changed since the file was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from ...errors import InvalidRequest, SpaceChanged
from .placing import describe_range
from .signature import Contract, Input, Signature, list_names

_DOCTOR: Final = (
    "Is it another model's Space (--model)? Or a newer flux_magic may know it; flux-magic doctor shows what it takes."
)


def find_endpoint(contract: Contract, name: str, order: Sequence[str]) -> Signature:
    """Return the endpoint of this name. If the Space does not name its inputs, they get the names in `order`.

    An empty contract gives an endpoint without inputs. Raises SpaceChanged if the endpoint is known to be gone, or has
    more or fewer inputs than can be named.
    """
    found = contract.find(name)
    if contract.prefix is None:
        return Signature(name)
    if found is None:
        there = list_names(sorted(contract.names)) or "none"
        raise SpaceChanged(f"this Space has changed: it has no endpoint {name}, only {there}", _DOCTOR)
    if found.is_named or not found.asked:
        return found
    if len(found.asked) != len(order):
        said = f"it takes {len(found.asked)} inputs in place of {len(order)}"
        raise SpaceChanged(f"this Space has changed: {said}", _DOCTOR)
    names = iter(order)
    return replace(
        found, inputs=tuple(one if one.is_filled else replace(one, name=next(names)) for one in found.inputs)
    )


def place_by_file(
    signature: Signature, values: Mapping[str, object], said: Mapping[str, str] | None = None
) -> list[object]:
    """Return the values in the endpoint's order; an input that is not ours gets its default.

    `said` has the words for a value in an error, if they are not its name and value.

    Raises InvalidRequest for a value out of its bounds, SpaceChanged if the Space has other inputs.
    """
    if not signature.asked:
        return list(values.values())
    names = [one.name for one in signature.asked]
    if gone := [name for name in values if name not in names]:
        takes = f"it takes no {' and no '.join(gone)} any more, but {list_names(names)}"
        raise SpaceChanged(f"this Space has changed: {takes}", _DOCTOR)
    return [None if one.is_filled else _take_value(one, values, said or {}) for one in signature.inputs]


def _take_value(one: Input, values: Mapping[str, object], said: Mapping[str, str]) -> object:
    if one.name not in values:
        if one.required:
            raise SpaceChanged(f"this Space has changed: it now wants {one.name} as well", _DOCTOR)
        return one.default
    value = values[one.name]
    if not isinstance(value, one.types):
        raise SpaceChanged(f"this Space has changed: it now takes a {one.kind} as {one.name}", _DOCTOR)
    if not one.has_within(value):
        words = said.get(one.name, f"{one.name} is {value}")
        raise InvalidRequest(f"{words}: this Space takes {describe_range(one)}")
    return value

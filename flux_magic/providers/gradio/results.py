"""The images and the seed in the outputs of an endpoint that described itself. Pure.

All images of a result are kept, in order: of each output that shows images, all of them; of a pair, the second. If an
output is called a history, or is an input as well, its images are left out as long as others are there. So is what was
sent: of a gallery that is fed back, what was not there before counts, whichever end the new ones are at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from .choosing import SHOWN
from .decoding import find_file_data, find_files, is_integer
from .meanings import to_number
from .placing import Placed
from .signature import Output, Signature

_LARGEST_SEED: Final = 2**32 - 1
_HISTORY: Final = re.compile(r"\b(history|previous|recent|past|all images|examples?)\b", re.IGNORECASE)
_SEED: Final = re.compile(r"\bseed\b", re.IGNORECASE)


def find_images(signature: Signature, data: Sequence[Any], routes: str, sent: Sequence[Any] = ()) -> list[str]:
    """Return the absolute addresses of the images in a result; `sent` are the values that went in.

    Raises EmptyResult if there are none, NotAnImage if there is something else in their place.
    """
    values = [_unwrap(value) for value in data]
    outputs = signature.outputs if len(signature.outputs) == len(values) else ()
    shown = [(one, value) for one, value in zip(outputs, values, strict=False) if one.component in SHOWN]
    if not any(any(True for _ in find_file_data(value)) for _, value in shown):
        return find_files(values, routes)
    went_in = {one.number for one in signature.inputs}
    new = [(one, value) for one, value in shown if one.number not in went_in and not _HISTORY.search(one.label)]
    told = [value for value in new if any(True for _ in find_file_data(value[1]))] or shown
    before = {str(file.get("path")) for file in find_file_data(list(sent))}
    files = [file for one, value in told for file in find_file_data(_pick_second(one, value))]
    fresh = [file for file in files if str(file.get("path")) not in before]
    return list(dict.fromkeys(find_files(list(fresh or files), routes)))


def _unwrap(value: Any) -> Any:
    """Return the value of an update of a component; None if it updates something else."""
    return value.get("value") if isinstance(value, dict) and value.get("__type__") == "update" else value


def _pick_second(output: Output, value: Any) -> Any:
    """Return the second of a pair, which is the result."""
    is_pair = output.component == "imageslider" and isinstance(value, list) and len(value) == 2
    return value[1] if is_pair and value[1] else value


def find_used_seed(signature: Signature, data: Sequence[Any], placed: Placed) -> int | None:
    """Return the seed that was used; None if the endpoint takes none, as nothing could be made again by it.

    It is that of the output that is the seed's input as well or is called a seed; else the one that was sent, if it is
    among the outputs; else the last integer within the seed's range.
    """
    one = signature.find("seed")
    if one is None:
        return None
    values = [_unwrap(value) for value in data]
    outputs = signature.outputs if len(signature.outputs) == len(values) else ()
    named = [
        (output.number != one.number, value)
        for output, value in zip(outputs, values, strict=False)
        if output.number == one.number or _SEED.search(output.label)
    ]
    for _, value in sorted(named, key=lambda row: row[0]):
        if (seed := _read_seed(value)) is not None:
            return seed
    most = _LARGEST_SEED if one.most is None else max(one.most, 0)
    whole = [int(value) for value in values if is_integer(value) and 0 <= value <= most]
    return placed.seed if placed.seed in whole or not whole else whole[-1]


def _read_seed(value: Any) -> int | None:
    """Return the seed that an output of this name holds: a number, or a string with one number in it."""
    if isinstance(value, str):
        found = re.findall(r"[0-9]{1,10}", value[:200])
        value = int(found[0]) if len(found) == 1 else None
    number = to_number(value)
    is_seed = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _LARGEST_SEED
    return number if is_seed else None  # type: ignore[return-value]

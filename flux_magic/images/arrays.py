"""Arrays of NumPy, and what NumPy takes for one, as images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidRequest
from .pixels import MOST

if TYPE_CHECKING:
    from PIL.Image import Image

_SHAPES: Final = "height × width, or with 3 or 4 channels behind these"


def is_array(value: object) -> bool:
    """Return True for an array of NumPy, or for what can be read as one."""
    return hasattr(value, "__array__") or hasattr(value, "__array_interface__")


def convert_array(given: Any, subject: str) -> tuple[Image, str]:
    """Return an array as an image of 8 bits, and what was changed for that, in words.

    It has height and width, and 1, 3 or 4 channels or none. Integers are 0 to 255, of 16 bits 0 to 65535, and numbers
    0 to 1. Raises InvalidRequest, which names the `subject`, for anything else.
    """
    try:
        import numpy as np
    except ImportError:
        raise InvalidRequest(f"{subject} is an array: NumPy reads it, which is not installed") from None
    from PIL import Image

    array = np.asarray(given)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in {3, 4}) or 0 in array.shape:
        first = array.ndim == 3 and array.shape[0] in {1, 3, 4}
        hint = "; its channels come first: give it as .transpose(1, 2, 0)" if first else ""
        raise InvalidRequest(f"{subject} is an array of shape {array.shape}: give {_SHAPES}{hint}")
    if array.shape[0] * array.shape[1] > MOST:
        raise InvalidRequest(f"{subject} has {array.shape[1]}×{array.shape[0]} pixels: more than {MOST:,}")
    bytes_, note = _convert_values(np, array, subject)
    return Image.fromarray(np.ascontiguousarray(bytes_)), note


def _convert_values(np: Any, array: Any, subject: str) -> tuple[Any, str]:
    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.uint8) * 255, ""
    if array.dtype == np.uint8:
        return array, ""
    if kind not in "iuf":
        raise InvalidRequest(f"{subject} is an array of {array.dtype}: give uint8, or numbers from 0 to 1")
    least, most = array.min(), array.max()
    highest = 1 if kind == "f" else 65535 if array.dtype == np.uint16 else 255
    if not (least >= 0 and most <= highest):  # false for NaN as well
        raise InvalidRequest(
            f"{subject} has values from {least:.6g} to {most:.6g}: an array of {array.dtype} has 0 to {highest}"
        )
    if kind == "f":
        return np.rint(array * 255).astype(np.uint8), "numbers from 0 to 1 made 8 bits"
    return ((array // 257).astype(np.uint8), "16 bits made 8") if highest > 255 else (array.astype(np.uint8), "")

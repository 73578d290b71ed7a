"""The images that go into the local Space: opened within bounds, and made an array of red, green and blue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING or __package__:
    from .space_drawing import Integers
    from .space_lettering import Pixels
else:  # the scripts beside this one
    from space_drawing import Integers
    from space_lettering import Pixels

LEAST_SIDE: Final = 128
MOST_SIDE: Final = 2048
"""Pixels of a side, at least and at most."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")


class UnusableImage(Exception):
    """An image that cannot be edited; the message is for the user."""


def read_image(path: str | None) -> Pixels:
    """Return the pixels of a file, upright and on white. Raises UnusableImage, before it decodes what is too large."""
    if not path:
        raise UnusableImage("an edit needs an image: give one as input_image")
    with _open(path, "the image") as image:
        wide = _make_eight_bit(image).convert("RGBA")
        colours, alpha = np.asarray(wide)[..., :3].astype(np.int32), np.asarray(wide)[..., 3:].astype(np.int32)
        flat: Pixels = ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        return flat


def read_mask(path: str, image: Pixels) -> Integers:
    """Return the weights of a mask, 0 where it is black or transparent and 255 where it is white.

    Raises UnusableImage as `read_image` does, and for a mask of another size than the image.
    """
    with _open(path, "the mask") as mask:
        wide = np.asarray(_make_eight_bit(mask).convert("LA")).astype(np.int32)
    height, width = image.shape[:2]
    if wide.shape[:2] != (height, width):
        size = f"{wide.shape[1]} x {wide.shape[0]}"
        raise UnusableImage(f"the mask has {size} pixels, and the image {width} x {height}: give one of the same size")
    weights: Integers = wide[..., 0] * wide[..., 1] // 255
    return weights


@contextmanager
def _open(path: str, subject: str) -> Iterator[Image.Image]:
    """Open an image, with its orientation applied. Its size is read before any pixel."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            _check_size(image.size, subject)
            yield ImageOps.exif_transpose(image)
    except Image.DecompressionBombError as error:
        raise UnusableImage(f"{subject} is too large: this Space takes at most {MOST_SIDE} pixels a side") from error
    except UnusableImage:
        raise
    except Exception as error:  # Pillow raises whatever its decoders do
        raise UnusableImage(f"{subject} cannot be read: give a PNG, JPEG, WebP or GIF that is whole") from error


def _check_size(size: tuple[int, int], subject: str) -> None:
    if not all(LEAST_SIDE <= side <= MOST_SIDE for side in size):
        known = f"{subject} has {size[0]} x {size[1]} pixels"
        raise UnusableImage(f"{known}: this Space takes {LEAST_SIDE} to {MOST_SIDE} a side")


def _make_eight_bit(image: Image.Image) -> Image.Image:
    """Return an image of 16 bits a pixel with the upper 8 of them, and any other as it is."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int32) >> 8).astype(np.uint8))

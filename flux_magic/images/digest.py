"""The digest of an image: equal digests mean equal pixels, in whatever file."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Final

from .pixels import split_bands

if TYPE_CHECKING:
    from PIL.Image import Image

_DIGEST_TAG: Final = b"flux_magic pixels 1\n"


def compute_pixel_digest(image: Image) -> str:
    """Return the sha256 over a version tag, width and height (4 bytes each, big-endian) and the RGBA8 pixels."""
    digest = hashlib.sha256(_DIGEST_TAG + struct.pack(">II", image.width, image.height))
    for band in split_bands(image):
        digest.update(band.convert("RGBA").tobytes())
    return digest.hexdigest()

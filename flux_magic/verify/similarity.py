"""The visible difference between two images: structural similarity at its lowest.

A person notices the one place that is wrong, so the mean over an image says nothing. One changed character of the
caption leaves it at 0.9992, and a JPEG of quality 95, which looks like the original, lowers it to 0.991. The lowest
value of the map is what a person notices, once the invisible is removed. That is detail of single pixels (an image is
reduced to 256 pixels first, or a little more), and colour as sharp as light (it is reduced by twice as much). Colour
has to be compared too: by luminance alone an image looks the same without any.

Measured on drawings of the local Space with 2 steps (6 at 256×256, 5 at 512×512, 3 each at 768×768 and 1024×1024). The
least and the greatest distance of all:

=====================================================  ==============
JPEG of quality 95, 4:2:0                              0.016 to 0.024
JPEG of quality 85                                     0.022 to 0.051
JPEG of quality 60                                     0.035 to 0.091
noise (standard deviation 4 of 255)                    0.023 to 0.078
5 of 255 brighter                                      0.017 to 0.030
one bit of one pixel, also by an altered Space         0.000
a disc of a tenth of the width, 6 of 255 brighter      0.068 to 0.128
the threshold                                          0.2
JPEG of quality 30                                     0.076 to 0.236
JPEG of quality 10                                     0.298 to 0.474
a disc of a tenth of the width, 12 of 255 brighter     0.217 to 0.389
the caption's "fox" a "fax"                            0.300 to 0.442
the caption's "not FLUX" a "nor FLUX"                  0.431 to 0.969
the same disc redder by 40 and less green by 20        0.416 to 0.809
all without colour                                     0.622 to 0.799
a dark dot of a fiftieth of the width painted in       0.996 to 1.012
one step more                                          0.957 to 1.140
another seed                                           1.142 to 1.497
another prompt                                         1.247 to 1.574
one pixel turned to its opposite                       0.007 to 0.779
=====================================================  ==============

The last depends on how visible the pixel is; the digest shows whether it is the image that was written. It takes 0.1 s
for 1024×1024.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from ..images import codecs
from ..images.digest import compute_pixel_digest
from ..records import embedding
from ..types import FileRecord

if TYPE_CHECKING:
    from PIL.Image import Image

THRESHOLD: Final = 0.2
"""The greatest distance at which two images are the same to the eye."""

_REDUCED: Final = 256
_WINDOW: Final = 11
"""Pixels: the width of the Gaussian window (sigma 1.5), which a smaller image cannot hold."""


class Grade(Enum):
    """Grade of the live check: how much an image equals the regenerated one."""

    SAME_BYTES = "same bytes"
    """Apart from metadata."""
    SAME_PIXELS = "same pixels"
    SAME_TO_THE_EYE = "same to the eye"
    """As measured by `flux_magic.verify.similarity`."""
    DIFFERENT = "different"


INSTALL: Final = 'pip install "flux-magic[verify]"'


@dataclass(frozen=True, slots=True)
class Comparison:
    """A grade, the distance to the eye if it was measured, and a remark."""

    grade: Grade
    distance: float | None = None
    note: str = ""


def compare(one: bytes, other: bytes) -> Comparison:
    """Grade two images, apart from their metadata. Raises NotAnImage if one of them cannot be decoded."""
    if embedding.compute_bare_sha256(one) == embedding.compute_bare_sha256(other):
        return Comparison(Grade.SAME_BYTES, 0.0)
    ours, theirs = codecs.decode(one), codecs.decode(other)
    if compute_pixel_digest(ours) == compute_pixel_digest(theirs):
        return Comparison(Grade.SAME_PIXELS, 0.0)
    if ours.size != theirs.size:
        (width, height), (now_wide, now_high) = ours.size, theirs.size
        return Comparison(Grade.DIFFERENT, note=f"it is {width}×{height}, regenerated {now_wide}×{now_high}")
    try:
        measured = round(measure_distance(ours, theirs), 4)
    except ImportError:
        return Comparison(Grade.DIFFERENT, note=f"not the same pixels; to measure the difference: {INSTALL}")
    return Comparison(Grade.SAME_TO_THE_EYE if measured <= THRESHOLD else Grade.DIFFERENT, measured)


def compare_records(recorded: FileRecord, made: FileRecord) -> Comparison:
    """Grade an image of which only the record is available."""
    if recorded.sha256 == made.sha256:
        return Comparison(Grade.SAME_BYTES, 0.0)
    if recorded.digest == made.digest:
        return Comparison(Grade.SAME_PIXELS, 0.0)
    return Comparison(Grade.DIFFERENT, note="the image itself is not embedded, so the difference cannot be seen")


def measure_distance(one: Image, other: Image) -> float:
    """Return 1 minus the lowest structural similarity, in luminance or colour: 0 is the same, 1 and more unrelated.

    Both images have the same size. Transparent images are compared on white, and on black as well. Raises ImportError
    without scikit-image.
    """
    grounds = ("white", "black") if one.has_transparency_data or other.has_transparency_data else ("white",)
    return max(_measure_distance(_lay_on(ground, one), _lay_on(ground, other)) for ground in grounds)


def _lay_on(ground: str, image: Image) -> Image:
    from PIL import Image

    if image.has_transparency_data:
        below = Image.new("RGBA", image.size, ground)
        image = Image.alpha_composite(below, image.convert("RGBA"))
    return image.convert("RGB").convert("YCbCr")


def _measure_distance(one: Image, other: Image) -> float:
    factor = max(2, min(one.size) // _REDUCED)
    channels = zip(one.split(), other.split(), (factor, 2 * factor, 2 * factor), strict=True)
    lowest = min(_find_lowest(_reduce(ours, by), _reduce(theirs, by)) for ours, theirs, by in channels)
    return min(max(1.0 - lowest, 0.0), 2.0)


def _reduce(channel: Image, factor: int) -> Any:
    """Return a channel, reduced by the mean over squares; one too small for the window is continued at its edges."""
    import numpy as np

    values = np.asarray(channel.reduce(factor), dtype=np.float64)
    missing = [(0, max(_WINDOW - side, 0)) for side in values.shape]
    return np.pad(values, missing, mode="edge")


def _find_lowest(one: Any, other: Any) -> float:
    from skimage.metrics import structural_similarity

    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]  # it is annotated in part
        one, other, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    return float(similarity.min())

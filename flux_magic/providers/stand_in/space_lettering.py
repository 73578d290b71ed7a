"""The letters that are drawn on the local Space's images, and the label made of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height × width × 3 (red, green, blue)."""

COVER = (18, 20, 28)
"""The colour of a band that hides a label."""

# Capitals and signs, five pixels wide and seven high; a row is one byte, the left pixel is 16.
_SIGNS = " !\"'()*+,-./0123456789:;=?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_"
_ROWS = bytes.fromhex(
    "00000000000000 04040404040004 0a0a0a00000000 04040400000000 02040808080402 08040202020408 00150e1f0e1500"
    "0004041f040400 00000000040408 0000001f000000 00000000000c0c 01010204081010 0e11131519110e 040c040404040e"
    "0e11010204081f 1f02040201110e 02060a121f0202 1f101e0101110e 0608101e11110e 1f010204080808 0e11110e11110e"
    "0e11110f01020c 000c0c000c0c00 000c0c00040408 00001f001f0000 0e110102040004 0e11111f111111 1e11111e11111e"
    "0e11101010110e 1c12111111121c 1f10101e10101f 1f10101e101010 0e11101713110f 1111111f111111 0e04040404040e"
    "0702020202120c 11121418141211 1010101010101f 111b1515111111 11111915131111 0e11111111110e 1e11111e101010"
    "0e11111115120d 1e11111e141211 0f10100e01011e 1f040404040404 1111111111110e 11111111110a04 11111115151b11"
    "11110a040a1111 11110a04040404 1f01020408101f 0e08080808080e 0e02020202020e 0000000000001f"
)
GLYPHS = {sign: _ROWS[7 * place : 7 * place + 7] for place, sign in enumerate(_SIGNS)}
_UNKNOWN = bytes.fromhex("1f11111111111f")


def caption(image: Pixels, lines: Sequence[str], *, covers: bool = False) -> None:
    """Write the lines below each other at the image's foot, on a band that darkens the image or `covers` it."""
    height, width = image.shape[:2]
    scale = max(min(width, height) // 360, 1)
    room = max(width // (6 * scale) - 2, 1)
    band = image[-min((9 * len(lines) + 4) * scale, height) :]
    band[:] = COVER if covers else band // 5 * 2
    for number, line in enumerate(lines):
        for place, sign in enumerate(simplify(line, room)):
            _draw_sign(band, sign, (6 * (place + 1)) * scale, (3 + 9 * number) * scale, scale)


def _draw_sign(band: Pixels, sign: str, x: int, y: int, scale: int) -> None:
    for row, bits in enumerate(GLYPHS.get(sign, _UNKNOWN)):
        for column in range(5):
            if bits & 16 >> column:
                top, left = y + row * scale, x + column * scale
                band[top : top + scale, left : left + scale] = 236


def simplify(text: str, room: int) -> str:
    """Return the text in capitals without accents, cut to `room` characters."""
    # The Unicode data of one version for every interpreter: otherwise the pixels would depend on it.
    bare = unicodedata.ucd_3_2_0.normalize("NFKD", " ".join(text[:2000].split()))
    kept = "".join(sign for sign in bare if not unicodedata.ucd_3_2_0.combining(sign)).upper()
    return kept if len(kept) <= room else kept[: max(room - 3, 0)].rstrip() + "..."[:room]

"""Code of our own beside the plain way, in one run: it stays for as long as it is this much quicker."""

from __future__ import annotations

import io
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

from PIL import Image

from flux_magic.images import codecs
from flux_magic.records import listing
from flux_magic.records.record import compute_key
from tests.unit.samples import generation

from .store import SETTLED, filled, photograph
from .table import Row, row

JOBS = 10_000
SHEET = (1308, 5628)
FASTER = 0.7
"""What our own code may take of the plain way's time."""


def own_code(rounds: int) -> Iterator[Row]:
    """Yield the cache of folder listings, and the PNG encoder at Pillow's quickest setting and at its own."""
    yield from _listings(rounds)
    photo = codecs.decode(photograph(0))
    sheet = Image.new("RGB", SHEET, "white")
    for top in range(0, SHEET[1], 400):
        sheet.paste(photo.resize((380, 380)), (20 + top % 800, top))
    for name, image in (("a photograph of 1024×1024", photo), ("a sheet of 1308×5628", sheet)):
        yield from _encoders(name, image, rounds)


def _listings(rounds: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        store, job = filled(Path(folder), JOBS), generation().record
        key = str(compute_key(replace(job, seed=JOBS // 2, prompt=f"a red fox, number {JOBS // 2}, in the snow")))
        for _ in range(2):
            assert store.find(key) is not None
            time.sleep(SETTLED)
        kept, plain = [], []
        for _ in range(rounds):
            kept.append(_seconds(lambda: store.find(key)))
            with mock.patch.object(listing, "_SETTLED", math.inf), mock.patch.object(listing, "_listings", {}):
                plain.append(_seconds(lambda: store.find(key)))
    yield row(f"find one of {JOBS:,}: without the listing", [1000 * one for one in plain], "ms")
    yield row("with the kept listing / without", _ratios(kept, plain), target=FASTER)


def _encoders(name: str, image: Image.Image, rounds: int) -> Iterator[Row]:
    def by_pillow(**options: int) -> bytes:
        image.save(out := io.BytesIO(), "PNG", **options)
        return out.getvalue()

    def quickest() -> bytes:
        return by_pillow(compress_level=1, compress_type=3)  # Z_RLE, as ours

    own, quick, usual = [], [], []
    for _ in range(rounds):
        own.append(_seconds(lambda: codecs.encode_png(image)))
        quick.append(_seconds(quickest))
        usual.append(_seconds(by_pillow))
    more = len(codecs.encode_png(image)) / len(quickest())
    yield row(f"{name}: our PNG", [1000 * one for one in own], "ms")
    yield row(
        f"{name}: ours / Pillow's quickest", _ratios(own, quick), target=FASTER, remark=f"{more:.2f} of its bytes"
    )
    yield row(f"{name}: ours / Pillow's default", _ratios(own, usual))


def _ratios(ones: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin

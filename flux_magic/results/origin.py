"""The images that went into a job: what they are in words, small copies of them, and what made them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from ..errors import FluxError
from ..images import codecs
from ..images.inputs import read_input
from ..records.store import Store, Stored, read_kept_input
from ..types import UNKNOWN, InputImage, InputRecord, Record, fit_one_line
from .table import Markup, escape, escape_html

SMALL: Final = 96
"""Pixels of the longer side of a small copy."""

_LONGEST: Final = 60
"""Characters of the prompt by which an image is called."""


def describe_origin(record: Record) -> str:
    """Return what made an image, in words: `"a red fox", seed 42`."""
    seed = UNKNOWN if record.seed is None else record.seed
    return f'"{fit_one_line(record.prompt, _LONGEST)}", seed {seed}'


def describe_input(one: InputRecord, origin: str = "") -> str:
    """Return an image that went in as a person reads it: `800×600 sha256:1a2b3c4d5e6f (of "a red fox", seed 42)`."""
    of = f" (of {origin})" if origin else ""
    note = f"; {fit_one_line(one.note)}" if one.note else ""
    return f"{one.width}×{one.height} sha256:{one.digest[:12]}{of}{note}"


def find_images(record: Record, store: Store) -> tuple[InputImage, ...]:
    """Return the images that went into a job, as far as a store has them all; else none."""
    found = []
    for one in record.images:
        with suppress(FluxError):
            kept = store.find_input(one.digest)
            if kept is not None:
                maker = find_maker(one, store)
                origin = describe_origin(maker.record) if maker else ""
                loaded = read_input(read_kept_input(kept), one.role, digest=one.digest, of=one.of, origin=origin)
                found.append(replace(loaded, record=replace(loaded.record, note=one.note)))
    return tuple(found) if len(found) == len(record.images) else ()


def describe_inputs(record: Record, store: Store) -> list[str]:
    """Return the images that went into a job in words, a line each, with how to go on if a store does not have one."""
    lines = []
    for one in record.images:
        maker = find_maker(one, store)
        words = describe_input(one, describe_origin(maker.record) if maker else "")
        is_there = store.find_input(one.digest) is not None
        gone = "" if is_there else f", not in flux_images or the store: give --{one.role} PATH in its place"
        lines.append(f"{words}{gone}")
    return lines


def find_maker(one: InputRecord, store: Store) -> Stored | None:
    """Return the job that made an image that went in, by the key of its record, else by its pixels."""
    by_key = (stored for stored in (store.find_jobs(one.of) if one.of else ()) if stored.has_image)
    return next(by_key, None) or next(store.find_makers(one.digest), None)


def list_rows(record: Record, images: Sequence[InputImage] = ()) -> dict[str, Markup]:
    """Return a row for each image that went in, by its name, with a small copy of those whose bytes are there."""
    there = {one.record.digest: one for one in images}
    rows: dict[str, Markup] = {}
    for one in record.images:
        name = one.role if one.role not in rows else f"{one.role} {len(rows) + 1}"
        image = there.get(one.digest)
        words = describe_input(one, image.origin if image else "")
        rows[name] = Markup(f"{render_small(image)}{escape_html(words)}" if image else escape_html(words), words)
    return rows


def render_small(image: InputImage, longest: int = SMALL) -> str:
    """Return a small copy of an image that went in, as HTML; a line end follows it."""
    small = _find_small(image, longest)
    if not small:
        return ""
    alt = escape(f"the {image.role} that went in{image.origin and f': {image.origin}'}")
    return f'<img src="data:image/jpeg;base64,{small}" alt="{alt}"><br>'


_small: Final[dict[tuple[str, int], str]] = {}
"""Small copies in base64, by sha256 and longer side: decoding a photo again for each edit takes half a second."""

_MOST_KEPT: Final = 64


def _find_small(image: InputImage, longest: int) -> str:
    key = (image.record.sha256, longest)
    if key not in _small:
        with suppress(FluxError):
            made = base64.b64encode(codecs.make_thumbnail(image.data, longest)).decode()
            for oldest in [*_small][: len(_small) + 1 - _MOST_KEPT]:
                _small.pop(oldest, None)
            _small[key] = made
    return _small.get(key, "")

"""The images that went in, in a store's folder: `inputs/1a/<digest>-<first digits of the sha256>.png`.

Each is kept once, by the digest of its pixels, as the bytes that were sent. The image of a stored job is not kept a
second time. Deleting a job deletes its inputs, except for those that another job in the store has. If its own image
went into another job, that image is kept as an input.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import StoreError
from ..images.codecs import get_suffix
from ..images.inputs import MOST
from ..types import InputImage, Record
from .embedding import compute_sha256
from .files import read_file, write_whole

FOLDER: Final = "inputs"
"""The folder within a store."""

LEAST_DIGITS: Final = 12
"""An image that goes in is named by as many digits of its digest, or more."""

_NAME: Final = re.compile(r"([0-9a-f]{64})-([0-9a-f]{12})\.(?:png|jpg|webp)")


@dataclass(frozen=True, slots=True)
class KeptInput:
    """An image that went in, or that can: where a store has it.

    Attributes:
        digest: of its pixels, 64 hex digits.
        path: its file.
        sha256: of its bytes, or the first digits of that.
        record: of the job that made it; None if the store does not know one.
    """

    digest: str
    path: Path
    sha256: str
    record: Record | None = None


def is_kept_name(name: str) -> bool:
    """Return True for the name of a file that a store keeps because it went in: it carries no record."""
    return _NAME.fullmatch(name) is not None


def keep_input(folder: Path, image: InputImage) -> None:
    """Write an image into a store's folder, unless it is there already. Raises OSError."""
    record = image.record
    name = f"{record.digest}-{record.sha256[:12]}{get_suffix(record.media_type)}"
    path = folder / FOLDER / record.digest[:2] / name
    there = next(find_inputs(folder, record.digest), None)
    if there is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, image.data, lasting=True)
        return
    with suppress(OSError):  # it is in use from now on: what cleans the store leaves young files alone
        os.utime(there.path)


def find_inputs(folder: Path, start: str) -> Iterator[KeptInput]:
    """Yield the inputs in a store's folder whose digest begins so."""
    at = folder / FOLDER / start[:2]
    with suppress(OSError, ValueError):  # a path with a NUL is a ValueError
        for name in sorted(os.listdir(at)):  # noqa: PTH208 - as the records are listed
            if name.startswith(start) and (match := _NAME.fullmatch(name)):
                yield KeptInput(match[1], at / name, match[2])


def read_kept(kept: KeptInput) -> bytes:
    """Return the bytes of an input that is no job's image; raises StoreError if they are gone or others."""
    try:
        data = read_file(kept.path, MOST, within=kept.path.parent.parent.parent)
    except OSError as exc:
        raise StoreError(f"the image {kept.path.name} that went in cannot be read: {exc.strerror}") from exc
    if not compute_sha256(data).startswith(kept.sha256):
        raise StoreError(f"the image {kept.path.name} that went in is damaged")
    return data


def delete_input(folder: Path, digest: str) -> None:
    """Delete an input from a store's folder, if it is there. Raises OSError."""
    for kept in find_inputs(folder, digest):
        kept.path.unlink(missing_ok=True)

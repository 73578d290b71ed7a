"""A picture that leaves the store: its bytes with what made it inside, and that read back."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import NotAnImage
from ..images import codecs, formats
from ..types import UNKNOWN, Copy, Record
from .record import Carried, carried_from, loads, our_version

if TYPE_CHECKING:
    from ..images.metadata import Written


def copy_of(data: bytes, record: Record, place: int, *, same_pixels: bool = False) -> Copy:
    """What the bytes of a copy of one of the record's files are, whatever metadata they have.

    Where it is not known that they have the very `same_pixels`, they are decoded, if they are other bytes; that raises
    NotAnImage.
    """
    delivered = record.files[place]
    same_pixels = same_pixels or sha256(data) == delivered.sha256
    return Copy(
        file=place,
        media_type=formats.media_type_of(data) or "",
        digest=delivered.digest if same_pixels else codecs.digest_of(data),
        sha256=bare_sha256(data),
    )


def sha256(data: bytes) -> str:
    """Of the bytes as they are, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def bare_sha256(data: bytes) -> str:
    """Of a picture's bytes without their metadata, 64 hex digits."""
    *_, last = readings(data)
    return sha256(last)


def readings(data: bytes) -> Iterator[bytes]:
    """The bytes that a picture may have been delivered as: these, and these without their metadata."""
    yield data
    from ..images import metadata

    with contextlib.suppress(NotAnImage):  # its pixels can be read perhaps, but its parts cannot
        yield metadata.bare(data)


def is_signed(data: bytes) -> bool:
    """Return if a file has content credentials (C2PA), valid or not; a file whose parts cannot be read has none."""
    from ..images import metadata

    with contextlib.suppress(NotAnImage):
        return metadata.has_credentials(data)
    return False


def unsigned(data: bytes) -> bytes:
    """Return the file without content credentials; raises NotAnImage for a GIF or AVIF that has some."""
    from ..images import metadata

    return metadata.without_credentials(data) if is_signed(data) else data


def why_sealed(data: bytes) -> str:
    """Why nothing is put into this file, as the beginning of a sentence; empty where a record can go inside."""
    if is_signed(data):
        return "the image is signed (content credentials, C2PA)"
    if formats.media_type_of(data) in codecs.SEALED:
        return f"the image is {formats.name_of(data)}"
    return ""


def lost(data: bytes, *, strip: bool = False) -> list[str]:
    """What another encoding of the file does not have, in words; with `strip` its credentials are meant to go."""
    frames = codecs.frames(data)
    return [
        *(["its content credentials (C2PA)"] if not strip and is_signed(data) else []),
        *([f"all but the first of its {frames} frames"] if frames > 1 else []),
    ]


def with_record(data: bytes, record: Record, place: int, *, same_pixels: bool = False) -> tuple[bytes, Copy]:
    """The copy with what made it inside, without encoding a pixel anew; and what it is, as by `copy_of`.

    The file stays as it is where it has content credentials, which any change would break; where it is a GIF or an
    AVIF; and where a decoder reads it although it is not whole. Raises NotAnImage as `copy_of` does.
    """
    from ..images import metadata

    copy = copy_of(data, record, place, same_pixels=same_pixels)
    if why_sealed(data):
        return data, copy
    text = json.dumps(Carried(record, copy).as_dict(), separators=(",", ":"))
    with contextlib.suppress(NotAnImage):
        data = metadata.embed(data, _texts(record, copy, text))
    return data, copy


def restorable(data: bytes, record: Record, place: int) -> bytes:
    """A delivered file with what made it inside, where it can be had from that again; else as it is.

    It cannot where its Space wrote texts or EXIF of its own into it, since ours stand in their place. Nothing is put
    into what `with_record` leaves as it is.
    """
    inside, _ = with_record(data, record, place)
    return inside if any(sha256(one) == record.files[place].sha256 for one in readings(inside)) else data


def _texts(record: Record, copy: Copy, text: str) -> Written:
    from ..images import metadata

    delivered = record.files[copy.file]
    return metadata.Written(
        parameters=metadata.a1111_text(
            prompt=record.prompt,
            steps=record.steps,
            seed=record.seed,
            width=delivered.width,
            height=delivered.height,
            model=record.model,
            version=f"flux_magic {our_version()}",
            more={name.replace("_", " ").capitalize(): str(value) for name, value in record.parameters.items()},
        ),
        record=text,
        prompt=record.prompt,
        system=record.model,
        system_version="" if record.circumstances.weights == UNKNOWN else record.circumstances.weights,
        drawn=record.stand_in,
    )


def read(data: bytes) -> Carried | None:
    """What a picture carries of ours; None where that is nothing.

    Raises RecordError where that is damaged, NotAnImage where the file is.
    """
    from ..images import metadata

    found = metadata.read(data)
    return carried_from(loads(found.record)) if found.record else None


def is_untouched(data: bytes, carried: Carried) -> bool | None:
    """Whether a copy's bytes, their metadata apart, are still what they were; None where nobody wrote down what."""
    if carried.copy is None:
        return None
    return bare_sha256(data) == carried.copy.sha256

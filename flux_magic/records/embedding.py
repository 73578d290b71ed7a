"""An image that leaves the store: its bytes with the record inside, and reading it back."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import NotAnImage
from ..images import codecs, formats
from ..types import UNKNOWN, Copy, Record
from .record import Carried, get_version, load_json, parse_carried

if TYPE_CHECKING:
    from ..images.metadata import Written


def describe_copy(data: bytes, record: Record, place: int, *, same_pixels: bool = False) -> Copy:
    """Describe a copy of one of the record's files, whatever metadata it has.

    Unless they are known to have the `same_pixels`, other bytes are decoded, which may raise NotAnImage.
    """
    delivered = record.files[place]
    same_pixels = same_pixels or compute_sha256(data) == delivered.sha256
    return Copy(
        file=place,
        media_type=formats.detect_media_type(data) or "",
        digest=delivered.digest if same_pixels else codecs.compute_digest(data),
        sha256=compute_bare_sha256(data),
    )


def compute_sha256(data: bytes) -> str:
    """Return the sha256 of the bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def compute_bare_sha256(data: bytes) -> str:
    """Return the sha256 of an image's bytes without their metadata, 64 hex digits; credentials are not metadata."""
    return compute_sha256(_remove_metadata(data))


def has_bare_sha256(data: bytes, sha256: str) -> bool:
    """Return True if an image without its metadata has this sha256, with its credentials (C2PA) or without."""
    return compute_bare_sha256(data) == sha256 or any(
        compute_bare_sha256(one) == sha256 for one in _list_unsigned(data)
    )


def list_readings(data: bytes) -> Iterator[bytes]:
    """Yield the bytes as which an image may have been delivered: these, and these without metadata.

    For a signed file the same without its content credentials follow: it may have been signed after it was delivered.
    """
    for one in (data, *_list_unsigned(data)):
        yield one
        yield _remove_metadata(one)


def _remove_metadata(data: bytes) -> bytes:
    """Return a file without metadata; as it is if its pixels can be read perhaps, but its parts cannot."""
    from ..images import metadata

    with contextlib.suppress(NotAnImage):
        return metadata.remove_metadata(data)
    return data


def _list_unsigned(data: bytes) -> list[bytes]:
    """Return a signed file without its credentials; nothing for a file that has none, or from which none are taken."""
    with contextlib.suppress(NotAnImage):
        if is_signed(data):
            return [remove_signature(data)]
    return []


def is_signed(data: bytes) -> bool:
    """Return True if a file has content credentials (C2PA), valid or not; a file whose parts cannot be read has
    none.
    """
    from ..images import metadata

    with contextlib.suppress(NotAnImage):
        return metadata.has_credentials(data)
    return False


def remove_signature(data: bytes) -> bytes:
    """Return the file without content credentials; raises NotAnImage for a GIF or AVIF that has some."""
    from ..images import metadata

    return metadata.remove_credentials(data) if is_signed(data) else data


def explain_sealed(data: bytes) -> str:
    """Return why nothing is written into this file, as the beginning of a sentence; empty if a record can go inside."""
    if is_signed(data):
        return "the image is signed (content credentials, C2PA)"
    if formats.detect_media_type(data) in codecs.SEALED:
        return f"the image is {formats.name_format(data)}"
    return ""


def list_lost(data: bytes, *, strip: bool = False) -> list[str]:
    """Return what another encoding of the file loses, in words; with `strip` its credentials are meant to go."""
    frames = codecs.count_frames(data)
    return [
        *(["its content credentials (C2PA)"] if not strip and is_signed(data) else []),
        *([f"all but the first of its {frames} frames"] if frames > 1 else []),
    ]


def embed_record(data: bytes, record: Record, place: int, *, same_pixels: bool = False) -> tuple[bytes, Copy]:
    """Embed the record without re-encoding any pixels; return the new bytes and their description as by
    `describe_copy`.

    The file is not changed if it is a GIF, an AVIF, or damaged but readable. Nor is a file with content credentials,
    which any change would break. Raises NotAnImage as `describe_copy` does.
    """
    from ..images import metadata

    copy = describe_copy(data, record, place, same_pixels=same_pixels)
    if explain_sealed(data):
        return data, copy
    text = json.dumps(Carried(record, copy).as_dict(), separators=(",", ":"))
    with contextlib.suppress(NotAnImage):
        data = metadata.embed(data, _write_texts(record, copy, text))
    return data, copy


def embed_restorable(data: bytes, record: Record, place: int) -> bytes:
    """Embed the record if the delivered bytes can be restored from the result; else return the file unchanged.

    It cannot be restored if the Space wrote text or EXIF of its own into it, since ours would replace that. Nothing is
    written into a file that `embed_record` leaves unchanged.
    """
    inside, _ = embed_record(data, record, place)
    return inside if any(compute_sha256(one) == record.files[place].sha256 for one in list_readings(inside)) else data


def _write_texts(record: Record, copy: Copy, text: str) -> Written:
    from ..images import metadata

    delivered = record.files[copy.file]
    return metadata.Written(
        parameters=metadata.format_a1111(
            prompt=record.prompt,
            steps=record.steps,
            seed=record.seed,
            width=delivered.width,
            height=delivered.height,
            model=record.model,
            version=f"flux_magic {get_version()}",
            parameters=record.parameters,
        ),
        record=text,
        prompt=record.prompt,
        system=record.model,
        system_version="" if record.circumstances.weights == UNKNOWN else record.circumstances.weights,
        drawn=record.stand_in,
        negative_prompt=str(record.parameters.get("negative_prompt", "")),
        edited=bool(record.images),
    )


def read(data: bytes) -> Carried | None:
    """Read what an image carries of ours; None if it carries nothing.

    Raises RecordError if that is damaged, NotAnImage if the file is.
    """
    from ..images import metadata

    found = metadata.read(data)
    return parse_carried(load_json(found.record)) if found.record else None


def is_untouched(data: bytes, carried: Carried) -> bool | None:
    """Return True if a copy's bytes, without metadata, are unchanged; None if no checksum was recorded."""
    if carried.copy is None:
        return None
    return has_bare_sha256(data, carried.copy.sha256)

"""Images that go in, from whatever a person has: a Generation, pixels, a file, a URL, or a digest of the store."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..errors import FluxError, InvalidArgument, InvalidRequest, NotAnImage, NotInStore, mask_secrets, show_value
from ..images import codecs
from ..images.arrays import is_array
from ..images.inputs import MOST, ROLES, convert_input, read_array, read_input
from ..parameters.calls import check_call
from ..parameters.paths import expand
from ..parameters.settings import Settings, resolve
from ..records import embedding
from ..records.files import read_file
from ..records.inputs import LEAST_DIGITS
from ..records.record import Carried, compute_key
from ..records.sidecar import find_carried_beside
from ..records.store import BESIDE, Store, open_store, read_kept_input
from ..results.generation import Generation, ImageFile
from ..results.generations import Generations
from ..results.origin import describe_origin
from ..types import InputImage
from . import runner
from .recall import fetch_image

KINDS: Final = "an image of flux_magic, Pillow or NumPy, bytes, a path, a URL, or sha256: and a digest"
"""The things that can go in, in words."""

_DIGEST: Final = re.compile(rf"sha256:\S*|[0-9a-f]{{{LEAST_DIGITS},64}}", re.IGNORECASE)
_URL: Final = re.compile(r"https?://", re.IGNORECASE)


def load_inputs(given: Mapping[str, Any], settings: Settings) -> tuple[InputImage, ...]:
    """Return the images that go in, for a caller that blocks: `given` has an image, or several, by role.

    Raises InvalidRequest for what is no image, or a mask of another size; NotInStore for an unknown digest. A URL
    raises what any request does.
    """
    return _load_all(_fetch_and_wait(_list_given(given), settings), settings)


async def load_inputs_async(given: Mapping[str, Any], settings: Settings) -> tuple[InputImage, ...]:
    """Return the images that go in, as `load_inputs`, without holding up the loop."""
    listed = _list_given(given)
    return await asyncio.to_thread(_load_all, await _fetch_all(listed, settings), settings) if listed else ()


@check_call
def load_image(image: object, role: str = "image") -> InputImage:
    """Return an image as it goes in, for `ImageRequest(images=[…])`; `generate(image=…)` does this itself.

    It is sent as 8-bit RGB, upright and without metadata; its `record.note` says what was changed.

    Args:
        image: a Generation, a Pillow image, an array of NumPy (height × width, or with 3 or 4 channels; uint8, or
            numbers from 0 to 1), bytes, a path, a URL, or `sha256:` and 12 or more digits of the digest of an image in
            the store.
        role: `image`, or `mask`: in grey, white where the image may change.

    Example::

        >>> fox = flux_magic.generate("a red fox", seed=42, quiet=True)
        >>> one = flux_magic.load_image(fox)
        >>> flux_magic.ImageRequest("make it winter", seed=1, images=[one]).images[0].record.digest == fox.digest
        True

    Raises InvalidRequest for what is no image, or has over 64 MiB or 64 million pixels; NotInStore for an unknown
    digest. A URL raises what any request does.
    """
    if role not in ROLES:
        raise InvalidRequest(f"role is {show_value(role)}: choose one of {', '.join(ROLES)}")
    settings = resolve()
    [(_, there)] = _fetch_and_wait([(role, image)], settings)
    return _load(there, role, settings)


def is_loadable(value: object) -> bool:
    """Return True for a value, other than a string, that can go in."""
    is_known = isinstance(value, Generation | ImageFile | InputImage | bytes | bytearray | memoryview | os.PathLike)
    return is_known or _is_pillow(value) or (is_array(value) and not isinstance(value, type))


def _list_given(given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the single images with their roles."""
    listed: list[tuple[str, Any]] = []
    for role, value in given.items():
        if role not in ROLES or value is None:
            continue
        several = list(value) if isinstance(value, list | tuple) else [value]
        if role == "mask" and len(several) != 1:
            raise InvalidRequest(f"mask has {len(several)} images: give one")
        listed += [(role, one) for one in several]
    roles = [role for role, _ in listed]
    if "mask" in roles and "image" not in roles:
        raise InvalidRequest("a mask says where an image may change: give the image too")
    return listed


def _fetch_and_wait(listed: list[tuple[str, Any]], settings: Settings) -> list[tuple[str, Any]]:
    """Return the images with the bytes in place of their URLs, for a caller that blocks."""
    if not any(_is_url(one) for _, one in listed):
        return listed
    with runner.hide_traceback():
        return runner.get_runner(settings.runner).run(_fetch_all(listed, settings))


async def _fetch_all(listed: Sequence[tuple[str, Any]], settings: Settings) -> list[tuple[str, Any]]:
    """Return the images with the bytes in place of their URLs."""
    return [(role, await _fetch(one, settings) if _is_url(one) else one) for role, one in listed]


async def _fetch(url: str, settings: Settings) -> _Fetched:
    if settings.replay == "only":
        raise NotInStore('with replay = "only" no URL is asked', "Save the image, and give its file.")
    return _Fetched(await fetch_image(url, settings), mask_secrets(url))


class _Fetched:
    """The bytes of an image from a URL."""

    __slots__ = ("data", "name")

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name


def _load_all(listed: Sequence[tuple[str, Any]], settings: Settings) -> tuple[InputImage, ...]:
    images = tuple(_load(one, role, settings) for role, one in listed)
    sizes = {one.role: (one.record.width, one.record.height) for one in reversed(images)}
    if "mask" in sizes and sizes["mask"] != sizes["image"]:
        (width, height), (wide, high) = sizes["mask"], sizes["image"]
        raise InvalidRequest(f"the mask has {width}×{height} pixels, and the image {wide}×{high}: make them the same")
    return images


def _load(given: Any, role: str, settings: Settings) -> InputImage:
    """Return one image as it goes in; a URL was fetched before."""
    subject = f"the {role}"
    if isinstance(given, Generation | Generations | ImageFile | InputImage):
        return _load_ours(given, role, subject)
    if isinstance(given, str | os.PathLike):
        return _load_named(given, role, settings)
    if isinstance(given, _Fetched):
        return _load_bytes(given.data, role, given.name)
    if isinstance(given, bytes | bytearray | memoryview):
        return _load_bytes(bytes(given), role, subject)
    if not is_loadable(given):
        raise InvalidArgument(f"{role} is {show_value(given)}: give {KINDS}")
    read: Callable[..., InputImage] = convert_input if _is_pillow(given) else read_array
    return read(given, role, subject=subject)


def _load_ours(given: Generation | Generations | ImageFile | InputImage, role: str, subject: str) -> InputImage:
    if isinstance(given, InputImage):
        of = given.record.of
        return given if given.role == role else read_input(given.data, role, of=of, origin=given.origin)
    if isinstance(given, Generations):
        if len(given) != 1:
            raise InvalidRequest(f"{subject} is {len(given)} images: give one of them, as in foxes[0]")
        given = given[0]
    if isinstance(given, ImageFile):
        return read_input(given.data, role, subject=subject, digest=given.digest)
    file, of = given.files[0], compute_key(given.record) or ""
    return read_input(file.data, role, subject=subject, digest=file.digest, of=of, origin=describe_origin(given.record))


def _is_url(given: object) -> bool:
    return isinstance(given, str) and bool(_URL.match(given))


def _is_pillow(given: object) -> bool:
    """Return True for a Pillow image; Pillow was loaded to make one."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(given, module.Image)


def _load_named(given: str | os.PathLike[str], role: str, settings: Settings) -> InputImage:
    """Return the image of a path, or of a digest unless there is a file of that name."""
    name = os.fsdecode(given)
    if not name:
        raise InvalidRequest(f"{role} is empty: give {KINDS}")
    if isinstance(given, str) and _DIGEST.fullmatch(name) and not os.path.lexists(name):
        return load_stored(open_store(settings), name, role)
    try:
        path = Path(expand(name))
        data = read_file(path, MOST)
    except FileNotFoundError:
        beside = '; what an exported notebook sent is beside it: name it by its digest, "sha256:…"' * BESIDE.is_dir()
        raise InvalidRequest(f"{role} is {show_value(name)}: there is no such file{beside}; give {KINDS}") from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InvalidRequest(f"{role} is {show_value(name)}: {reason}") from None
    return _load_bytes(data, role, show_value(name), path)


def load_stored(store: Store, digest: str, role: str = "image") -> InputImage:
    """Return the image of a store, of a job or one that went in, whose digest begins so.

    Raises NotInStore, which asks for the image, if the store has no such one; InvalidRequest as `Store.find_input`; and
    StoreError.
    """
    kept = store.find_input(digest)
    if kept is None:
        raise NotInStore(
            f"the {role} {digest[:71]} is neither in flux_images nor in the store",
            f"Give the image itself: --{role} PATH, or {role}=PATH.",
        )
    record = kept.record
    of, origin = (compute_key(record) or "", describe_origin(record)) if record else ("", "")
    return read_input(read_kept_input(kept), role, subject=f"the {role}", digest=kept.digest, of=of, origin=origin)


def _load_bytes(data: bytes, role: str, subject: str, path: Path | None = None) -> InputImage:
    """Return the image of a file, with the record that it carries if it is the record's image."""
    known = _find_known(data, path)
    return read_input(data, role, subject=subject, **known)


def _find_known(data: bytes, path: Path | None) -> dict[str, str]:
    """Return the key and words of the record that a file carries, and the digest, if it has the record's pixels."""
    carried = None
    with suppress(FluxError):  # no record, a damaged one, or no image, which is told later
        carried = embedding.read(data)
    if carried is None and path is not None:
        with suppress(FluxError, OSError):
            carried = find_carried_beside(path, data)
    digest = _find_file(carried, data) if carried else ""
    if carried is None or not digest:
        return {}
    return {
        "digest": digest,
        "of": compute_key(carried.record) or "",
        "origin": describe_origin(carried.record),
    }


def _find_file(carried: Carried, data: bytes) -> str:
    """Return the digest of the record's file that these bytes are, or whose pixels they have; else ""."""
    hashes = {embedding.compute_sha256(one) for one in embedding.list_readings(data)}
    for file in carried.record.files:
        if file.sha256 in hashes:
            return file.digest
    with suppress(NotAnImage):
        digest = codecs.compute_digest(data)
        return digest if any(file.digest == digest for file in carried.record.files) else ""
    return ""

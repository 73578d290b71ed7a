"""The bytes and pixels of an image: media type, size, digest, and conversion to other encodings."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from ..errors import InvalidRequest, NotAnImage, UnreadableFormat
from ..types import FileRecord
from . import formats, pixels
from .digest import compute_pixel_digest
from .formats import detect_media_type
from .parts import check_parts, read_told_size, webp_chunks

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
}
"""The suffixes of the images that are kept and shown."""

ENCODED: Final = (".png", ".jpg", ".jpeg", ".webp")
"""The suffixes that any image can be saved under; GIF and AVIF are not encoded, and are saved as delivered."""

SEALED: Final = frozenset({"image/gif", "image/avif"})
"""The media types that nothing is written into, and that are not encoded."""

MOST_SIDES: Final = {"image/jpeg": 65_500, "image/webp": 16_383}
"""The longest side that an encoder takes, in pixels."""

_MOVING: Final = SEALED | {"image/png", "image/webp"}


def get_suffix(media_type: str) -> str:
    """Return the usual suffix of a media type: `.png`, `.jpg`, `.webp`, `.gif` or `.avif`."""
    return next(suffix for suffix, known in SUFFIXES.items() if known == media_type)


@functools.cache
def load() -> None:
    """Load what decodes an image: Pillow, and the formats out of the fifty that it would load to find WebP."""
    from PIL import Image, WebPImagePlugin  # noqa: F401

    Image.preinit()


@functools.cache
def can_read_avif() -> bool:
    """Return True if Pillow reads AVIF here: from 11.3 on, if it was built with libavif, or with its plug-in."""
    try:
        from PIL import AvifImagePlugin
    except ImportError:
        return importlib.util.find_spec("pillow_avif") is not None and bool(importlib.import_module("pillow_avif"))
    return bool(AvifImagePlugin.SUPPORTED)


def check_readable(subject: str, data: bytes, hint: str = "") -> str:
    """Return the name of an image's format: `PNG`, `AVIF`; `subject` is how an error calls the file.

    Raises NotAnImage for a file that is not one of the five that are read, and for AVIF where this Pillow reads none.
    """
    if detect_media_type(data) is None:
        raise formats.make_refusal(subject, data, hint)
    name = formats.name_format(data)
    if name == "AVIF" and not can_read_avif():
        upgrade = f"Upgrade Pillow: pip install --upgrade pillow. {hint}".rstrip()
        raise UnreadableFormat(f"{subject} is AVIF, which this Pillow cannot read", upgrade)
    return name


def decode(data: bytes) -> Image:
    """Decode the first frame with Pillow.

    Raises NotAnImage for what is no PNG, JPEG, WebP, GIF or AVIF, is damaged, or has over 64 million pixels.
    """
    with open_decoded(data) as image:
        return image


@contextmanager
def open_decoded(data: bytes) -> Iterator[Image]:
    """Decode an image as `decode` does, and keep other threads from decoding more than there is memory for.

    The block should end with the last use of the image.
    """
    load()
    name = check_readable("the image that the Space sent", data)
    image = open_image(data, name)
    with pixels.budget.take(image.width * image.height):
        with _translate_errors():
            image.load()
        yield image


def open_image(data: bytes, name: str) -> Image:
    """Return an image of the format with this name, of which nothing is decoded yet; raises NotAnImage.

    `Image.open` warns of large images; here they are refused.
    """
    from PIL import Image

    check_parts(data)
    _check_pixels(*read_told_size(data))
    with _translate_errors():
        image = Image.OPEN[name.upper()][0](io.BytesIO(data), "")
    _check_pixels(image.width, image.height)
    return image


def _check_pixels(width: int, height: int) -> None:
    if width * height > pixels.MOST:
        raise NotAnImage(f"the image has {width}×{height} pixels: more than {pixels.MOST:,}")


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Turn into NotAnImage whatever Pillow raises for bytes that are no image."""
    from PIL.Image import DecompressionBombError

    try:
        yield
    except (*_OF_PILLOW, DecompressionBombError) as exc:
        raise NotAnImage(f"the image that the Space sent is damaged: {exc}", "Run the cell again.") from exc


_OF_PILLOW: Final = (
    *(OSError, ValueError, SyntaxError, LookupError, TypeError, EOFError, ArithmeticError, RuntimeError),
    *(struct.error, zlib.error, MemoryError, Warning),
)


def describe_decoder(*media_types: str) -> str:
    """Return the name and version of the decoder, with its libraries; that of AVIF if one file is AVIF."""
    return _describe_decoder(avif="image/avif" in media_types)


@functools.cache
def _describe_decoder(*, avif: bool) -> str:
    import PIL
    from PIL import features

    load()
    parts = {"libwebp": "webp", "libjpeg-turbo": "libjpeg_turbo", "zlib": "zlib"}
    if avif:
        parts["libavif"] = "avif"
    found = {name: features.version(key) for name, key in parts.items()}
    return ", ".join(
        [f"Pillow {PIL.__version__}", *(f"{name} {version}" for name, version in found.items() if version)]
    )


def count_frames(data: bytes) -> int:
    """Return the number of frames of an animation, or 1 for any other image; raises NotAnImage as `decode` does."""
    if detect_media_type(data) not in _MOVING:
        return 1
    load()
    image = open_image(data, check_readable("the image that the Space sent", data))
    with _translate_errors():
        return int(getattr(image, "n_frames", 1))


def is_animated(data: bytes) -> bool:
    """Return True if an image has more than one frame, or a JPEG more than one image; raises NotAnImage as `decode`
    does.
    """
    load()
    image = open_image(data, check_readable("the image that the Space sent", data))
    with _translate_errors():
        return bool(getattr(image, "is_animated", False))


def compute_digest(data: bytes) -> str:
    """Return the digest of a file's pixels; raises NotAnImage as `decode` does."""
    with open_decoded(data) as image:
        return compute_pixel_digest(image)


def describe(data: bytes) -> FileRecord:
    """Return the properties of a delivered file; raises NotAnImage as `decode` does."""
    with open_decoded(data) as image:
        return FileRecord(
            media_type=detect_media_type(data) or "",
            width=image.width,
            height=image.height,
            digest=compute_pixel_digest(image),
            sha256=hashlib.sha256(data).hexdigest(),
        )


def is_flat(data: bytes, record: FileRecord) -> bool:
    """Return True for an image of one colour. Only a small file is decoded: none of one colour is large."""
    if len(data) > record.width * record.height // 20 + 4096:
        return False
    with open_decoded(data) as image:
        extrema = image.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(least == most for least, most in bands)


def encode_for_notebook(data: bytes, inline: str | None) -> tuple[str, bytes]:
    """Return the media type and bytes to embed, in a type that every front end and nbconvert show.

    `inline` is `png`, `jpeg`, or None for what keeps the image best: PNG and JPEG as they are, lossy WebP as JPEG (its
    losses are there already), lossless WebP and whatever has alpha as PNG, and so the first frame of a GIF and AVIF,
    which not every front end shows.

    An image that is too long for its encoding is PNG. Raises NotAnImage as `decode` does, if it has to be encoded.
    """
    media_type = detect_media_type(data)
    if inline is None:
        inline = "jpeg" if media_type == "image/jpeg" or _is_lossy_webp(data) else "png"
    wanted = f"image/{inline}"
    if media_type == wanted:
        return wanted, data
    with open_decoded(data) as image:
        if max(image.size) > MOST_SIDES.get(wanted, max(image.size)):
            wanted = "image/png"
        return wanted, data if media_type == wanted else _encode(image, wanted)


def is_exact(delivered: str, media_type: str | None) -> bool:
    """Return True if a conversion between two media types keeps every pixel, whatever the decoder.

    WebP and GIF have none that PNG has not. Decoders of JPEG and AVIF differ by a shade.
    """
    return media_type == delivered or (delivered in {"image/webp", "image/gif"} and media_type == "image/png")


def keeps_pixels(data: bytes, media_type: str) -> bool:
    """Return True if an image that is encoded as that type has the very same pixels."""
    return is_exact(detect_media_type(data) or "", media_type)


def make_thumbnail(data: bytes, longest: int) -> bytes:
    """Return a small JPEG of the image, at most `longest` pixels wide or high; raises NotAnImage as `decode` does."""
    with open_decoded(data) as image:
        small = _lay_on_white(image)
        small.thumbnail((longest, longest))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=80)
    return out.getvalue()


def convert_to_type(data: bytes, media_type: str) -> bytes:
    """Return the image in the encoding of this media type; unchanged, and not decoded, if it already has it.

    Raises NotAnImage as `decode` does, InvalidRequest if the encoding takes no image of this size.
    """
    if detect_media_type(data) == media_type:
        return data
    with open_decoded(data) as image:
        return _encode(image, media_type)


def convert_to_suffix(data: bytes, path: PurePath) -> bytes:
    """Return the image in the encoding of the path's suffix; unchanged if it already has it.

    Raises InvalidRequest as `check_suffix`, NotAnImage as `decode`.
    """
    return convert_to_type(data, check_suffix(path, detect_media_type(data) or ""))


def check_suffix(path: PurePath, delivered: str = "") -> str:
    """Return the media type for a path's suffix: one that we encode, or the `delivered` one. Raises InvalidRequest
    otherwise.
    """
    suffix = path.suffix.lower()
    media_type = SUFFIXES.get(suffix)
    if media_type is None or (suffix not in ENCODED and media_type != delivered):
        own = f"; {suffix} is for an image that came as such" if media_type else ""
        raise InvalidRequest(f"cannot save as {path.name!r}: give a name that ends in {', '.join(ENCODED)}{own}")
    return media_type


def check_sides(size: tuple[int, int], media_type: str) -> None:
    """Raise InvalidRequest if an image of this size cannot be encoded as this media type."""
    most = MOST_SIDES.get(media_type)
    if most is not None and max(size) > most:
        kind = next(name for name, known in formats.MEDIA_TYPES.items() if known == media_type)
        raise InvalidRequest(
            f"cannot save {size[0]}×{size[1]} pixels as {kind}, which has at most {most:,} on a side: save as .png"
        )


def _encode(image: Image, media_type: str) -> bytes:
    check_sides(image.size, media_type)
    out = io.BytesIO()
    if media_type == "image/png":
        if image.mode in _COLOUR_TYPES and not image.info.keys() & {"icc_profile", "transparency"}:
            return encode_png(image)
        (image.convert("RGB") if image.mode in {"CMYK", "YCbCr"} else image).save(out, "PNG")
    elif media_type == "image/webp":
        image.save(out, "WEBP", lossless=True)
    else:
        _lay_on_white(image).save(out, "JPEG", quality=95, subsampling="4:4:4")
    return out.getvalue()


_COLOUR_TYPES: Final = {"L": 0, "RGB": 2, "RGBA": 6}


def encode_png(image: Image) -> bytes:
    """Return the image, of mode L, RGB or RGBA, as a PNG: each pixel less the one to its left.

    After the PNG specification (third edition). Pillow tries five filters on each row, and looks far back for what
    comes again: that takes 4 to 6 times as long, and at its quickest setting still twice as long, for 8 to 12 % fewer
    bytes (`python -m tests.benchmarks.speed own`).
    """
    from PIL import Image, ImageChops

    coder = zlib.compressobj(strategy=zlib.Z_RLE)
    body = []
    for band in pixels.split_bands(image):
        left = Image.new(band.mode, band.size, 0)
        left.paste(band, (1, 0))
        raw = ImageChops.subtract_modulo(band, left).tobytes()
        row = len(raw) // band.height
        body += [coder.compress(b"\1" + raw[start : start + row]) for start in range(0, len(raw), row)]  # 1 is Sub
    header = struct.pack(">IIBBBBB", *image.size, 8, _COLOUR_TYPES[image.mode], 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": b"".join([*body, coder.flush()]), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(make_png_chunk(name, data) for name, data in chunks.items())


def make_png_chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG: length, name, body and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _lay_on_white(image: Image) -> Image:
    """Lay a transparent image on white, because JPEG has no alpha."""
    from PIL import Image

    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    whole, top = Image.new("RGB", image.size), 0
    for band in pixels.split_bands(image):
        white = Image.new("RGBA", band.size, "white")
        whole.paste(Image.alpha_composite(white, band.convert("RGBA")), (0, top))
        top += band.height
    return whole


def _is_lossy_webp(data: bytes) -> bool:
    """Return True for a WebP whose only image is coded by VP8, without alpha or animation.

    After the container specification of WebP: `VP8 ` is lossy, `VP8L` lossless; in the flags of a
    `VP8X` chunk 0x10 means alpha and 0x02 an animation.
    """
    if detect_media_type(data) != "image/webp":
        return False
    for part in webp_chunks(data):
        if part.name == b"VP8X" and int.from_bytes(data[part.body : part.body + 1], "little") & 0x12:
            return False
        if part.name in {b"VP8 ", b"VP8L"}:
            return part.name == b"VP8 "
    return False

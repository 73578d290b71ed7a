"""Images that go in, as every model takes them: 8-bit RGB, upright, and a mask in grey, without any metadata.

A PNG, JPEG or WebP that is so already is sent as it is, apart from its metadata. A photo that lies on its side becomes
another JPEG, and everything else a PNG; a note says what was changed.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidRequest, NotAnImage
from ..types import InputImage, InputRecord
from . import codecs, formats, pixels
from .arrays import convert_array
from .bare import remove_all_but_pixels
from .digest import compute_pixel_digest
from .pixels import split_bands

if TYPE_CHECKING:
    from PIL.Image import Image

MOST: Final = 64 * 2**20
"""An image of more bytes than this does not go in."""

ROLES: Final = ("image", "mask")
"""The roles of an image that goes in; a mask is white where the image may change."""

_SENT: Final = {"PNG", "JPEG", "WebP"}
"""The formats that are sent as they are."""

_READ: Final = {*formats.MEDIA_TYPES, "TIFF", "BMP"}

_WHAT: Final = {"L": "grey", "LA": "grey", "1": "black and white", "P": "palette", "PA": "palette", "F": "floats"}


def read_input(
    data: bytes, role: str = "image", *, subject: str = "the image", digest: str = "", of: str = "", origin: str = ""
) -> InputImage:
    """Return the image in a file's bytes as it is sent.

    Args:
        data: a PNG, JPEG, WebP, GIF, AVIF, TIFF or BMP; of an animation the first frame counts.
        role: `image` or `mask`.
        subject: how an error calls it.
        digest: that of its pixels, if a record says it: another decoder may read a JPEG by a shade otherwise.
        of: the replay key of the record that made it; empty if it is not known.
        origin: what made it, in words, to be shown.

    Raises InvalidRequest for what is no image, is damaged, or has over 64 MiB or 64 million pixels.
    """
    if len(data) > MOST:
        raise InvalidRequest(f"{subject} has {len(data) / 2**20:,.0f} MiB: at most {MOST // 2**20} MiB go in")
    with _translate_errors(subject):
        name = _load_reader(subject, data)
        with codecs.open_as(data, name) as image:
            notes = _list_file_notes(image, data, name)
            fit, changes = _fit(image, role, subject)
            changed = [*notes, *changes]
            sent = b"" if changed or name not in _SENT else _strip(data)
            if (name, role, changes) == ("JPEG", "image", [_TURNED]):
                sent = _encode_again(fit)
                fit, changed = codecs.decode(sent), [f"{_TURNED}, as a new JPEG"]
            known = digest if _keeps_pixels(image, role, changes) else ""
            if not changed and not sent:
                changed = ["" if name in _SENT else f"{name} made PNG"]
            return _make(fit, sent, role, "; ".join(filter(None, changed)), digest=known, of=of, origin=origin)


def convert_input(image: Image, role: str = "image", *, subject: str = "the image", note: str = "") -> InputImage:
    """Return a Pillow image as it is sent; `note` says what was changed before. Raises as `read_input`."""
    codecs.load()
    with _translate_errors(subject):
        codecs.check_pixels(*image.size)
        with pixels.budget.take(image.width * image.height):
            with codecs.translate_errors():
                image.load()
            fit, changes = _fit(image, role, subject)
            return _make(fit, b"", role, "; ".join(filter(None, [note, *changes])))


def read_array(array: Any, role: str = "image", *, subject: str = "the image") -> InputImage:
    """Return an array as it is sent. Raises as `convert_array` and `read_input`."""
    image, note = convert_array(array, subject)
    return convert_input(image, role, subject=subject, note=note)


@contextmanager
def _translate_errors(subject: str) -> Iterator[None]:
    """Raise InvalidRequest in place of NotAnImage: it is the caller's file, and no Space's."""
    try:
        yield
    except NotAnImage as error:
        said = re.sub(r"^(the image that the Space sent|the image|this (?=PNG|JPEG|WebP))", subject, error.message)
        said = said.replace("which flux_magic cannot show", "which is not read here: save it as PNG or JPEG")
        hint = "" if error.hint == codecs.RUN_AGAIN else error.hint
        raise InvalidRequest(said, hint) from error


def _load_reader(subject: str, data: bytes) -> str:
    """Return the name of the format, whose reader is loaded; raises NotAnImage for one that is not read."""
    codecs.load()
    name = formats.name_format(data)
    if name == "TIFF":
        from PIL import TiffImagePlugin  # noqa: F401 - it registers itself
    elif name not in _READ:
        raise formats.make_refusal(subject, data)
    return codecs.check_readable(subject, data) if name in formats.MEDIA_TYPES else name


def _list_file_notes(image: Image, data: bytes, name: str) -> list[str]:
    """Return what is lost of a file beyond its first frame's 8 bits."""
    frames = getattr(image, "n_frames", 1) if name not in {"JPEG", "TIFF"} else 1
    notes = [f"the first of its {frames} frames"] if frames > 1 else []
    is_deep = (name == "PNG" and data[24] == 16) or (name == "TIFF" and max(_read_depths(image)) > 8)
    return [*notes, *(["16 bits made 8"] if is_deep and image.mode not in _SCALED else [])]


def _read_depths(image: Any) -> tuple[int, ...]:
    found = image.tag_v2.get(258, (8,))
    return found if isinstance(found, tuple) else (int(found),)


def _strip(data: bytes) -> bytes:
    """Return the file without metadata; empty if its parts cannot be followed, so that it has to be encoded."""
    try:
        return remove_all_but_pixels(data, formats.detect_media_type(data) or "")
    except NotAnImage:
        return b""


def _keeps_pixels(image: Image, role: str, changes: list[str]) -> bool:
    """Return True if what is sent has the very pixels of the file, in whatever form they are kept."""
    if role == "mask":
        return not changes
    return all(one == f"{_WHAT.get(image.mode)} made RGB" or one == _OPAQUE for one in changes) and (
        image.mode not in _SCALED
    )


_SCALED: Final = {"I", "I;16", "I;16B", "I;16L", "I;16N", "F"}
_OPAQUE: Final = "opaque alpha left out"
_TURNED: Final = "turned upright"
_ORIENTATION: Final = 0x0112
_COLOUR_SPACE: Final = slice(16, 20)
"""The bytes of a profile that name the colours it is for (ICC.1, 7.2)."""


def _fit(image: Image, role: str, subject: str) -> tuple[Image, list[str]]:
    """Return an image as it is sent, and what was changed, in words."""
    upright = _turn_upright(image)
    notes = [] if upright is image else [_TURNED]
    if upright.mode in _SCALED:
        upright, note = _scale(upright, subject)
        notes.append(note)
    fit, note = _fit_mask(upright, subject) if role == "mask" else _fit_image(upright, subject)
    return fit, [*notes, *([note] if note else [])]


def _turn_upright(image: Image) -> Image:
    """Return the image as its EXIF says it is to be seen; the same one if that changes nothing."""
    from PIL import ImageOps

    if image.getexif().get(_ORIENTATION) not in range(2, 9):
        return image
    return ImageOps.exif_transpose(image)


def _scale(image: Image, subject: str) -> tuple[Image, str]:
    """Return a grey image of over 8 bits as one of 8: integers up to 65535, numbers up to 1 or 255."""
    extremes: Any = image.getextrema()
    least, most = extremes
    highest = 255 if most <= 255 and image.mode == "I" else 65535
    if image.mode == "F":
        highest = 1 if most <= 1 else 255
    if not (least >= 0 and most <= highest):  # false for NaN as well
        raise InvalidRequest(f"{subject} has values from {least:.6g} to {most:.6g}: make them 0 to 255")
    factor = 255 / highest
    scaled = image.convert("F").point(lambda value: value * factor + 0.5).convert("L")
    scaled.info.pop("transparency", None)
    return scaled, "numbers made 8 bits" if image.mode == "F" else "16 bits made 8"


def _fit_image(image: Image, subject: str) -> tuple[Image, str]:
    """Return an image as RGB, its alpha laid on white, and what was changed."""
    if image.has_transparency_data:
        alphas: list[Any] = [band.convert("RGBA").getchannel("A").getextrema() for band in split_bands(image)]
        is_opaque = all(least == 255 for least, _ in alphas)
        return codecs.lay_on_white(image), _OPAQUE if is_opaque else "alpha laid on white"
    if image.mode == "RGB":
        return image, ""
    return _convert(image, "RGB", subject), f"{_WHAT.get(image.mode, image.mode)} made RGB"


def _fit_mask(image: Image, subject: str) -> tuple[Image, str]:
    """Return a mask as grey: from its alpha if that alone says where, else from its colours; what is clear is black."""
    if not image.has_transparency_data:
        return (image, "") if image.mode == "L" else (_convert(image, "L", subject), "made grey")
    from PIL import ImageChops

    whole = image.convert("RGBA")
    alpha, grey = whole.getchannel("A"), whole.convert("RGB").convert("L")
    if alpha.getextrema()[0] == 255:
        return grey, "made grey"
    drawn = whole.convert("RGB").histogram(alpha.point(lambda value: 255 if value else 0))
    is_one_colour = all(sum(map(bool, drawn[start : start + 256])) <= 1 for start in (0, 256, 512))
    return (alpha, "taken from its alpha") if is_one_colour else (ImageChops.multiply(grey, alpha), "made grey")


def _convert(image: Image, mode: str, subject: str) -> Image:
    try:
        return image.convert(mode)
    except ValueError:
        raise InvalidRequest(f"{subject} has colours of the kind {image.mode}: save it in RGB") from None


def _make(
    image: Image, sent: bytes, role: str, note: str, *, digest: str = "", of: str = "", origin: str = ""
) -> InputImage:
    """Return an input of these pixels: the bytes as they are, or a PNG of them."""
    data = sent or codecs.encode(_forget(image), "image/png")
    if len(data) > MOST:
        raise NotAnImage(f"the image has {len(data) / 2**20:,.0f} MiB as a PNG: at most {MOST // 2**20} MiB go in")
    record = InputRecord(
        role=role,
        media_type=formats.detect_media_type(data) or "",
        width=image.width,
        height=image.height,
        digest=digest or compute_pixel_digest(image),
        sha256=hashlib.sha256(data).hexdigest(),
        of=of,
        note=note,
    )
    return InputImage(record, data, origin)


def _encode_again(image: Image) -> bytes:
    """Return a photo as a JPEG once more: as a PNG it would be seven times as large, and it has losses already."""
    out = io.BytesIO()
    upright = _forget(image)
    upright.save(out, "JPEG", quality=95, subsampling="4:4:4", icc_profile=upright.info.get("icc_profile"))
    return out.getvalue()


def _forget(image: Image) -> Image:
    """Return the same pixels without what Pillow would write beside them, but with the profile of RGB colours."""
    profile = image.info.get("icc_profile") or b""
    is_of_rgb = image.mode == "RGB" and profile[_COLOUR_SPACE] == b"RGB "
    bare = image.copy()
    bare.info = {"icc_profile": profile} if is_of_rgb else {}
    return bare


def paint_mask(image: InputImage, mask: InputImage) -> tuple[bytes, bytes]:
    """Return a mask as an editor sends it: PNGs of what is painted alone, and of that on the image.

    The layer is as white and as opaque as the mask is white; both readings of it give the mask.
    """
    from PIL.Image import merge

    grey, composite = codecs.decode(mask.data).convert("L"), codecs.decode(image.data).convert("RGB")
    composite.paste((255, 255, 255), (0, 0, *composite.size), grey)
    return tuple(codecs.encode(one, "image/png") for one in (merge("RGBA", (grey,) * 4), _forget(composite)))  # type: ignore[return-value]

"""A sheet as a file: it carries the records of its images, and its own checksum."""

from __future__ import annotations

import importlib.util
import io
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageChops

from ..errors import InvalidRequest, NotAnImage
from ..images import codecs, formats, metadata
from ..images.metadata.texts import MOST_TEXT
from ..records import embedding
from ..records.record import check_schema, load_json
from ..types import Record
from .axes import Axis

if TYPE_CHECKING:
    from ..records.manifest import Signing
    from .sheet import Sheet

DPI: Final = 300
"""Pixels an inch that printers ask for."""

_FORMATS: Final = {"PNG", "JPEG", "WEBP"}
_OWN: Final = {"pnginfo", "exif", "xmp", "save_all", "append_images"}
"""Keywords with which callers of Pillow add metadata; ours would replace it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The records of a sheet's images.

    Attributes:
        axes: what varies.
        records: one for each image that there is, in order.
        carried: the same as JSON, each by the schema `carried-1`.
        prompt: what the sheet shows, in words.
        drawn: whether the local Space drew all images, and no model made one.
        signer: what signs the sheet's file; None does not.
    """

    axes: Sequence[Axis]
    records: Sequence[Record]
    carried: Sequence[Mapping[str, Any]]
    prompt: str
    drawn: bool
    signer: Signing | None = None


@dataclass(frozen=True, slots=True)
class SheetRecord:
    """The record that a sheet's file carries.

    Attributes:
        images: one for each image, as JSON by the schema `carried-1`.
        axes: what varies.
        digest: of the sheet's pixels when it was written, 64 hex digits; empty if it was too large to be decoded.
        sha256: of its bytes without their metadata, likewise.
    """

    images: Sequence[Any]
    axes: Sequence[Axis]
    digest: str
    sha256: str

    def is_whole(self, data: bytes) -> bool:
        """Return True if the file's bytes, its metadata apart, are those that were written."""
        return embedding.has_bare_sha256(data, self.sha256)


def add_records(data: bytes, contents: Contents) -> bytes:
    """Return a sheet's file with the records in it, unless there are none, or too many; signed if it is to be."""
    data, told = _embed_records(data, contents)
    if contents.signer is None:
        return data
    return contents.signer.sign_sheet(data, told, drawn=contents.drawn)


def _embed_records(data: bytes, contents: Contents) -> tuple[bytes, Mapping[str, Any]]:
    """Return a sheet's file with the records in it, and what is in it; as it is if nothing is."""
    if not contents.records:
        return data, {}
    copy = {"media_type": formats.detect_media_type(data) or "", "sha256": embedding.compute_bare_sha256(data)}
    with suppress(NotAnImage):  # a very large sheet is not decoded
        copy["digest"] = codecs.compute_digest(data)
    axes = [_write_axis(axis) for axis in contents.axes]
    told = {"sheet": list(contents.carried), "axes": axes, "copy": copy}
    text = json.dumps(told, separators=(",", ":"))
    if len(text) > MOST_TEXT:
        return data, {}
    models = {record.model for record in contents.records}
    written = metadata.Written("", text, contents.prompt, ", ".join(sorted(models)), "", contents.drawn)
    with suppress(NotAnImage):
        return metadata.embed(data, written), told
    return data, {}


def _write_axis(axis: Axis) -> dict[str, Any]:
    parts = {"parts": [_write_axis(part) for part in axis.parts]} if axis.parts else {}
    return {"name": axis.name, "values": list(axis.values), **parts}


def _read_axis(told: Mapping[str, Any]) -> Axis:
    return Axis(told["name"], tuple(told["values"]), tuple(map(_read_axis, told.get("parts", ()))))


def read(data: bytes) -> SheetRecord | None:
    """Return what a sheet's file carries; None for any other image. Raises RecordError if that is damaged."""
    try:
        text = metadata.read(data).record
    except NotAnImage:
        return None
    if not text.lstrip().startswith('{"sheet"'):
        return None
    known = check_schema("sheet-1", load_json(text))
    copy, axes = known["copy"], known.get("axes", [])
    return SheetRecord(known["sheet"], [_read_axis(axis) for axis in axes], copy.get("digest", ""), copy["sha256"])


class SheetImage(Image.Image):
    """A sheet as a Pillow image, whose PNG, JPEG or WebP carries the records of its images.

    A crop or a copy of it is an ordinary image, and one that was drawn on is saved as an ordinary image.
    """

    _contents: Contents | None = None
    _sheet: Sheet | None = None
    _dpi: float = DPI

    @classmethod
    def of(cls, sheet: Sheet, contents: Contents, dpi: float = DPI) -> SheetImage:
        """Return the sheet as it is now; its files say that it has this many pixels an inch."""
        image = sheet.image
        image.__class__ = cls  # Pillow makes no image of another class
        vars(image).update(_contents=contents, _sheet=sheet, _dpi=dpi)
        assert isinstance(image, cls)  # noqa: S101 - so it is now
        return image

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002 - Pillow's own name
        """Save the sheet as Pillow does, with its dpi, and with the records in it where the format has room for them.

        An SVG embeds the images as PNG and has the labels as text. So has a PDF if matplotlib is installed; without it
        the page is one image. A JPEG or PDF of a transparent sheet is white.

        A missing folder is made, as for images. Raises InvalidRequest for an SVG of a sheet that was drawn on, and for
        a name that ends in no format's suffix.
        """
        kind = (format or _choose_format(fp)).upper()
        if isinstance(fp, str | os.PathLike):
            if not kind:
                raise InvalidRequest(
                    f"cannot save the sheet as {os.fspath(fp)!r}: give a name that ends in .png, .jpg, .webp, .tiff, "
                    ".pdf or .svg"
                )
            Path(fp).parent.mkdir(parents=True, exist_ok=True)
        params = self._add_dpi(kind, params)
        whole = self._is_whole()
        if kind == "SVG":
            if not whole:
                raise InvalidRequest("the sheet was drawn on, so it has no SVG any more: save it as PNG or PDF")
            _put(fp, self._draw_svg().encode())
        elif kind == "PDF" and whole and _has_matplotlib():
            self._save_pdf(fp)
        elif kind not in _FORMATS or params.keys() & _OWN or not (whole and self._contents):
            flat = self._flatten(kind)
            (super().save if flat is self else flat.save)(fp, kind if kind == "PDF" else format, **params)
        else:
            assert self._contents is not None  # noqa: S101 - just seen
            codecs.check_sides(self.size, f"image/{kind.lower()}")
            out, flat = io.BytesIO(), self._flatten(kind)
            (super().save if flat is self else flat.save)(out, kind, **params)
            _put(fp, add_records(out.getvalue(), self._contents))

    def _add_dpi(self, kind: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of Pillow's `save` with what a figure for a paper needs, unless the caller sets it."""
        full: dict[str, Any] = {"quality": 95, "subsampling": "4:4:4"}
        known: dict[str, dict[str, Any]] = {
            "PNG": {"dpi": (self._dpi, self._dpi)},
            "JPEG": {"dpi": (self._dpi, self._dpi), **full},
            "TIFF": {"dpi": (self._dpi, self._dpi), "compression": "tiff_lzw"},
            "PDF": {"resolution": self._dpi, **full},
        }
        return {**known.get(kind, {}), **params}

    def _flatten(self, kind: str) -> Image.Image:
        """Return the sheet on white, for a format without transparency."""
        if self.mode != "RGBA" or kind not in {"JPEG", "PDF"}:
            return self
        return Image.alpha_composite(Image.new("RGBA", self.size, "white"), self.convert("RGBA")).convert("RGB")

    def _draw_svg(self) -> str:
        from .sheet_svg import write_svg

        assert self._sheet is not None  # noqa: S101 - it is whole
        return write_svg(self._sheet, self._dpi, self._alt)

    def _save_pdf(self, fp: Any) -> None:
        import matplotlib as mpl

        from .sheet_figure import build_figure

        assert self._sheet is not None  # noqa: S101 - it is whole
        figure = build_figure(self._sheet, self._dpi, self._alt)
        out = io.BytesIO()
        with mpl.rc_context({"pdf.fonttype": 42}):  # journals refuse fonts of type 3
            figure.savefig(out, format="pdf", metadata={"Title": self._alt, "CreationDate": None})
        _put(fp, out.getvalue())

    def _repr_jpeg_(self) -> Any:
        """Return what a notebook shows: a JPEG, or of a transparent sheet a PNG, with the alternative text."""
        return self._represent("JPEG") if self.mode == "RGB" else None

    def _repr_png_(self) -> Any:
        return self._represent("PNG") if self.mode != "RGB" else None

    def _represent(self, kind: str) -> tuple[bytes, dict[str, str]]:
        out = io.BytesIO()
        self.save(out, kind)
        return out.getvalue(), {"alt": self._alt}

    @property
    def _alt(self) -> str:
        return self._contents.prompt if self._contents is not None else ""

    def _is_whole(self) -> bool:
        now = self._sheet.image if self._sheet is not None else None
        same = now is not None and (now.mode, now.size) == (self.mode, self.size)
        return same and now is not None and ImageChops.difference(self, now).getbbox() is None


def _has_matplotlib() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _put(fp: Any, data: bytes) -> None:
    if hasattr(fp, "write"):
        fp.write(data)
    else:
        Path(fp).write_bytes(data)


def _choose_format(fp: Any) -> str:
    """Return the format that Pillow chooses by a file's name; empty if it knows none."""
    name = fp if isinstance(fp, str | os.PathLike) else getattr(fp, "name", "")
    suffix = Path(name).suffix.lower() if isinstance(name, str | os.PathLike) else ""
    if suffix == ".svg":
        return "SVG"
    return Image.registered_extensions().get(suffix, "")

"""The images that go in: buttons to choose files, a thumbnail of each image, and a button that removes it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from ipywidgets import HTML, Box, Button, FileUpload, HBox, Layout, VBox

from ...client.inputs import load_image
from ...errors import FluxError, InvalidRequest
from ...images import codecs
from ...types import InputImage
from ..widgets import close_widgets
from .parameters import Parameters

_LONGEST: Final = 96
"""Pixels of a thumbnail's longer side."""

_HINT: Final = "or “Use as input” below a result"


class Inputs:
    """The controls of the images that go in; they are hidden if the model takes none.

    Args:
        parameters: what they set.
        failed: called with the error of an image that cannot go in.
    """

    def __init__(self, parameters: Parameters, failed: Callable[[BaseException], None]) -> None:
        self._parameters, self._failed = parameters, failed
        self.image = _make_upload("Image", "The image that is edited")
        self.mask = _make_upload("Mask", "White where the image may change")
        self._hint = HTML(_format_hint(_HINT))
        self._items = Box().add_class("flux-magic-inputs")
        row = HBox([self.image, self.mask, self._hint]).add_class("flux-magic-row")
        self.widget = VBox([row, self._items], layout=Layout(display="none"))
        self.image.observe(lambda _: self._on_upload(self.image, "image"), "value")
        self.mask.observe(lambda _: self._on_upload(self.mask, "mask"), "value")
        parameters.observe(lambda _: self._show(), "images")
        self._show()

    def offer_drop(self) -> None:
        """Say that an image can be dropped or pasted: not every page can do that."""
        self._hint.value = _format_hint(f"or drop or paste one, {_HINT}")

    @property
    def are_taken(self) -> bool:
        """True if the model at hand takes images, or some are set and it is not known what the model takes."""
        model = self._parameters.at_hand
        is_unknown = not model.is_described and bool(self._parameters.images)
        return bool(model.most_images) or model.takes_mask or is_unknown

    def fit(self) -> None:
        """Show the controls of the model at hand."""
        model = self._parameters.at_hand
        self.widget.layout.display = None if self.are_taken else "none"
        self.image.multiple = model.most_images > 1
        self.mask.layout.display = None if model.takes_mask else "none"

    def add(self, given: object, role: str = "image") -> None:
        """Let an image go in; if there is room for one only, it takes the place of the last."""
        try:
            if not self.are_taken:
                raise InvalidRequest("this model takes no image: choose one that edits, such as kontext")
            self._add(load_image(given, role))
        except FluxError as error:
            self._failed(error)

    def _add(self, image: InputImage) -> None:
        images, most = self._parameters.images, self._parameters.at_hand.most_images
        same = [one for one in images if one.role == image.role]
        if image.role == "mask" or most <= 1:
            images = tuple(one for one in images if one.role != image.role)
        elif len(same) >= most:
            raise InvalidRequest(f"this model takes at most {most} images: remove one")
        self._parameters.images = (*images, image)

    def _on_upload(self, upload: FileUpload, role: str) -> None:
        files = _read_files(upload.value)
        for data in files:
            self.add(data, role)
        if files:
            _empty(upload)  # so that the same file can be chosen again

    def _show(self) -> None:
        """Show a thumbnail of each image that goes in."""
        gone = self._items.children
        self._items.children = tuple(self._make_item(place) for place in range(len(self._parameters.images)))
        close_widgets(gone)
        self.fit()

    def _make_item(self, place: int) -> VBox:
        image = self._parameters.images[place]
        record = image.record
        small = base64.b64encode(codecs.make_thumbnail(image.data, _LONGEST)).decode()
        alt = f"{record.role} that goes in, {record.width} × {record.height}"
        picture = HTML(f'<img src="data:image/jpeg;base64,{small}" alt="{alt}" title="{alt}">')
        remove = Button(description=f"Remove {record.role}", icon="times", tooltip=f"Remove the {alt}")
        remove.on_click(lambda _: self._remove(image))
        return VBox([picture, remove]).add_class("flux-magic-item")

    def _remove(self, image: InputImage) -> None:
        self._parameters.images = tuple(one for one in self._parameters.images if one is not image)


def _format_hint(text: str) -> str:
    return f'<span class="flux-magic-hint">{text}</span>'


def _make_upload(name: str, tooltip: str) -> FileUpload:
    upload = FileUpload(description=name, accept="image/*", layout=Layout(width="auto"))
    upload.tooltip = tooltip  # ipywidgets 7 has none
    return upload


def _read_files(value: Any) -> list[bytes]:
    """Return the bytes of the chosen files: ipywidgets 7 has a mapping of them, 8 a tuple."""
    files = value.values() if isinstance(value, dict) else value
    return [bytes(one["content"]) for one in files]


def _empty(upload: FileUpload) -> None:
    if isinstance(upload.value, dict):  # ipywidgets 7
        upload.set_trait("value", {})
        upload.data, upload.metadata, upload._counter = [], [], 0  # noqa: SLF001 - it has no other way
    else:
        upload.value = ()

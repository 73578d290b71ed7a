"""The strings that are written into a file or found in one, with the limits and errors that all formats share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ...errors import NotAnImage

MOST_TEXT: Final = 8 * 1024 * 1024
"""A single text of more bytes than this, once decompressed, is not read."""

_UNSPEAKABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Written:
    """The strings to be written into a file.

    Attributes:
        parameters: the text in the form of AUTOMATIC1111's web UI, as `format_a1111` makes it; empty for none.
        record: a JSON string of ASCII characters alone.
        prompt: what was asked for, for the fields of IPTC.
        system: what made the image: a model's name, or `flux_magic stand-in`.
        system_version: its version; an empty one is left out.
        drawn: whether a program drew the image, where else a trained model made it.
        negative_prompt: what the image must not show; IPTC's field of the prompt may have both.
        edited: whether it was made of other images.
    """

    parameters: str
    record: str
    prompt: str
    system: str
    system_version: str
    drawn: bool
    negative_prompt: str = ""
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The strings that were read from a file; empty if there were none.

    Attributes:
        parameters: the text in the form of AUTOMATIC1111's web UI.
        record: the JSON string that `Written.record` was.
        xmp: the XMP packet; of an extended one (JPEG) the main packet.
        strings: every other string by its name: a PNG's keyword (`prompt`, `workflow`), `EXIF UserComment`, `XMP
            dc:description`, `JPEG comment`.
    """

    parameters: str = ""
    record: str = ""
    xmp: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> Mapping[str, str]:
        """All strings of other tools by their names, `parameters` among them."""
        comment = self.texts.get("EXIF UserComment")
        return self.texts if self.parameters == comment else {"parameters": self.parameters, **self.texts}


def replace_unspeakable(text: str) -> str:
    """Return the text with U+FFFD for each NUL and lone surrogate, which not every format can encode."""
    return _UNSPEAKABLE.sub("\ufffd", text)


def make_damaged_error(kind: str, reason: str) -> NotAnImage:
    """Return the error for a file that breaks its own format."""
    return NotAnImage(f"this {kind} is damaged: {reason}")


def make_length_error(kind: str, where: str, most: int = MOST_TEXT) -> NotAnImage:
    """Return the error for a text beyond the limit; `where` names what holds it."""
    return NotAnImage(f"this {kind} is not read: {where} holds over {most // 1024**2} MiB of text")


def format_four(name: bytes) -> str:
    """Return a chunk's name of four characters for a message, whatever its bytes are."""
    return name.decode("ascii") if name.isalnum() else repr(name)[1:]

"""What is written into a file and what is found in one, with the bounds and errors that its readers share."""

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
    """What is to be written into a file.

    Attributes:
        parameters: the text in the form of AUTOMATIC1111's web UI, as `a1111_text` makes it; empty for none.
        record: a JSON text of ASCII characters alone.
        prompt: what was asked for, for the fields of IPTC.
        system: what made the picture: a model's name, or `flux_magic stand-in`.
        system_version: its version; an empty one is left out.
        drawn: whether a program drew the picture, where else a trained model made it.
    """

    parameters: str
    record: str
    prompt: str
    system: str
    system_version: str
    drawn: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What was read from a file: empty where there was none.

    Attributes:
        parameters: the text in the form of AUTOMATIC1111's web UI.
        record: the JSON text that `Written.record` was.
        xmp: the XMP packet; of an extended one (JPEG) the main packet.
        texts: every other string by its name: a PNG's keyword (`prompt`, `workflow`), `EXIF UserComment`,
            `XMP dc:description`, `JPEG comment`.
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


def speakable(text: str) -> str:
    """The text with U+FFFD for each NUL and lone surrogate: no encoding of a file takes them all."""
    return _UNSPEAKABLE.sub("\ufffd", text)


def damaged(kind: str, reason: str) -> NotAnImage:
    """The error for a file that breaks its own format."""
    return NotAnImage(f"this {kind} is damaged: {reason}")


def too_long(kind: str, where: str, most: int = MOST_TEXT) -> NotAnImage:
    """The error for a text beyond the limit; `where` names what holds it."""
    return NotAnImage(f"this {kind} is not read: {where} holds over {most // 1024**2} MiB of text")


def four(name: bytes) -> str:
    """A chunk's name of four letters as a message shows it, whatever its bytes are."""
    return name.decode("ascii") if name.isalnum() else repr(name)[1:]

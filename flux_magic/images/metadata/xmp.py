"""XMP: the fields of IPTC for what a machine made, and our record, as RDF in XML.

After the XMP specification, part 1 (the packet) and part 3 (JPEG's extended XMP), and the IPTC Photo
Metadata Standard 2025.1.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from .texts import Written

NAMESPACE: Final = "urn:flux-magic:ns:1.0/"
"""The namespace of `flux_magic:Record`. It ends in a slash, as XMP asks of a namespace."""

_NAMESPACES: Final = {
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "flux_magic": NAMESPACE,
    "xmpNote": "http://ns.adobe.com/xmp/note/",
}
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_OTHERS: Final = {
    "http://ns.adobe.com/exif/1.0/ UserComment": "exif:UserComment",
    "http://purl.org/dc/elements/1.1/ description": "dc:description",
    "http://ns.adobe.com/xap/1.0/ CreatorTool": "xmp:CreatorTool",
}
_SOURCE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"

_KINDS: Final = (
    ("trainedAlgorithmicMedia", "algorithmicMedia"),
    ("compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"),
)
"""IPTC's words for an image that a model made or a program drew, and below for one that was made of others."""

_HEAD: Final = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL: Final = '\n<?xpacket end="r"?>'

_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
"""Characters to escape; the ampersand comes first because the others introduce new ones."""

_LONG: Final = 8192
"""A property of more bytes than this moves to the extension if the packet is too large."""


def name_source(*, drawn: bool, edited: bool) -> str:
    """Return IPTC's digital source type, a URL: of a model's image or a program's drawing, or one made of others."""
    return _SOURCE + _KINDS[edited][drawn]


def make_packet(carried: Written, *, with_record: bool) -> bytes:
    """Return the whole packet; in a PNG the record has a chunk of its own."""
    return _make_packet(_make_properties(carried, with_record=with_record))


def make_extended(carried: Written) -> tuple[bytes, bytes, bytes]:
    """Return a main packet with the record, of under 64 KiB, its extension, and the extension's digest in 32 digits.

    Long properties are in the extension, which the main packet names.
    """
    properties = _make_properties(carried, with_record=True)
    long = [item for item in properties if len(item.encode()) > _LONG]
    extension = _make_rdf(long).encode()
    guid = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()
    short = [item for item in properties if item not in long]
    return _make_packet([*short, _make_element("xmpNote:HasExtendedXMP", guid)]), extension, guid.encode()


def read_record(xml: bytes) -> str:
    """Return our record in a packet, or ""."""
    return _read_value(xml, f"{NAMESPACE} Record")


def read_texts(xml: bytes) -> dict[str, str]:
    """Return the strings in a packet that other tools write: `XMP dc:description`."""
    if not any(name.rpartition(" ")[2].encode() in xml for name in _OTHERS):
        return {}
    return {f"XMP {_OTHERS[name]}": text for name, text in _read_values(xml, *_OTHERS).items() if text.strip()}


def read_extension_name(xml: bytes) -> bytes:
    """Return the digest by which a main packet names its extension, or ""."""
    guid = _read_value(xml, f"{_NAMESPACES['xmpNote']} HasExtendedXMP").encode("ascii", "replace")
    return guid if len(guid) == 32 else b""


def has_named_credentials(xml: bytes) -> bool:
    """Return True if a packet says where the file's content credentials are (C2PA): elsewhere, or in the file
    itself.
    """
    return (
        _read_value(xml, "http://purl.org/dc/terms/ provenance").strip().startswith(("http:", "https:", "self#jumbf"))
    )


def _make_properties(carried: Written, *, with_record: bool) -> list[str]:
    negative = f"\nNegative prompt: {carried.negative_prompt}" if carried.negative_prompt else ""
    values = {
        "Iptc4xmpExt:DigitalSourceType": name_source(drawn=carried.drawn, edited=carried.edited),
        "Iptc4xmpExt:AISystemUsed": carried.system,
        "Iptc4xmpExt:AISystemVersionUsed": carried.system_version,
        "Iptc4xmpExt:AIPromptInformation": carried.prompt + negative,
        "flux_magic:Record": carried.record if with_record else "",
    }
    alternative = [_make_alternative("Iptc4xmpCore:AltTextAccessibility", carried.prompt)] if carried.prompt else []
    return [_make_element(name, value) for name, value in values.items() if value] + alternative


def _make_element(name: str, value: str) -> str:
    return f"<{name}>{_escape(value)}</{name}>"


def _make_alternative(name: str, value: str) -> str:
    """Return a language alternative with one entry, the default."""
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{_escape(value)}</rdf:li></rdf:Alt></{name}>'


def _escape(value: str) -> str:
    text = _NO_XML.sub("\ufffd", value)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _make_rdf(properties: list[str]) -> str:
    used = {item[1:].partition(":")[0] for item in properties}
    names = "".join(f'\n    xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items() if prefix in used)
    body = "".join(f"\n   {item}" for item in properties)
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF xmlns:rdf="{_RDF}">\n'
        f'  <rdf:Description rdf:about=""{names}>{body}\n  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>'
    )


def _make_packet(properties: list[str]) -> bytes:
    return f"{_HEAD}{_make_rdf(properties)}{_TAIL}".encode()


def _read_value(xml: bytes, wanted: str) -> str:
    return _read_values(xml, wanted).get(wanted, "")


def _read_values(xml: bytes, *wanted: str) -> dict[str, str]:
    """Return for each name the text of the first element, or else the value of the first attribute, of this name.

    The result is empty if it is not XML or declares a document type, which could define entities; XMP does not need
    them. Expat hands over events and builds no tree, so no nesting is too deep.
    """
    from xml.parsers import expat

    reader = _Reader(wanted)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.add_text
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(xml.strip(b"\0 \t\r\n"), True)
    except (expat.ExpatError, _Refused, ValueError, LookupError):
        return {}
    elements = {name: "".join(parts) for name, parts in reader.parts.items()}
    return {**reader.attributes, **{name: text for name, text in elements.items() if text}}


class _Refused(Exception):
    """A document type is declared in the XML."""


class _Reader:
    """A collector of the contents of the first elements with the wanted names, or of the first item of a list in
    them.
    """

    def __init__(self, wanted: tuple[str, ...]) -> None:
        self.wanted = wanted
        self.parts: dict[str, list[str]] = {}
        self.attributes: dict[str, str] = {}
        self._inside = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in self.wanted and not self._inside and name not in self.parts:
            self._inside = name
            self.parts[name] = []
        for known in self.wanted:
            if known in attributes:
                self.attributes.setdefault(known, attributes[known])

    def add_text(self, text: str) -> None:
        if self._inside:
            self.parts[self._inside].append(text)

    def end(self, name: str) -> None:
        first_item = self._inside and name == f"{_RDF} li"
        if first_item:
            self.parts[self._inside] = ["".join(self.parts[self._inside]).strip()]
        if first_item or name == self._inside:
            self._inside = ""

    def refuse(self, *_declaration: object) -> None:
        raise _Refused

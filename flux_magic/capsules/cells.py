"""The cells of a notebook: their numbers, what of them is compared, and the sums that name an altered one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from ..errors import CapsuleError, NotAnImage
from ..images import codecs
from ..images.bounded_json import parse_json

_ADDRESS: Final = re.compile(r"\b0x[0-9a-f]{6,16}\b")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_WHEN: Final = r"\s+on\s+[\d-]{10}\s+[\d:]{5}\s+UTC(?:\s+\(time-stamped[^)]*\))?"
_TRUST: Final = (
    r"(?:,\s+unchanged\s+since(?:;\s+(?:you\s+trust\s+its\s+certificate|its\s+certificate\s+is\s+on\s+a\s+trust\s+list)"
    r"|;\s+the\s+name\s+is\s+not\s+verified:\s+no\s+trust\s+list\s+here\s+has\s+its\s+certificate)?)?"
)
_SIGNER: Final = re.compile(
    rf"(signed\s+by\s).{{1,200}}?(?:\s+\(self-made\s+with\s+flux_magic\)(?:{_WHEN})?{_TRUST}"
    rf"|{_WHEN}{_TRUST}|\s+\(content\s+credentials,\s+C2PA\))"
    r"""|(\bsigner["']?\s*[:=]\s*)(?:"[^"\n]+"|'[^'\n]+')|(\bsigned["']?\s*[:=]\s*)["'][\d-]{10}\s[\d:]{5}\sUTC["']"""
    r"|(\btrusted[\"']?\s*[:=]\s*)(?:true|false)\b",
    re.DOTALL | re.IGNORECASE,
)
"""The signer, the time, and if it is trusted: a stranger, who runs the capsule, has another key and another list."""

_PIXELS: Final = {"image/png", "image/jpeg", "image/webp", "image/gif"}
_WIDGET: Final = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a saved notebook.

    Attributes:
        name: its place: `cell 3` among the code cells that are not empty, or `Markdown cell 2`.
        kind: `code`, `markdown` or `raw`.
        source: what was typed.
        outputs: what it showed, as JSON values.
        tags: its tags.
    """

    name: str
    kind: str
    source: str
    outputs: tuple[Mapping[str, Any], ...] = ()
    tags: frozenset[str] = frozenset()

    def compute_sums(self) -> dict[str, str]:
        """Return the sha256 of its source, and of its outputs."""
        outputs = json.dumps(self.outputs, sort_keys=True, ensure_ascii=False)
        return {"source": _hash(f"{self.kind}\n{self.source}"), "outputs": _hash(outputs)}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_cells(data: bytes) -> list[Cell]:
    """Return the cells of a notebook; raises CapsuleError for anything but one of format 4."""
    try:
        notebook = parse_json(data)
    except ValueError as error:
        raise CapsuleError("it is no notebook: it is not JSON") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(one, dict) for one in cells):
        raise CapsuleError("it is no notebook of format 4: it has no cells")
    return list(_name_cells(cells))


def _name_cells(cells: list[dict[str, Any]]) -> Iterator[Cell]:
    counts = {"code": 0, "markdown": 0, "raw": 0, "empty": 0}
    for one in cells:
        kind, source = str(one.get("cell_type")), join_text(one.get("source"))
        counted = "empty" if kind == "code" and not source.strip() else kind
        counts[counted] = counts.get(counted, 0) + 1
        words = {"code": "cell", "markdown": "Markdown cell"}
        outputs = one.get("outputs")
        metadata = one.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        yield Cell(
            f"{words.get(counted, f'{counted} cell')} {counts[counted]}",
            kind,
            source,
            tuple(each for each in outputs if isinstance(each, dict)) if isinstance(outputs, list) else (),
            frozenset(map(str, tags)) if isinstance(tags, list) else frozenset(),
        )


def join_text(value: Any) -> str:
    """Return a string, which a notebook may hold as a list of its lines."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))


def list_shown(outputs: tuple[Mapping[str, Any], ...]) -> list[tuple[str, str]]:
    """Return what a cell showed, in a form in which two runs can be compared: for each output its kind and content.

    Left out is what differs from run to run: addresses in memory, colours, stderr, the state of widgets, and who signs.
    An image of ours is its digests, another one its pixels.
    """
    shown: list[tuple[str, str]] = []
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream":
            if output.get("name") == "stdout":
                _add_printed(shown, _clean(join_text(output.get("text"))))
        elif kind == "error":
            shown.append(("error", _clean(f"{output.get('ename')}: {output.get('evalue')}")))
        elif isinstance(output.get("data"), dict):
            shown += _list_displayed(output["data"], output.get("metadata"))
    return [(kind, content.strip()) for kind, content in shown if content.strip()]


def _add_printed(shown: list[tuple[str, str]], text: str) -> None:
    if shown and shown[-1][0] == "printed":
        text = shown.pop()[1] + text
    shown.append(("printed", text))


def _clean(text: str) -> str:
    return _SIGNER.sub(
        lambda one: f"{' '.join(one[one.lastindex or 0].split())} …", _ADDRESS.sub("0x…", _COLOURS.sub("", text))
    )


def _list_displayed(data: Mapping[str, Any], metadata: Any) -> Iterator[tuple[str, str]]:
    if _WIDGET in data:
        yield "widget", "a widget"
        return
    told = get_own_part({"metadata": metadata})
    digests = list_digests(told)
    if digests:
        yield "image", " ".join(digests)
    else:
        for kind in sorted(kind for kind in data if kind.startswith("image/")):
            yield "image", _describe_image(kind, join_text(data[kind]))
    if text := _clean(join_text(data.get("text/plain"))):
        yield "text", text
    elif not digests and not any(kind.startswith("image/") for kind in data):
        yield from ((kind, _clean(join_text(data[kind]))) for kind in sorted(data)[:1])


def list_images(outputs: tuple[Mapping[str, Any], ...]) -> list[bytes]:
    """Return the images that a cell shows, as files; those in formats without pixels are left out."""
    found = []
    for output in outputs:
        data = output.get("data")
        if not isinstance(data, dict) or _WIDGET in data:
            continue
        for kind in sorted(_PIXELS & data.keys()):
            try:
                found.append(base64.b64decode(join_text(data[kind])))
            except ValueError:
                found.append(b"")
    return found


def get_own_part(output: Mapping[str, Any]) -> Any:
    """Return our part of an output's metadata, as the notebook has it; None if it has none."""
    metadata = output.get("metadata")
    return metadata.get("flux_magic") if isinstance(metadata, dict) else None


def list_records(told: Any) -> list[Mapping[str, Any]]:
    """Return the records in our part of an output's metadata, as JSON, in order: of an image, or of a sheet."""
    if not isinstance(told, dict):
        return []
    each = told["sheet"] if isinstance(told.get("sheet"), list) else [told]
    return [one["record"] for one in each if isinstance(one, dict) and isinstance(one.get("record"), dict)]


def list_digests(told: Any) -> list[str]:
    """Return the digests of the images that our part of an output's metadata names, in order."""
    lists = [record.get("files") for record in list_records(told)]
    files = [one for each in lists if isinstance(each, list) for one in each]
    return [f"sha256:{str(one['digest'])[:12]}" for one in files if isinstance(one, dict) and "digest" in one]


def _describe_image(kind: str, text: str) -> str:
    """Return the digest of the pixels of another tool's image, or of its characters if they cannot be read."""
    with suppress(NotAnImage, ValueError):
        return f"sha256:{codecs.compute_digest(base64.b64decode(text))[:12]}"
    return f"{kind} {_hash(text)[:12]}"

"""The outputs of a cell as parts of a page: an image with its caption, its folded record, a table, text, an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bs4 import BeautifulSoup

from ..errors import format_count
from .markdown import render_formula, render_markdown
from .markup import NO_ALT, Surroundings, clean, is_empty

_WORKS: Final = "It works if you open the notebook in Jupyter and run this cell."
PANEL: Final = f"An interactive panel was here. {_WORKS}"
CONTROL: Final = f"An interactive control was here. {_WORKS}"
SCRIPT: Final = "The output of this cell needs a script, and a page runs none."

_WIDGET: Final = "application/vnd.jupyter.widget-view+json"
_IMAGES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")
_OURS: Final = ".flux-parameters, .flux-prompt, .flux-again, .flux-sheet-table, pre[title='makes this image again']"
"""Elements of the output with an image's parameters; the last is that of notebooks before these had classes."""

_ONE: Final = re.compile(r"<flux (\S+) seed=(\S+) steps=(\S+) sha256:\w+>")
_SHEET: Final = re.compile(r"<flux sheet .*, ((?:\d+ of )?(\d+) images?) sha256:\w+>")
_BAR: Final = re.compile(r"\d+%\||Progress\(|^Output\(")
"""The text of a widget that is a bar, which was at work while the cell ran."""

_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page.

    Attributes:
        kind: `figure`, `record`, `html`, `text`, `note`, `error` or `words`.
        html: what it shows, as markup; the caption's for a figure.
        text: what it shows, as text; the alternative text of a figure, the heading of a record.
        source: the image, as a `data:` address.
        width: the width that the notebook gives an image, in CSS pixels; 0 if it gives none.
        is_enlarged: True for a small image of ours, whose pixels stay sharp at that width.
    """

    kind: str
    html: str = ""
    text: str = ""
    source: str = ""
    width: int = 0
    is_enlarged: bool = False


def build_parts(outputs: Sequence[Mapping[str, Any]], around: Surroundings) -> list[Part]:
    """Return the parts of a cell's outputs, in order; a widget is words, unless an image was made with it."""
    parts: list[Part] = []
    heading = ""
    for output in outputs:
        data = output.get("data", {})
        for part in _build(output, around):
            if part.kind == "record":
                _add_record(parts, replace(part, text=heading), around)
            else:
                parts.append(part)
        heading = _describe(data.get("text/plain", "")) or heading
    shown = any(part.kind == "figure" for part in parts)
    return [part for part in parts if not (shown and part.text in {PANEL, CONTROL})]


def _add_record(parts: list[Part], record: Part, around: Surroundings) -> None:
    """Add a record, and its caption to the image above it; a caption without an image is a paragraph."""
    tree = clean(record.html, around)
    if caption := tree.select_one(".flux-caption"):
        caption.extract()
        if parts and parts[-1].kind == "figure" and not parts[-1].html:
            parts[-1] = replace(parts[-1], html=caption.decode_contents())
        else:
            parts.append(Part("html", f"<p>{caption.decode_contents()}</p>"))
    if not is_empty(tree):
        parts.append(replace(record, html=str(tree), text=record.text or "How it was made"))


def _describe(line: str) -> str:
    """Return the heading of a record from the line of text of its image; empty if it is no image's."""
    if found := _ONE.fullmatch(line):
        steps = format_count(int(found[3]), "step") if found[3].isdigit() else f"{found[3]} steps"
        return f"How it was made: seed {found[2]}, {steps}, {found[1]}"
    if found := _SHEET.fullmatch(line):
        return f"How {'this image was' if found[2] == '1' else f'these {found[1]} were'} made"
    return ""


def _build(output: Mapping[str, Any], around: Surroundings) -> Iterator[Part]:
    kind = output.get("output_type")
    if kind == "stream":
        if text := _read_stream(output):
            yield Part("note" if output.get("name") == "stderr" else "text", text=text)
    elif kind == "error":
        lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
        yield Part("error", text=_strip("\n".join(map(str, lines))).strip())
    elif output.get("data"):
        yield from _build_data(output, output["data"], around)


def _build_data(output: Mapping[str, Any], data: Mapping[str, Any], around: Surroundings) -> Iterator[Part]:
    """Yield the part of the form that a page shows best; nothing for a bar that was at work."""
    plain = _strip(data.get("text/plain", ""))
    is_gallery = bool(output.get("metadata", {}).get("flux_magic", {}).get("gallery"))  # it has a page beside it
    if _WIDGET in data and not is_gallery:
        if not _BAR.search(plain):
            yield Part("words", text=PANEL if plain.startswith("Panel(") else CONTROL)
        return
    tree = _render(data, around)
    image = next((media_type for media_type in _IMAGES if data.get(media_type)), None)
    if tree is not None and not is_empty(tree):
        ours = tree.select_one(_OURS) or tree.select_one(".flux-caption")
        yield Part("record" if ours or _is_old_sheet(tree) else "html", html=str(tree))
    elif image is not None or data.get("image/svg+xml"):
        yield _build_figure(output.get("metadata", {}), data, image or "image/svg+xml")
    elif "application/javascript" in data or "<script" in data.get("text/html", ""):
        yield Part("words", text=SCRIPT)
    elif tree is not None:  # nothing but a style
        yield Part("html", html=str(tree))
    elif plain.strip():
        yield Part("text", text=plain)


def _render(data: Mapping[str, Any], around: Surroundings) -> BeautifulSoup | None:
    if html := data.get("text/html", ""):
        return clean(html, around)
    if markdown := data.get("text/markdown", ""):
        return clean(render_markdown(markdown, around), around)
    if tex := data.get("text/latex", ""):
        return clean(render_formula(tex.strip().strip("$"), around, block=True), around)
    return None


def _is_old_sheet(tree: BeautifulSoup) -> bool:
    """Return True for a sweep's folded table of notebooks before it had a class."""
    return any(summary.get_text().endswith(": seeds and cells") for summary in tree.find_all("summary"))


def _build_figure(metadata: Mapping[str, Any], data: Mapping[str, Any], media_type: str) -> Part:
    content = data[media_type]
    if media_type == "image/svg+xml":
        from base64 import b64encode

        content = b64encode(content.encode()).decode()
    facts = metadata.get(media_type)
    facts = facts if isinstance(facts, Mapping) else {}
    asked = facts.get("width")
    width = asked if isinstance(asked, int) and 0 < asked < 10_000 else 0
    return Part(
        "figure",
        text=_find_alt(metadata, facts),
        source=f"data:{media_type};base64,{re.sub(r'[^A-Za-z0-9+/=]', '', content)}",
        width=width,
        is_enlarged=width > 0 and "flux_magic" in metadata,
    )


def _find_alt(metadata: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return an image's alternative text: its own, else its record's prompt."""
    ours = metadata.get("flux_magic")
    record = ours.get("record", ours) if isinstance(ours, Mapping) else {}
    prompt = record.get("prompt") if isinstance(record, Mapping) else None
    for text in (facts.get("alt"), metadata.get("alt"), prompt):
        if isinstance(text, str) and text.strip():
            return text
    return NO_ALT


def _read_stream(output: Mapping[str, Any]) -> str:
    """Return what was printed, as a terminal would show it: a line that was written over is not in it."""
    text = _strip(output.get("text", "")).replace("\r\n", "\n")
    return re.sub(r"[^\n]*\r(?!\n)", "", text).strip("\n")


def _strip(text: str) -> str:
    return _ANSI.sub("", text)

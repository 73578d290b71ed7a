"""HTML from a notebook made safe to open: nothing in it runs or is fetched, and its images are inside."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString

from ..images.formats import detect_media_type
from ..records.files import read_file
from ..types import fit_one_line

NO_ALT: Final = "an image without a description"

_ACTIVE: Final = (
    "script, iframe, frame, frameset, object, embed, applet, base, meta, link, template, portal, title, plaintext, "
    "noscript, noembed, noframes"
)
"""Elements that run or load something, change the page around them, or are read otherwise by a browser."""

_ATTRIBUTES: Final = frozenset(
    {"action", "autofocus", "background", "formaction", "http-equiv", "imagesrcset", "ping", "srcdoc", "srcset"}
)
"""Attributes that run, load or send something, beside those that begin with `on`."""

_LINKS: Final = frozenset({"", "http", "https", "mailto", "ftp"})
"""Schemes of addresses that a page may lead to; the first is that of a file beside it."""

_MEDIA: Final = "img, source, video, audio, track, input[src], image, use"
"""Elements that show what an address leads to."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The place of a notebook, and what was found out on the way.

    Attributes:
        folder: the notebook's; images that it names are searched there.
        within: the folder that no image's file may be outside of.
        notes: what could not go into the page, a line each.
        scopes: numbers for the elements that style sheets are kept within.
    """

    folder: Path
    within: Path
    notes: list[str] = field(default_factory=list)
    scopes: Iterator[int] = field(default_factory=itertools.count)


def parse(html: str) -> BeautifulSoup:
    """Return a tree of HTML, of a page or a part of one."""
    return BeautifulSoup(html, "html.parser")


def clean(html: str, around: Surroundings) -> BeautifulSoup:
    """Return HTML without anything that runs or is fetched; its images become a part of it, or a link."""
    tree = parse(html)
    for element in tree.select(_ACTIVE):
        element.decompose()
    for text in tree.find_all(string=lambda text: isinstance(text, PreformattedString)):
        text.extract()  # a browser may see another end of a comment
    for form in tree.find_all("form"):
        form.unwrap()
    for element in tree.find_all(True):
        _strip_attributes(element)
    for element in tree.select(_MEDIA):
        _embed(element, tree, around)
    for image in tree.find_all("img"):
        image["alt"] = str(image.get("alt", NO_ALT))
    if sheets := tree.find_all("style"):
        _contain(tree, sheets, f"flux-scope-{next(around.scopes)}")
    return tree


def _strip_attributes(element: Tag) -> None:
    """Remove the attributes that run, load or send something."""
    for name in [name for name in element.attrs if name.lower().startswith("on") or name.lower() in _ATTRIBUTES]:
        del element[name]
    for name in ("href", "xlink:href"):
        if name in element.attrs and _get_scheme(str(element[name])) not in _LINKS:
            del element[name]


def _contain(tree: BeautifulSoup, sheets: Sequence[Tag], name: str) -> None:
    """Put all into an element that the style sheets do not reach out of; without tinycss2 there are none."""
    try:
        from .styles import scope
    except ImportError:  # nbconvert alone, with an older bleach
        for sheet in sheets:
            sheet.decompose()
        return
    for sheet in sheets:
        sheet.string = scope(sheet.get_text(), f"#{name}")
    box = tree.new_tag("div", id=name)
    for one in list(tree.contents):
        box.append(one.extract())
    tree.append(box)


def is_empty(tree: Tag) -> bool:
    """Return True if HTML shows nothing, such as when all of it was a script."""
    shown = any(not text.find_parent("style") and text.strip() for text in tree.find_all(string=True))
    return not shown and not tree.select_one("img, svg, hr, video, audio, input, progress, meter")


def map_links(tree: Tag, change: Callable[[str], str]) -> None:
    """Change the address of each link by a function."""
    for link in tree.select("a[href]"):
        link["href"] = change(str(link["href"]))


def _get_scheme(address: str) -> str:
    """Return the scheme as a browser reads it, which passes over controls; "?" for what is no address."""
    plain = "".join(one for one in address if one > " ")
    try:
        return urlsplit(plain).scheme.lower()
    except ValueError:
        return "?"


def _embed(element: Tag, tree: BeautifulSoup, around: Surroundings) -> None:
    """Put the file that an element shows into it, or a link in place of what is elsewhere."""
    name = next((name for name in ("src", "href", "xlink:href", "poster") if element.get(name)), None)
    if name is None or (address := str(element[name])).startswith(("data:image/", "data:video/", "data:audio/", "#")):
        return
    called = fit_one_line(str(element.get("alt") or address), 80)
    scheme = _get_scheme(address)
    if scheme == "missing":
        around.notes.append(f"{called} is left out: the notebook has no such attachment")
        element.decompose()
        return
    if scheme or address.startswith(("//", "\\")):
        linked = scheme in _LINKS and element.name == "img"
        left = "the page only links to it" if linked else "it is left out"
        around.notes.append(f"{fit_one_line(address, 120)} is not on this machine, so {left}")
        if linked:
            link = tree.new_tag("a", href=address)
            link.string = called
            element.replace_with(link)
        else:
            del element[name]
        return
    try:
        data = read_file(around.folder / unquote(urlsplit(address).path), within=around.within)
    except (OSError, ValueError) as error:
        data, why = b"", getattr(error, "strerror", None) or str(error)
    else:
        why = "it is no image"
    if media_type := detect_media_type(data) or _guess(address, data):
        element[name] = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        return
    around.notes.append(f"{fit_one_line(address, 120)} is left out: {why}")
    words = tree.new_tag("em")
    words.string = called
    element.replace_with(words)


def _guess(address: str, data: bytes) -> str | None:
    """Return the media type of a file that is not one of our formats, by its name."""
    known = {".svg": "image/svg+xml", ".bmp": "image/bmp", ".mp4": "video/mp4", ".webm": "video/webm"}
    return known.get(Path(urlsplit(address).path).suffix.lower()) if data else None

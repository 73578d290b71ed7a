"""The parameters that other tools write into images.

The formats are AUTOMATIC1111's "parameters" (written by its forks, by Civitai, and by this package), ComfyUI's graph,
and the JSON of `flat`; each reader names its source. None of them raises on what a file holds.
sd-parsers 0.6 (2025-03), the best kept library for this, was compared in 2026-11: it reads 31 of 98 samples rightly,
and raises on deep JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...types import UNKNOWN
from . import a1111, comfyui, dream, flat, midjourney
from .unread import describe_unread
from .values import Recipe, parse_object, shorten_line

_CAPTION = "the only text is the comment of its EXIF, which may be no prompt"
_PLACES = (
    *("exif usercomment", "xmp exif:usercomment", "comment", "jpeg comment", "exif imagedescription"),
    *("exif xpcomment", "exif xpsubject", "exif xptitle", "xmp dc:description", "description", "postprocessing"),
)
"""The names under which AUTOMATIC1111's text is found beside `parameters`, if it ends in its line of pairs."""


def read_texts(texts: Mapping[str, object]) -> Recipe | None:
    """Return the recipe in an image's strings by keyword; None if none of them is understood.

    The JSON of other tools comes first, because no one else writes it. Many of ComfyUI's saver nodes put
    AUTOMATIC1111's text beside the graph, and that is what ran, without any guessing. Only if it is just a prompt does
    the graph say more.
    """
    given = {name.casefold(): text for name, text in texts.items() if isinstance(text, str)}
    found = flat.read(given) or dream.read(given)
    if found is not None:
        return found
    text = _read_parameters(given)
    if text is not None and text.tool == a1111.OURS:
        return text
    graph = comfyui.read(*comfyui.find_graphs(given))
    if text is None or graph is None:
        return text or graph or midjourney.read(given) or _read_caption(given)
    bare = text.steps is None and text.seed is None
    return graph if bare and (graph.prompt or graph.doubt) else replace(text, tool=graph.tool)


def _read_parameters(given: Mapping[str, str]) -> Recipe | None:
    """Return the recipe in AUTOMATIC1111's text, under whichever name it is."""
    text = a1111.read(given.get("parameters", ""))
    if text is not None and text != Recipe(text.tool, text.prompt):
        return text
    others = (a1111.read(given[name], whole=True) for name in _PLACES if name in given)
    return next(filter(None, others), text)


def _read_caption(given: Mapping[str, str]) -> Recipe | None:
    """Return a comment that no tool is known by as a prompt that may be none."""
    comment = given.get("exif usercomment", "").strip()
    return Recipe(UNKNOWN, comment, unmatched=(_CAPTION,)) if comment and parse_object(comment) is None else None


__all__ = ["Recipe", "describe_unread", "read_texts", "shorten_line"]

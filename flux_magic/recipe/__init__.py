"""How an image was made, as its file tells it, in the words of its tool.

The formats are AUTOMATIC1111's "parameters" (written by its forks, by Civitai, and by this package), and
the JSON of ComfyUI, InvokeAI and SwarmUI; each reader names its source. None of them raises on what a file holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import a1111, comfyui, invokeai, swarmui
from .values import Recipe


def from_texts(texts: Mapping[str, str]) -> Recipe | None:
    """The recipe in a picture's texts by keyword; None where none of them is understood.

    InvokeAI's and SwarmUI's own JSON comes first: nobody else writes it. Many of ComfyUI's saver nodes put
    AUTOMATIC1111's text beside the graph, and that is what ran, with nothing to be guessed; only where it is no more
    than a prompt does the graph tell more.
    """
    parameters = _text(texts, "parameters")
    found = invokeai.read(_text(texts, "invokeai_metadata")) or swarmui.read(parameters)
    if found is not None:
        return found
    text = a1111.read(parameters)
    if text is not None and text.tool == a1111.OURS:
        return text
    graph = comfyui.read(_text(texts, "prompt"), _text(texts, "workflow"))
    if text is None or graph is None:
        return text or graph
    bare = text.steps is None and text.seed is None
    return graph if bare and graph.prompt else replace(text, tool=graph.tool)


def _text(texts: Mapping[str, str], keyword: str) -> str:
    """What stands under a keyword, were it no text after all."""
    found: object = texts.get(keyword)
    return found if isinstance(found, str) else ""


__all__ = ["Recipe", "from_texts"]

"""One line about strings in an image that no reader here understands: the tool, if it is known, and the place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .values import shorten_line

_LONGEST: Final = 60
_TOOLS: Final = {
    "invokeai_metadata": "InvokeAI",
    "invokeai_graph": "InvokeAI",
    "invokeai_workflow": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "dream": "InvokeAI",
    "prompt": "ComfyUI",
    "workflow": "ComfyUI",
    "fooocus_scheme": "Fooocus",
    "postprocessing": "AUTOMATIC1111",
    "parameters": "AUTOMATIC1111 or a similar tool",
}
"""The tools, by the keyword that only they use."""

_NAMED: Final = ("NovelAI", "RuinedFooocus", "Fooocus", "Midjourney", "Draw Things", "Leonardo", "Firefly", "Ideogram")
"""Tools that are known by their name in any of the strings."""

_SIGNERS: Final = ("software", "exif software", "xmp xmp:creatortool", "exif make", "exif model", "author")
"""The names under which a program, or a camera, names itself."""

_TECHNICAL: Final = ("date:", "exif:", "png:", "thumb::", "raw profile", "svg:", "icc:", "jpeg:", "photoshop:", "tiff:")
_DATES: Final = {"creation time", "create-date", "modify-date", "timestamp", "date", "signature", "exif copyright"}


def describe_unread(texts: Mapping[str, object]) -> str:
    """Return what an error can say of strings that are not understood; empty if there are none."""
    given = {name: text for name, text in texts.items() if isinstance(text, str) and text.strip()}
    told = {name: text for name, text in given.items() if not _is_technical(name.casefold())}
    contents = [name for name in told if name.casefold() not in _SIGNERS]
    name = max(contents, key=lambda name: (name.casefold() in _TOOLS, len(told[name])), default=None)
    if name is not None:
        tool = _detect_tool(name, told) or "an unknown tool"
        return f"it has words of {tool} ({_quote(name)}) that are not understood: {shorten_line(told[name], _LONGEST)}"
    signed = next((name for name in told if name.casefold() in _SIGNERS), None)
    if signed is None:
        return ""
    return f"it names {shorten_line(told[signed], _LONGEST)} ({_quote(signed)}), and holds no prompt"


def _detect_tool(name: str, told: Mapping[str, str]) -> str:
    """Return the tool that wrote a string, by the keyword or by its own words."""
    named = next((tool for tool in _NAMED if any(tool in text[:1000] for text in told.values())), "")
    signed = next((text for key, text in told.items() if key.casefold() in _SIGNERS), "")
    return named or _TOOLS.get(name.casefold(), "") or shorten_line(signed, _LONGEST)


def _is_technical(name: str) -> bool:
    return name in _DATES or name.startswith(_TECHNICAL)


def _quote(name: str) -> str:
    return shorten_line(name, _LONGEST)

r"""The text format of AUTOMATIC1111's web UI, which most tools and Civitai read.

The prompt, a negative prompt behind `Negative prompt: ` if there is one, then one last line of `key: value` pairs.
The web UI strips every line and takes one that begins with `Negative prompt:` for the end of the prompt; Civitai takes
the first line that begins with `Steps: ` for the last one. A line of either prompt that begins so gets a backslash,
which `unescape` takes off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ...parameters.table import ROWS, format_value
from .texts import replace_unspeakable

_KEYWORD: Final = r"(?:Steps:|Negative prompt:)"
_NAMES: Final = {"guidance": "CFG scale", "strength": "Denoising strength"}
_TAKEN_NAMES: Final = {
    *("steps", "seed", "size", "model", "version", "cfg scale", "negative prompt", "prompt"),
    *("negative_prompt", *_NAMES),
}
_TAKEN: Final = re.compile(rf"^([^\S\n]*)(\\*{_KEYWORD})", re.MULTILINE)
_ESCAPED: Final = re.compile(rf"^([^\S\n]*)\\(\\*{_KEYWORD})", re.MULTILINE)


def format_a1111(
    *,
    prompt: str,
    steps: int | None,
    seed: int | None,
    width: int,
    height: int,
    model: str,
    version: str,
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Return the prompts and, on the last line, the parameters that made the image.

    `version` names the program as well: `flux_magic 0.1.0`. A seed or steps of None are left out, and so is an
    empty text. NUL and lone surrogates become U+FFFD. `parameters` has what else was sent, by name. Guidance and
    strength get the web UI's names. Others keep theirs, unless the web UI has that name for something else.
    """
    known = {_NAMES[name]: value for name, value in parameters.items() if name in _NAMES}
    pairs = {
        "Steps": steps,
        "CFG scale": known.pop("CFG scale", None),
        "Seed": seed,
        "Size": f"{width}x{height}",
        **known,
        **{_name(name): value for name, value in parameters.items() if name.casefold() not in _TAKEN_NAMES},
        "Model": model,
        "Version": version,
    }
    listed = {key: "" if value is None else format_value(value) for key, value in pairs.items()}
    last = ", ".join(f"{key}: {_quote(replace_unspeakable(value))}" for key, value in listed.items() if value)
    negative = str(parameters.get("negative_prompt") or "")
    without = f"Negative prompt: {_escape(replace_unspeakable(negative))}\n" if negative else ""
    return f"{_escape(replace_unspeakable(prompt))}\n{without}{last}"


def _name(name: str) -> str:
    return ROWS[name].label if name in ROWS else name


def unescape(prompt: str) -> str:
    """Return the prompt as it was before its lines were escaped."""
    return _ESCAPED.sub(r"\1\2", prompt)


def _escape(prompt: str) -> str:
    return _TAKEN.sub(r"\1\\\2", prompt)


def _quote(value: str) -> str:
    """Return JSON for a value that a reader would cut, or that looks like JSON already."""
    plain = not re.search(r"[,:\r\n]", value) and not value.startswith('"')
    return value if plain else json.dumps(value, ensure_ascii=False)

r"""The text format of AUTOMATIC1111's web UI, which most tools and Civitai read.

The prompt, then one last line of `key: value` pairs. The web UI strips every line and takes one that
begins with `Negative prompt:` for the end of the prompt; Civitai takes the first line that begins with
`Steps: ` for the last one. A prompt's line that begins so gets a backslash, which `unescape` takes off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .texts import replace_unspeakable

_KEYWORD: Final = r"(?:Steps:|Negative prompt:)"
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
    more: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the prompt and, on the last line, the parameters that made the image.

    `version` names the program as well: `flux_magic 0.1.0`. A seed or steps of None are left out, and so is an
    empty text. NUL and lone surrogates become U+FFFD. `more` has other parameters by their labels.
    """
    pairs = {
        "Steps": "" if steps is None else str(steps),
        "Seed": "" if seed is None else str(seed),
        "Size": f"{width}x{height}",
        **more,
        "Model": model,
        "Version": version,
    }
    last = ", ".join(f"{key}: {_quote(replace_unspeakable(value))}" for key, value in pairs.items() if value)
    return f"{_escape(replace_unspeakable(prompt))}\n{last}"


def unescape(prompt: str) -> str:
    """Return the prompt as it was before its lines were escaped."""
    return _ESCAPED.sub(r"\1\2", prompt)


def _escape(prompt: str) -> str:
    return _TAKEN.sub(r"\1\\\2", prompt)


def _quote(value: str) -> str:
    """Return JSON for a value that a reader would cut, or that looks like JSON already."""
    plain = not re.search(r"[,:\r\n]", value) and not value.startswith('"')
    return value if plain else json.dumps(value, ensure_ascii=False)

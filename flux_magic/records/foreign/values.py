"""What the readers share: the recipe, what has no counterpart, and how a value of unknown type is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ...images.bounded_json import parse_json
from ...parameters.table import MAX_SEED

MOST_PHRASES: Final = 20
LONGEST_PHRASE: Final = 100
MOST: Final = 1_000_000
"""More steps or pixels than this are a mistake."""

WEIGHTS: Final = "attention weights such as (word:1.2) are read as plain text here"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an image was made, as far as there is a counterpart here.

    Attributes:
        tool: what made it: AUTOMATIC1111, ComfyUI, InvokeAI, SwarmUI, flux_magic …, or "unknown".
        prompt: the text, without the tags that its tool takes out; may be empty.
        seed: 0 to 2147483647.
        steps: inference steps.
        width, height: pixels.
        unmatched: what has no counterpart here, one short line each: "sampler: DPM++ 2M".
        doubt: why it is not sure what the prompt was; then `prompt` is empty.
    """

    tool: str
    prompt: str
    seed: int | None = None
    steps: int | None = None
    width: int | None = None
    height: int | None = None
    unmatched: tuple[str, ...] = ()
    doubt: str = ""


_TAG = re.compile(r"<(lora|lyco|hypernet):([^<>:\n]+)(?::([^<>\n]*))?>")
_TAGS = re.compile(r" (?:<(?:lora|lyco|hypernet):[^<>\n]+>)+(?=[\s,]|\Z)|<(?:lora|lyco|hypernet):[^<>\n]+>")
"""With the blank before them, where nothing is left for it to part."""

_TAG_KINDS = {"lora": "LoRA", "lyco": "LyCORIS", "hypernet": "hypernetwork"}
_WEIGHT = re.compile(r"\([^()]*:\s{0,3}[0-9.]{1,9}\s{0,3}\)")


class Unmatched:
    """Collects what has no counterpart here, each once, in the order that it is met."""

    def __init__(self) -> None:
        self._phrases: dict[str, None] = {}
        self._loras: set[str] = set()

    def add(self, phrase: str) -> None:
        """Take a phrase in, as one short line."""
        self._phrases.setdefault(one_line(phrase))

    def named(self, name: str, value: object) -> None:
        """Name a value, unless it says nothing."""
        if text := as_text(value):
            self.add(f"{name}: {text}")

    def lora(self, name: object, weight: object = "", kind: str = "LoRA") -> None:
        """Name a LoRA, or what is like it; the first word about it counts."""
        known = one_line(file_name(name), 70)
        if known and known.casefold() not in self._loras:
            self._loras.add(known.casefold())
            shown = as_text(weight)
            self.add(f"{kind}: {known} ({shown})" if shown else f"{kind}: {known}")

    def prompt(self, text: str) -> str:
        """The prompt without its tags for LoRAs and their like, which are named, as are attention weights."""
        if _TAG.search(text):
            for kind, name, weight in _TAG.findall(text):
                self.lora(name, weight, _TAG_KINDS[kind])
            text = re.sub(r",(?:[ \t]*,)+", ",", _TAGS.sub("", text)).strip(", \t\n")
        if _WEIGHT.search(text):
            self.add(WEIGHTS)
        return text

    def seed(self, value: object) -> int | None:
        """A seed within the bounds here; any other is named."""
        number = whole(value)
        if number is None:
            self.named("seed", value)
        elif 0 <= number <= MAX_SEED:
            return number
        else:
            beyond = "smaller than 0" if number < 0 else f"larger than {MAX_SEED}"
            self.add(f"seed {one_line(str(number), 50)}: {beyond}")
        return None

    def count(self, name: str, value: object) -> int | None:
        """Steps or pixels; what is no such number is named."""
        number = whole(value)
        if number is not None and 1 <= number <= MOST:
            return number
        self.named(name, value)
        return None

    def phrases(self) -> tuple[str, ...]:
        """All that was named, or the first 20 and how many more there are."""
        known = list(self._phrases)
        more = len(known) - MOST_PHRASES
        return (*known[:MOST_PHRASES], f"and {more} more") if more > 0 else tuple(known)


_WHOLE = re.compile(r"([+-]?[0-9]{1,4000})(?:\.0*)?")
_SUFFIX = re.compile(r"\.(?:safetensors|sft|ckpt|gguf|pth?|bin)\Z", re.IGNORECASE)


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None for everything else."""
    try:
        found = parse_json(text, parse_int=_number, strict=False)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _number(digits: str) -> int | str:
    """Python reads no number of over 4300 digits; one of them is no reason to refuse the rest of a file."""
    return int(digits) if len(digits) <= 4000 else digits


def whole(value: object) -> int | None:
    """A whole number, however it was written: 20, 20.0, "20" or "20.0"; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        match = _WHOLE.fullmatch(value.strip())
        return int(match[1]) if match else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_text(value: object) -> str:
    """A single value as a person writes it; empty for what says nothing, and for whatever is nested."""
    if isinstance(value, bool):
        return "on" if value else ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (int, str)):
        return str(value).strip()
    return ""


def file_name(value: object) -> str:
    """A model's name without folders and the suffix of a file; empty for ComfyUI's "None"."""
    name = _SUFFIX.sub("", as_text(value).replace("\\", "/").rpartition("/")[2])
    return "" if name == "None" else name


def one_line(text: str, longest: int = LONGEST_PHRASE) -> str:
    """A text on one line that can be printed, shortened by an ellipsis."""
    line = " ".join(text[: 20 * longest].split())
    # A zero-width joiner holds an emoji together.
    line = "".join(letter if letter.isprintable() or letter == "\u200d" else "\ufffd" for letter in line)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"

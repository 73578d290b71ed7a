"""Shared by the readers: the recipe, what has no counterpart, and reading of values of unknown type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ...images.bounded_json import parse_json
from ...parameters.table import MAX_SEED

MOST_PHRASES: Final = 20
LONGEST_PHRASE: Final = 100
MOST: Final = 1_000_000
"""Larger numbers of steps or pixels are taken for mistakes."""

MOST_GUIDANCE: Final = 1_000
"""Larger guidances are taken for mistakes."""

STARTS_FROM: Final = "an image that it starts from"

WEIGHTS: Final = "attention weights such as (word:1.2) are read as plain text here"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The parameters of an image, as far as there is a counterpart here.

    Attributes:
        tool: what made it: AUTOMATIC1111, ComfyUI, InvokeAI, SwarmUI, flux_magic …, or "unknown".
        prompt: the text, without the tags that its tool takes out; may be empty.
        seed: 0 to 2147483647.
        steps: inference steps.
        width, height: pixels.
        unmatched: what has no counterpart here, one short line each: "sampler: DPM++ 2M".
        doubt: why it is not sure what the prompt was; then `strip_prompt` is empty.
        guidance: how closely the prompt was followed: what was distilled into a model, else the CFG scale above 1.
        negative_prompt: the text, likewise; empty if there was none.
        strength: how much of the image that it starts from was changed, above 0 and below 1.
    """

    tool: str
    prompt: str
    seed: int | None = None
    steps: int | None = None
    width: int | None = None
    height: int | None = None
    unmatched: tuple[str, ...] = ()
    doubt: str = ""
    guidance: float | None = None
    negative_prompt: str = ""
    strength: float | None = None


_TAG = re.compile(r"<(lora|lyco|hypernet):([^<>:\n]+)(?::([^<>\n]*))?>")
_TAGS = re.compile(r" (?:<(?:lora|lyco|hypernet):[^<>\n]+>)+(?=[\s,]|\Z)|<(?:lora|lyco|hypernet):[^<>\n]+>")
"""With the space before them, if nothing is left for it to part."""

_TAG_KINDS = {"lora": "LoRA", "lyco": "LyCORIS", "hypernet": "hypernetwork"}
_WEIGHT = re.compile(r"\([^()]*:\s{0,3}[0-9.]{1,9}\s{0,3}\)")


class Unmatched:
    """A collection of what has no counterpart here, each once, in order."""

    def __init__(self) -> None:
        self._phrases: dict[str, None] = {}
        self._loras: set[str] = set()

    def add(self, phrase: str) -> None:
        """Add a phrase, as one short line."""
        self._phrases.setdefault(shorten_line(phrase))

    def name_value(self, name: str, value: object) -> None:
        """Name a value, unless it says nothing."""
        if text := format_value(value):
            self.add(f"{name}: {text}")

    def name_lora(self, name: object, weight: object = "", kind: str = "LoRA") -> None:
        """Name a LoRA or something similar; only the first mention counts."""
        known = shorten_line(get_file_name(name), 70)
        if known and known.casefold() not in self._loras:
            self._loras.add(known.casefold())
            shown = format_value(weight)
            self.add(f"{kind}: {known} ({shown})" if shown else f"{kind}: {known}")

    def strip_prompt(self, text: str) -> str:
        """Return the prompt without its tags for LoRAs and the like, which are named, as are attention weights."""
        if _TAG.search(text):
            for kind, name, weight in _TAG.findall(text):
                self.name_lora(name, weight, _TAG_KINDS[kind])
            text = re.sub(r",(?:[ \t]*,)+", ",", _TAGS.sub("", text)).strip(", \t\n")
        if _WEIGHT.search(text):
            self.add(WEIGHTS)
        return text

    def strip_negative(self, text: str) -> str:
        """Return a negative prompt, likewise, and on one line: a magic's line has room for it."""
        return " ".join(self.strip_prompt(text.strip()).split())

    def check_seed(self, value: object) -> int | None:
        """Return a seed within our range; any other is named."""
        number = check_integer(value)
        if number is None:
            self.name_value("seed", value)
        elif 0 <= number <= MAX_SEED:
            return number
        else:
            beyond = "smaller than 0" if number < 0 else f"larger than {MAX_SEED}"
            self.add(f"seed {shorten_line(str(number), 50)}: {beyond}")
        return None

    def check_count(self, name: str, value: object) -> int | None:
        """Return a number of steps or pixels; anything else is named."""
        number = check_integer(value)
        if number is not None and 1 <= number <= MOST:
            return number
        self.name_value(name, value)
        return None

    def choose_guidance(self, distilled: object, scale: object, word: str = "CFG scale") -> float | None:
        """Return the guidance that counted: the distilled one if there is any, else a CFG scale above 1.

        A CFG scale of 1 is none at all. What does not count is named.
        """
        own, cfg = parse_number(distilled), parse_number(scale)
        chosen = own if own is not None and 0 < own <= MOST_GUIDANCE else None
        if chosen is None:
            self.name_value("guidance", distilled)
            chosen = cfg if cfg is not None and 1 < cfg <= MOST_GUIDANCE else None
        if chosen is None or chosen is own:
            self.name_value(word, scale)
        return chosen

    def check_strength(self, name: str, value: object) -> float | None:
        """Return a strength above 0 and below 1, and name the image that it is of; any other value is named."""
        number = parse_number(value)
        if number is None or not 0 < number < 1:
            self.name_value(name, value)
            return None
        self.add(STARTS_FROM)
        return number

    def list_phrases(self) -> tuple[str, ...]:
        """Return all that was named, or the first 20 and how many more there are."""
        known = list(self._phrases)
        more = len(known) - MOST_PHRASES
        return (*known[:MOST_PHRASES], f"and {more} more") if more > 0 else tuple(known)


_WHOLE = re.compile(r"([+-]?[0-9]{1,4000})(?:\.0*)?")
_SUFFIX = re.compile(r"\.(?:safetensors|sft|ckpt|gguf|pth?|bin)\Z", re.IGNORECASE)


def parse_object(text: str) -> dict[str, Any] | None:
    """Parse a JSON object; None for everything else."""
    try:
        found = parse_json(text, parse_int=_parse_number, strict=False)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _parse_number(digits: str) -> int | str:
    """Parse a number. Python refuses numbers of over 4300 digits, which is no reason to refuse the whole file."""
    return int(digits) if len(digits) <= 4000 else digits


def check_integer(value: object) -> int | None:
    """Return an integer from any notation: 20, 20.0, "20" or "20.0"; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        match = _WHOLE.fullmatch(value.strip())
        return int(match[1]) if match else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parse_number(value: object) -> float | None:
    """Return a finite number from any notation: 3.5, 3 or "3.5"; None for anything else."""
    if isinstance(value, str):
        value = float(value) if re.fullmatch(r"\s{0,3}[0-9]{1,9}(?:\.[0-9]{0,20})?\s{0,3}", value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:
        return None
    return float(value)


def format_value(value: object) -> str:
    """Return a single value as a string for the user; empty for values that say nothing, and for nested ones."""
    if isinstance(value, bool):
        return "on" if value else ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (int, str)):
        return str(value).strip()
    return ""


def get_file_name(value: object) -> str:
    """Return a model's name without folders and suffix; empty for ComfyUI's "None"."""
    name = _SUFFIX.sub("", format_value(value).replace("\\", "/").rpartition("/")[2])
    return "" if name == "None" else name


def shorten_line(text: str, longest: int = LONGEST_PHRASE) -> str:
    """Return a string on one printable line, shortened by an ellipsis."""
    line = " ".join(text[: 20 * longest].split())
    # A zero-width joiner holds an emoji together.
    line = "".join(letter if letter.isprintable() or letter == "\u200d" else "\ufffd" for letter in line)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"

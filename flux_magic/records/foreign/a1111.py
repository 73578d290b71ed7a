"""AUTOMATIC1111's "parameters": the prompt, `Negative prompt:`, and a line of `key: value` pairs at the end.

After `parse_generation_parameters` of its modules/infotext_utils.py; the `Template:` lines of the Dynamic Prompts
extension, and the JSON that Civitai leaves in the line, after what is found in their pictures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from ...images.bounded_json import check_count
from ...images.metadata import unescaped
from .values import Recipe, Unmatched, as_text, json_object

TOOL: Final = "AUTOMATIC1111"
OURS: Final = "flux_magic"
FEWEST_PAIRS: Final = 3
"""A last line with fewer pairs than this is a part of the prompt."""

_PAIR = re.compile(r'\b(\w[\w \-/]{1,60}):\s*("[^"\\]*(?:\\.[^"\\]*)*"(?=\s*(?:,|$))|[^,]*)')
_COMMON = {"Steps", "Sampler", "Seed", "Size", "CFG scale", "Model"}
_NEGATIVE = re.compile(r"^[^\S\n]*Negative prompt:", re.MULTILINE)
_TEMPLATE = re.compile(r"^(?:Negative )?Template:", re.MULTILINE)
_JSON = ("Civitai resources: ", "Civitai metadata: ", "Hashes: ")

_EXTRAS = re.compile(r"^(?:Postprocess |GFPGAN |CodeFormer |Upscale: )[^\n]*\Z", re.MULTILINE)
"""The line of the Extras tab, which says what was done to an image that was there before."""

_TOOLS = ("ComfyUI", "RuinedFooocus", "Fooocus", "SwarmUI", "Draw Things", "Easy Diffusion", "InvokeAI")
"""Tools that write this text, and name themselves as its version."""

_READ = {"Steps", "Seed", "Size", "Model", "Version", "App", "Lora hashes", "TI hashes", "Created Date"}
_OUR_MODEL = re.compile(r"flux[.-]1-schnell\Z", re.IGNORECASE)
_OUR_CONSTANTS = {"Sampler", "Schedule type", "CFG scale"}
"""What a line of ours may hold for other readers' sake, the same for every image; none that is written now does."""


def read(text: str, *, whole: bool = False) -> Recipe | None:
    """Return the recipe in AUTOMATIC1111's text; None for an empty text and for JSON.

    If it has to be `whole`, also None for a text without the line of pairs: a person or a camera may have written it.
    """
    if not text.strip() or json_object(text) is not None:
        return None
    text, extras = _without_extras(text)
    body, line = _split(text)
    if whole and not line and not extras:
        return None
    line, resources = _without_json(line)
    pairs = {key: _unquoted(value) for key, value in _PAIR.findall(line)}
    if pairs.get("Version", "").startswith(OURS):
        return _ours(body, pairs)
    unmatched = Unmatched()
    typed, negative = _prompts(body.replace("\r\n", "\n"))
    unmatched.named("negative prompt", negative)
    unmatched.named("model", pairs.get("Model"))
    prompt = unmatched.prompt(typed.strip())
    _name_networks(unmatched, pairs, resources)
    unmatched.named("postprocessing", extras.replace("Postprocess ", ""))
    return _recipe(_tool(pairs), prompt, pairs, unmatched)


def _tool(pairs: dict[str, str]) -> str:
    version = pairs.get("Version", "")
    named = next((tool for tool in _TOOLS if version.startswith(tool)), TOOL)
    return "SD.Next" if pairs.get("App") == "SD.Next" else named


def _without_extras(text: str) -> tuple[str, str]:
    """Return a text without the line of the Extras tab at its end, and that line."""
    found = _EXTRAS.search(text.rstrip())
    line = found[0] if found else ""
    pairs = [key for key, _ in _PAIR.findall(line)]
    whole = pairs and len(pairs) >= line.count(",") and _COMMON.isdisjoint(pairs)
    return (text.rstrip()[: found.start()], line) if found and whole else (text, "")


def _ours(body: str, pairs: dict[str, str]) -> Recipe:
    """Our own prompts were sent as they stand here: nothing in them is a tag, and each blank counts."""
    unmatched = Unmatched()
    prompt, negative = (unescaped(text) for text in _prompts(body))
    unmatched.named("negative prompt", negative)
    if not _OUR_MODEL.search(pairs.get("Model", "")):
        unmatched.named("model", pairs.get("Model"))
    others = {key: value for key, value in pairs.items() if key not in _OUR_CONSTANTS}
    return _recipe(OURS, prompt, others, unmatched)


def _split(text: str) -> tuple[str, str]:
    """What is before the line of pairs, and that line, empty where there is none."""
    template = _TEMPLATE.search(text)
    for whole in [text, text[: template.start()]] if template else [text]:
        body, _, line = whole.rstrip().rpartition("\n")
        if not any(f"{key}:" in line for key in _COMMON):
            continue
        keys = [match[1] for match in _PAIR.finditer(line)]
        # A prompt may have three colons, too; none of those that write this line leaves out all of these.
        if len(keys) >= FEWEST_PAIRS and not _COMMON.isdisjoint(keys):
            return body, line
    return text, ""


def _without_json(line: str) -> tuple[str, list[Any]]:
    """The line without the JSON in it, whose commas and colons are no pairs; and Civitai's list of models."""
    resources: list[Any] = []
    for key in _JSON:
        start = line.find(key)
        try:
            check_count(line)
            found, end = json.JSONDecoder().raw_decode(line, start + len(key)) if start >= 0 else (None, 0)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, (list, dict)):
            resources = found if isinstance(found, list) else resources
            line = line[:start].rstrip(", ") + line[end:]
    return line, resources


def _unquoted(value: str) -> str:
    """A value as it was before it was quoted as JSON."""
    if value.startswith('"'):
        try:
            return str(json.loads(value))
        except ValueError:
            pass
    return value.strip()


def _prompts(body: str) -> tuple[str, str]:
    """The prompt, and the negative one."""
    match = _NEGATIVE.search(body)
    return (body[: match.start()].removesuffix("\n"), body[match.end() :]) if match else (body, "")


def _name_networks(unmatched: Unmatched, pairs: dict[str, str], resources: list[Any]) -> None:
    """Name the LoRAs and embeddings that the prompt's tags have not named."""
    for name in _hashed(pairs.get("Lora hashes", "")):
        unmatched.lora(name)
    for name in _hashed(pairs.get("TI hashes", "")):
        unmatched.named("embedding", name)
    for resource in resources:
        if isinstance(resource, dict):
            name, kind = as_text(resource.get("modelName")), as_text(resource.get("type"))
            if kind == "checkpoint":
                unmatched.named("model", name)
            else:
                unmatched.lora(name, resource.get("weight"), "LoRA" if kind == "lora" else kind or "model")


def _hashed(names: str) -> Iterator[str]:
    """The names in `name: hash, name: hash`."""
    for pair in names.split(","):
        yield pair.rpartition(":")[0]


def _recipe(tool: str, prompt: str, pairs: dict[str, str], unmatched: Unmatched) -> Recipe:
    seed, steps = unmatched.seed(pairs.get("Seed")), unmatched.count("steps", pairs.get("Steps"))
    size = re.fullmatch(r"\s*([0-9]+)\s*[xX×]\s*([0-9]+)\s*", pairs.get("Size", ""))
    width, height = size.groups() if size else ("", "")
    if not size:
        unmatched.named("size", pairs.get("Size"))
    wide, high = unmatched.count("width", width), unmatched.count("height", height)
    _name_others(unmatched, pairs)
    return Recipe(tool, prompt, seed, steps, wide, high, unmatched.phrases())


def _name_others(unmatched: Unmatched, pairs: dict[str, str]) -> None:
    unmatched.named("hires fix", _hires(pairs))
    unmatched.named("ADetailer", _grouped(pairs, "ADetailer "))
    for key, value in pairs.items():
        again = key.removesuffix(" hash") in pairs and key.endswith(" hash")
        if key not in _READ and not again and not key.startswith(("Hires ", "ADetailer ")):
            unmatched.named(_spoken(key), value)


def _hires(pairs: dict[str, str]) -> str:
    """`1.5x (R-ESRGAN), steps 10`."""
    scale, upscaler = pairs.get("Hires upscale"), pairs.get("Hires upscaler")
    size = f"{scale}x" if scale else pairs.get("Hires resize", "")
    head = " ".join(part for part in (size, f"({upscaler})" if upscaler else "") if part)
    rest = _grouped({key: pairs[key] for key in pairs if key not in _HIRES_HEAD}, "Hires ")
    return ", ".join(part for part in (head, rest) if part)


_HIRES_HEAD = {"Hires upscale", "Hires upscaler", "Hires resize"}


def _grouped(pairs: dict[str, str], prefix: str) -> str:
    """The values of one extension in one phrase: it has a dozen."""
    return ", ".join(f"{key[len(prefix) :]} {value}" for key, value in pairs.items() if key.startswith(prefix))


def _spoken(key: str) -> str:
    """`Clip skip` as a person writes it within a sentence; `CFG scale` and `ControlNet 0` stay."""
    return key[0].lower() + key[1:] if key.partition(" ")[0][1:].islower() else key

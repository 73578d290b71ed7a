"""AUTOMATIC1111's "parameters": the prompt, `Negative prompt:`, and a line of `key: value` pairs at the end.

After `parse_generation_parameters` of its modules/infotext_utils.py; the `Template:` lines of the Dynamic Prompts
extension, and the JSON that Civitai leaves in the line, after what is found in their images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from ...images.bounded_json import check_count
from ...images.metadata import unescape
from .values import Recipe, Unmatched, format_value, parse_object

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

_READ = {
    *("Steps", "Seed", "Size", "Model", "Version", "App", "Lora hashes", "TI hashes", "Created Date", "CFG scale"),
    *("Distilled CFG Scale", "Denoising strength"),
}
_OUR_MODEL = re.compile(r"flux[.-]1-schnell\Z", re.IGNORECASE)
_OUR_CONSTANTS = {"Sampler", "Schedule type", "CFG scale"}
"""Pairs that older versions of ours wrote for other readers, all three and the same in every image."""


def read(text: str, *, whole: bool = False) -> Recipe | None:
    """Return the recipe in AUTOMATIC1111's text; None for an empty text and for JSON.

    With `whole`, also None for a string without the line of pairs, which a person or a camera may have written.
    """
    if not text.strip() or parse_object(text) is not None:
        return None
    text, extras = _remove_extras(text)
    body, line = _split(text)
    if whole and not line and not extras:
        return None
    line, resources = _remove_json(line)
    pairs = {key: _unquote(value) for key, value in _PAIR.findall(line)}
    if pairs.get("Version", "").startswith(OURS):
        return _read_ours(body, pairs)
    unmatched = Unmatched()
    typed, negative = _split_prompts(body.replace("\r\n", "\n"))
    unmatched.name_value("model", pairs.get("Model"))
    prompt = unmatched.strip_prompt(typed.strip())
    _name_networks(unmatched, pairs, resources)
    unmatched.name_value("postprocessing", extras.replace("Postprocess ", ""))
    return _build_recipe(_detect_tool(pairs), prompt, unmatched.strip_negative(negative), pairs, unmatched)


def _detect_tool(pairs: dict[str, str]) -> str:
    version = pairs.get("Version", "")
    named = next((tool for tool in _TOOLS if version.startswith(tool)), TOOL)
    return "SD.Next" if pairs.get("App") == "SD.Next" else named


def _remove_extras(text: str) -> tuple[str, str]:
    """Return a string without the line of the Extras tab at its end, and that line."""
    found = _EXTRAS.search(text.rstrip())
    line = found[0] if found else ""
    pairs = [key for key, _ in _PAIR.findall(line)]
    whole = pairs and len(pairs) >= line.count(",") and _COMMON.isdisjoint(pairs)
    return (text.rstrip()[: found.start()], line) if found and whole else (text, "")


def _read_ours(body: str, pairs: dict[str, str]) -> Recipe:
    """Return our own prompt exactly as written: it has no tags, and each space counts."""
    unmatched = Unmatched()
    typed, behind = _split_prompts(body)
    prompt, negative = unescape(typed), unescape(behind.removeprefix(" "))
    if not _OUR_MODEL.search(pairs.get("Model", "")):
        unmatched.name_value("model", pairs.get("Model"))
    constants = _OUR_CONSTANTS if pairs.keys() >= _OUR_CONSTANTS else set()
    others = {key: value for key, value in pairs.items() if key not in constants}
    # Of our own images a guidance of 1 was sent, and counts.
    others = {"Distilled CFG Scale": others.pop("CFG scale", ""), **others}
    return _build_recipe(OURS, prompt, negative, others, unmatched)


def _split(text: str) -> tuple[str, str]:
    """Return the part before the line of pairs, and that line, or ""."""
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


def _remove_json(line: str) -> tuple[str, list[Any]]:
    """Return the line without the JSON in it, whose commas and colons are not pairs, and Civitai's list of models."""
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


def _unquote(value: str) -> str:
    """Return a value as it was before it was quoted as JSON."""
    if value.startswith('"'):
        try:
            return str(json.loads(value))
        except ValueError:
            pass
    return value.strip()


def _split_prompts(body: str) -> tuple[str, str]:
    """Return the prompt and the negative prompt."""
    match = _NEGATIVE.search(body)
    return (body[: match.start()].removesuffix("\n"), body[match.end() :]) if match else (body, "")


def _name_networks(unmatched: Unmatched, pairs: dict[str, str], resources: list[Any]) -> None:
    """Name the LoRAs and embeddings that the prompt's tags have not named."""
    for name in _list_hashed(pairs.get("Lora hashes", "")):
        unmatched.name_lora(name)
    for name in _list_hashed(pairs.get("TI hashes", "")):
        unmatched.name_value("embedding", name)
    for resource in resources:
        if isinstance(resource, dict):
            name, kind = format_value(resource.get("modelName")), format_value(resource.get("type"))
            if kind == "checkpoint":
                unmatched.name_value("model", name)
            else:
                unmatched.name_lora(name, resource.get("weight"), "LoRA" if kind == "lora" else kind or "model")


def _list_hashed(names: str) -> Iterator[str]:
    """Yield the names in `name: hash, name: hash`."""
    for pair in names.split(","):
        yield pair.rpartition(":")[0]


def _build_recipe(tool: str, prompt: str, negative: str, pairs: dict[str, str], unmatched: Unmatched) -> Recipe:
    seed, steps = unmatched.check_seed(pairs.get("Seed")), unmatched.check_count("steps", pairs.get("Steps"))
    size = re.fullmatch(r"\s*([0-9]+)\s*[xX×]\s*([0-9]+)\s*", pairs.get("Size", ""))
    width, height = size.groups() if size else ("", "")
    if not size:
        unmatched.name_value("size", pairs.get("Size"))
    wide, high = unmatched.check_count("width", width), unmatched.check_count("height", height)
    guidance = unmatched.choose_guidance(pairs.get("Distilled CFG Scale"), pairs.get("CFG scale"))
    strength = pairs.get("Denoising strength")
    if any(key.startswith("Hires ") for key in pairs):  # it is that of the second pass
        pairs, strength = pairs | {"Hires denoising strength": strength or ""}, None
    changed = unmatched.check_strength("denoising strength", strength)
    _name_others(unmatched, pairs)
    return Recipe(
        tool,
        prompt,
        seed,
        steps,
        wide,
        high,
        unmatched.list_phrases(),
        guidance=guidance,
        negative_prompt=negative,
        strength=changed,
    )


def _name_others(unmatched: Unmatched, pairs: dict[str, str]) -> None:
    unmatched.name_value("hires fix", _describe_hires(pairs))
    unmatched.name_value("ADetailer", _group(pairs, "ADetailer "))
    for key, value in pairs.items():
        again = key.removesuffix(" hash") in pairs and key.endswith(" hash")
        if key not in _READ and not again and not key.startswith(("Hires ", "ADetailer ")):
            unmatched.name_value(_speak(key), value)


def _describe_hires(pairs: dict[str, str]) -> str:
    """Describe the second pass: `1.5x (R-ESRGAN), steps 10`."""
    scale, upscaler = pairs.get("Hires upscale"), pairs.get("Hires upscaler")
    size = f"{scale}x" if scale else pairs.get("Hires resize", "")
    head = " ".join(part for part in (size, f"({upscaler})" if upscaler else "") if part)
    rest = _group({key: pairs[key] for key in pairs if key not in _HIRES_HEAD}, "Hires ")
    return ", ".join(part for part in (head, rest) if part)


_HIRES_HEAD = {"Hires upscale", "Hires upscaler", "Hires resize"}


def _group(pairs: dict[str, str], prefix: str) -> str:
    """Return the values of one extension in one phrase, since it has a dozen."""
    own = {key[len(prefix) :]: value for key, value in pairs.items() if key.startswith(prefix) and value}
    return ", ".join(f"{key} {value}" for key, value in own.items())


def _speak(key: str) -> str:
    """Return a key as in a sentence: `Clip skip` becomes lower case; `CFG scale` and `ControlNet 0` do not."""
    return key[0].lower() + key[1:] if key.partition(" ")[0][1:].islower() else key

"""The words of the text nodes in a ComfyUI graph, if they are in the file; a language model's answer is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

TEXTS: Final = (
    *("populated_text", "text", "t5xxl", "text_g", "clip_g", "prompt", "user_prompt", "value", "string"),
    *("clip_l", "text_l"),
)
"""The inputs that hold a string, in encoders of prompts and in nodes that only hold one; the fuller ones first."""

_PARTS: Final = re.compile(r"(?:string|str|text|prompt)_?[a-z0-9]{1,2}")
_WRITES: Final = re.compile(
    r"llm|llama|gpt|openai|gemini|gemma|claude|anthropic|mistral|mixtral|deepseek|grok\b|groq|phi-?[34]|florence|qwen.?\d*.?vl"
    r"|qwenvl|llava|moondream|joycaption|blip|vlm|vqa|caption|interrogat|tagger|wd14|describe|chat|img2txt|image.?to.?"
    r"(?:text|prompt)|image2(?:text|prompt)|(?:text|prompt)\W?gen|generat\w*\W?(?:text|prompt)|(?:prompt|text)\W?"
    r"(?:enhanc|expan|improv|upsampl|rewrit|refin|enrich|magic|complet)|(?:super|magic)\W?prompt|translat|wildcard|random"
    r"|dynamic\W?prompt|dprandom|shuffle|\bapi\b",
    re.IGNORECASE,
)
"""Names of nodes that generate text while they run."""

_CHANGES: Final = re.compile(
    r"replac|regex|substr|slice|split|trunc|format(?!ion)|template|styl|parse|json|extract|remove|strip|filter|lookup|load"
    r"|(?<!pro)file|csv|reader|eval|python|script\b|math|expression",
    re.IGNORECASE,
)
"""Names of nodes whose text differs from their input."""

_WRITERS_INPUTS: Final = {
    *("temperature", "top_p", "top_k", "max_tokens", "max_new_tokens", "max_length", "num_predict", "num_beams"),
    *("api_key", "apikey", "system", "system_prompt", "system_message", "instruction", "instructions", "keep_alive"),
    *("seed", "noise_seed", "image", "images", "pixels", "video", "audio"),
}
_FILES_INPUTS: Final = {"file", "path", "file_path", "filename", "folder", "directory", "url"}
_SHOWS: Final = re.compile(r"show|display|preview|debug|inspect", re.IGNORECASE)
_NO_TEXT: Final = re.compile(
    r"(?:.*_)?(?:clip|model|vae|image|images|mask|latent|latent_image|samples|control_net|conditioning|pipe|noise"
    r"|sampler|sigmas|guider|style|label|title|mode|type|name|separator|delimiter)\Z",
    re.IGNORECASE,
)
_LIKELY: Final = re.compile(
    r"text|prompt|string|word|caption|phrase|content|message|positive|value|input", re.IGNORECASE
)


class Wording(NamedTuple):
    """A string, and why it is uncertain; then the string is empty."""

    text: str
    doubt: str = ""


class Unsure(Exception):
    """A node whose text is not in the file; the message says what the node does."""


def check(kind: str, inputs: Mapping[str, Any], *, encodes: bool) -> None:
    """Raise Unsure for a node that generates or changes text; an encoder's own inputs are its settings."""
    if isinstance(inputs.get("populated_text"), str) and inputs["populated_text"]:
        return  # what a wildcard became, before the graph ran
    if _WRITES.search(kind) and not (encodes and "wildcard" not in kind.casefold()):
        raise Unsure(f"the node {kind} wrote it during the run")
    if encodes:
        return
    names = {name.casefold() for name in inputs}
    if names & _WRITERS_INPUTS:
        raise Unsure(f"the node {kind} wrote it during the run")
    if _CHANGES.search(kind) or names & _FILES_INPUTS:
        raise Unsure(f"the node {kind} changed it or read it from elsewhere")


def list_pieces(kind: str, inputs: Mapping[str, Any], slot: object) -> list[Any]:
    """Return the inputs that make up a node's text, in their order; raise Unsure if there are several strings."""
    links = {name: value for name, value in inputs.items() if isinstance(value, list) and not _NO_TEXT.match(name)}
    if links and _SHOWS.search(kind):
        return [next(iter(links.values()))]  # beside it, the text of an earlier run may be kept
    for sides in (("positive", "negative"), ("text_positive", "text_negative")):
        if all(side in inputs for side in sides):
            return [inputs[sides[slot == 1]]]
    single = next((inputs[name] for name in TEXTS if inputs.get(name)), None)
    if single is not None:
        return [single]
    parts = [value for name, value in inputs.items() if value and _PARTS.fullmatch(name)]
    if parts:
        between = inputs.get("delimiter", inputs.get("separator", ""))
        return [piece for value in parts for piece in (between, value)][1:]
    return _list_any(kind, inputs, links)


def _list_any(kind: str, inputs: Mapping[str, Any], links: Mapping[str, Any]) -> list[Any]:
    if len(inputs) == 1:
        return list(inputs.values())
    typed = {
        name: value for name, value in inputs.items() if isinstance(value, str) and value and not _NO_TEXT.match(name)
    }
    likely = {name: value for name, value in typed.items() if _LIKELY.search(name)}
    phrases = {name: value for name, value in typed.items() if len(value.split()) > 1}
    for found in (links, typed, likely, phrases):
        if len(found) == 1:
            return list(found.values())
    if links or typed:
        raise Unsure(f"the node {kind} has several texts")
    return []

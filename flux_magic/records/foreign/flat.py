"""Tools that write one flat JSON object: InvokeAI, SwarmUI, Fooocus, NovelAI, Draw Things, Easy Diffusion and others.

They differ in the names of their keys, and in where the object is. A key is compared without its spaces, underscores
and capitals: `negativePrompt`, `Negative Prompt` and `negative_prompt` are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...types import UNKNOWN
from .values import Recipe, Unmatched, format_value, get_file_name, parse_object

_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "prompt": ("positiveprompt", "prompt", "c"),
    "negative prompt": ("negativeprompt", "negative", "uc"),
    "model": ("model", "basemodel", "basemodelname", "modelweights", "usestablediffusionmodel"),
    "seed": ("seed",),
    "steps": ("steps", "numinferencesteps"),
    "width": ("width",),
    "height": ("height",),
    "size": ("resolution", "size"),
    "guidance": ("fluxguidancescale", "guidance"),
    "CFG scale": ("cfgscale", "guidancescale", "cfg"),
    "strength": ("initimagecreativity", "promptstrength", "strength"),
    "loras": ("loras", "lora", "loraweights", "lorapaths", "lorascales", "uselora", "useloramodel", "resources"),
}
_WORDS: Final = {
    "cfgrescale": "CFG rescale",
    "cfgrescalemultiplier": "CFG rescale multiplier",
    "clipembedmodel": "CLIP model",
    "clipstopatlayer": "clip skip",
    "comfyuisampler": "sampler",
    "comfyuischeduler": "scheduler",
    "ipadapters": "IP adapters",
    "refinermodel": "refiner",
    "refinerupscale": "refiner upscale",
    "samplername": "sampler",
    "t2iadapters": "T2I adapters",
    "t5encoder": "T5 encoder",
    "vae": "VAE",
}
_SILENT: Final = {
    *("appversion", "appid", "randdevice", "canvasv2metadata", "workflow", "graph", "modelhash", "basemodelhash"),
    *("swarmversion", "images", "batchsize", "aspectratio", "sidelength", "automaticvae", "personalnote"),
    *("version", "metadatascheme", "software", "fullprompt", "fullnegativeprompt", "createdby", "modellist"),
    *("mfluxversion", "createdat", "generationtimeseconds", "signedhash", "requesttype", "nsamples", "v2", "v4prompt"),
    *("v4negativeprompt", "title", "description", "source", "comment", "numoutputs", "outputformat", "profile"),
}
"""Keys that do not concern one image, or repeat other fields."""

_TAGGED: Final = {"SwarmUI", "Fooocus", "RuinedFooocus"}
"""The tools that take LoRAs and weights out of a prompt."""

_SCALED: Final = {"NovelAI", "Draw Things"}
"""The tools that call the CFG scale a scale."""

_SIZE: Final = re.compile(r"\D{0,3}(\d{1,9})\s{0,3}[x×X,]\s{0,3}(\d{1,9})\D{0,3}")
_PLACES: Final = (
    *("invokeai_metadata", "sd-metadata", "parameters", "exif usercomment", "xmp exif:usercomment", "comment"),
    *("generation_data", "metadata", "exif imagedescription", "exif xpcomment", "xmp dc:description", "description"),
    *("jpeg comment",),
)
"""The names under which tools write JSON, the most telling first."""


def read(texts: Mapping[str, str]) -> Recipe | None:
    """Return the recipe in the JSON of a flat tool, by its name or its keys; None if there is no such JSON."""
    for place in _PLACES:
        given = parse_object(texts.get(place, ""))
        found = _unwrap(given, place, texts) if given else None
        if found is not None:
            return build_recipe(*found)
    apart = {name: text for name, text in texts.items() if not name.startswith(("exif ", "xmp ", "jpeg "))}
    found = _unwrap(apart, "", texts)  # Easy Diffusion writes each value under a keyword of its own
    return build_recipe(*found) if found else None


def _unwrap(given: dict[str, Any], place: str, texts: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """Return the tool and its flat object, out of what is around it."""
    if isinstance(inner := given.get("sui_image_params"), dict):
        return "SwarmUI", inner
    if isinstance(inner := parse_object(format_value(given.get("extraMetadata"))), dict):
        return "Civitai", inner
    if isinstance(inner := given.get("image"), dict) and "prompt" in inner:
        return "InvokeAI", {**inner, "prompt": _join(inner["prompt"]), "model": given.get("model_weights")}
    if isinstance(inner := parse_object(format_value(given.get("Comment"))), dict):
        return "NovelAI", {**inner, "model": given.get("Source")}
    keys = {_squeeze(key) for key in given}
    tool = _detect_tool(given, keys, place)
    if tool == "NovelAI":
        return tool, {"prompt": texts.get("description", ""), **given, "model": texts.get("source")}
    return (tool, given) if tool else None


def _detect_tool(given: dict[str, Any], keys: set[str], place: str) -> str:
    """Return the tool that writes such keys, "unknown" if there is a prompt with settings, else nothing."""
    if not keys & {*_FIELDS["prompt"], *_FIELDS["seed"], *_FIELDS["steps"]}:
        return ""
    if place == "invokeai_metadata":
        return "InvokeAI"
    named = " ".join(format_value(given.get(key)) for key in ("software", "version", "Version", "metadata_scheme"))
    for tool in ("RuinedFooocus", "Fooocus", "NovelAI"):
        if tool.lower() in named.lower():
            return tool
    marks = {
        "Fooocus": {"performance", "basemodel"},
        "NovelAI": {"uc", "prompt"},
        "Draw Things": {"c", "uc"},
        "Easy Diffusion": {"prompt", "usestablediffusionmodel"},
        "mflux": {"prompt", "mfluxversion"},
        "InvokeAI": {"positiveprompt", "appversion"},
    }
    for tool, mark in marks.items():
        if mark <= keys:
            return tool
    typed = next((value for key, value in given.items() if _squeeze(key) in {"prompt", "positiveprompt"}), None)
    known = isinstance(typed, str) and not parse_object(typed) and keys & {"seed", "steps", "numinferencesteps"}
    return UNKNOWN if known else ""


def build_recipe(tool: str, given: Mapping[str, Any]) -> Recipe:
    """Return the recipe in a flat object of a tool."""
    values = {_squeeze(key): (key, value) for key, value in given.items()}
    if tool in _SCALED and "scale" in values:
        values.setdefault("cfgscale", values.pop("scale"))
    fields = {
        name: next((values[key][1] for key in keys if key in values and values[key][1] is not None), None)
        for name, keys in _FIELDS.items()
    }
    unmatched, typed = Unmatched(), fields["prompt"]
    prompt = typed if isinstance(typed, str) else ""
    excluded = ""
    if tool == "InvokeAI" and "positiveprompt" not in values:
        prompt, excluded = _split_brackets(prompt)
    unmatched.name_value("model", _get_name(fields["model"]))
    _name_loras(unmatched, values)
    negative = fields["negative prompt"] if isinstance(fields["negative prompt"], str) else ""
    negative = " ".join(", ".join(filter(None, [negative.strip(), excluded])).split())
    if tool in _TAGGED:
        prompt, negative = unmatched.strip_prompt(prompt), unmatched.strip_negative(negative)
    seed, steps = unmatched.check_seed(fields["seed"]), unmatched.check_count("steps", fields["steps"])
    size = _SIZE.fullmatch(format_value(fields["size"]))
    sides = size.groups() if size else (fields["width"], fields["height"])
    width, height = (unmatched.check_count(name, side) for name, side in zip(("width", "height"), sides, strict=True))
    if not size:
        unmatched.name_value("size", fields["size"])
    guidance = unmatched.choose_guidance(fields["guidance"], fields["CFG scale"])
    strength = _read_strength(unmatched, tool, fields["strength"], values)
    _name_others(unmatched, values)
    return Recipe(
        tool,
        prompt,
        seed,
        steps,
        width,
        height,
        unmatched.list_phrases(),
        guidance=guidance,
        negative_prompt=negative,
        strength=strength,
    )


def _read_strength(
    unmatched: Unmatched, tool: str, value: object, values: Mapping[str, tuple[str, Any]]
) -> float | None:
    """Return how much of an image was changed. NovelAI writes one for images without another as well."""
    _, request = values.get("requesttype", ("", ""))
    if tool == "NovelAI" and "img2img" not in format_value(request).casefold():
        unmatched.name_value("strength", value)
        return None
    return unmatched.check_strength("strength", value)


def _split_brackets(prompt: str) -> tuple[str, str]:
    """Return a prompt of InvokeAI 2, and its negative part, which it has in brackets."""
    excluded = ", ".join(filter(None, re.findall(r"\[([^\[\]]*)\]", prompt)))
    return re.sub(r" ?\[[^\[\]]*\]", "", prompt).strip(), excluded


def _name_loras(unmatched: Unmatched, values: Mapping[str, tuple[str, Any]]) -> None:
    def get_value(*keys: str) -> list[Any]:
        return _list(next((values[key][1] for key in keys if key in values), None))

    weights = get_value("loraweights", "lorascales")
    for place, lora in enumerate(get_value("loras", "lora", "lorapaths", "resources")):
        for name, weight, kind in _list_loras(lora):
            unmatched.name_lora(name, weights[place] if place < len(weights) else weight, kind)
    for key, (_, found) in values.items():
        if key.startswith("loracombined"):
            name, _, weight = format_value(found).rpartition(" : ")
            unmatched.name_lora(name, weight)


def _list_loras(lora: object) -> Iterator[tuple[object, object, str]]:
    """Yield the name, weight and kind of one entry, in any of the forms that tools have."""
    if isinstance(lora, dict):
        kind = format_value(lora.get("type")).lower()
        name = lora.get("model") or lora.get("lora") or lora.get("modelName") or lora.get("name")
        shown = "model" if kind == "checkpoint" else "LoRA" if kind in {"", "lora"} else kind
        yield _get_name(name), lora.get("weight", lora.get("strength")), shown
    elif isinstance(lora, list) and lora:
        yield lora[0], lora[1] if len(lora) > 1 else "", "LoRA"
    elif isinstance(lora, str):
        yield lora, "", "LoRA"


def _list(value: object) -> list[Any]:
    """Return a list, which SwarmUI's older versions wrote as a string with commas."""
    if isinstance(value, list):
        return value
    return [*value.split(",")] if isinstance(value, str) else []


def _name_others(unmatched: Unmatched, values: Mapping[str, tuple[str, Any]]) -> None:
    read = {key for keys in _FIELDS.values() for key in keys} | _SILENT
    for key, (shown, value) in values.items():
        plain = key in {"generationmode", "type"} and format_value(value).endswith("txt2img")
        apart = key.startswith(("original", "internal", "loracombined"))
        if key not in read and not plain and not apart:
            unmatched.name_value(_WORDS.get(key, shown.replace("_", " ")), _summarize(value))


def _summarize(value: object) -> object:
    """Return a model's name, the length of a list, or the value itself."""
    if isinstance(value, list):
        return len(value) or ""
    return _get_name(value) if isinstance(value, dict) else value


def _get_name(model: object) -> str:
    if isinstance(model, dict):
        return get_file_name(model.get("name") or model.get("model_name"))
    return get_file_name(model)


def _join(prompt: object) -> str:
    """Return a prompt that InvokeAI 2 wrote as a list of parts with weights."""
    parts = prompt if isinstance(prompt, list) else [prompt]
    return ", ".join(
        filter(None, (format_value(part.get("prompt") if isinstance(part, dict) else part) for part in parts))
    )


def _squeeze(key: str) -> str:
    return re.sub(r"[\W_]+", "", key).casefold()

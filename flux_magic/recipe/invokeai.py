"""InvokeAI's `invokeai_metadata`, after its `CoreMetadataInvocation` (invokeai/app/invocations/metadata.py)."""

from __future__ import annotations

from typing import Any, Final

from .values import Recipe, Unmatched, as_text, file_name, json_object

TOOL: Final = "InvokeAI"

_WORDS = {
    "cfg_scale": "CFG scale",
    "cfg_rescale_multiplier": "CFG rescale multiplier",
    "clip_embed_model": "CLIP model",
    "ipAdapters": "IP adapters",
    "t2iAdapters": "T2I adapters",
    "t5_encoder": "T5 encoder",
    "vae": "VAE",
}
_READ = {"positive_prompt", "negative_prompt", "seed", "steps", "width", "height", "model", "loras"}
_SILENT = {"app_version", "rand_device", "canvas_v2_metadata", "workflow", "graph"}
"""What has no bearing on the picture, or says again what the other fields say."""


def read(text: str) -> Recipe | None:
    """The recipe in InvokeAI's JSON; None for anything else."""
    given = json_object(text)
    if given is None or not given.keys() & {"positive_prompt", "seed", "steps"}:
        return None
    unmatched, prompt = Unmatched(), given.get("positive_prompt")
    unmatched.named("negative prompt", given.get("negative_prompt"))
    unmatched.named("model", _name(given.get("model")))
    _name_loras(unmatched, given.get("loras"))
    seed = unmatched.seed(given.get("seed"))
    steps, width, height = (unmatched.count(name, given.get(name)) for name in ("steps", "width", "height"))
    _name_others(unmatched, given)
    return Recipe(TOOL, prompt if isinstance(prompt, str) else "", seed, steps, width, height, unmatched.phrases())


def _name_loras(unmatched: Unmatched, loras: object) -> None:
    for lora in loras if isinstance(loras, list) else []:
        if isinstance(lora, dict):
            unmatched.lora(_name(lora.get("model") or lora.get("lora")), lora.get("weight"))


def _name_others(unmatched: Unmatched, given: dict[str, Any]) -> None:
    for key, value in given.items():
        plain = key == "generation_mode" and as_text(value).endswith("txt2img")
        if key not in _READ | _SILENT and not plain:
            unmatched.named(_WORDS.get(key, key.replace("_", " ")), _in_words(value))


def _in_words(value: object) -> object:
    """A model's name, how many there are of a list, or the value itself."""
    if isinstance(value, list):
        return len(value) or ""
    return _name(value) if isinstance(value, dict) else value


def _name(model: object) -> str:
    if isinstance(model, dict):
        return file_name(model.get("name") or model.get("model_name"))
    return file_name(model)

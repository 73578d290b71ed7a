"""SwarmUI's `parameters`, after its documentation (docs/Image Metadata Format.md): JSON with `sui_image_params`."""

from __future__ import annotations

from typing import Final

from .values import Recipe, Unmatched, file_name, json_object

TOOL: Final = "SwarmUI"

_WORDS = {
    "cfgscale": "CFG scale",
    "clipstopatlayer": "clip skip",
    "comfyuisampler": "sampler",
    "comfyuischeduler": "scheduler",
    "fluxguidancescale": "guidance",
    "initimagecreativity": "init image creativity",
    "refinermodel": "refiner",
    "refinerupscale": "refiner upscale",
    "vae": "VAE",
}
_READ = {"prompt", "negativeprompt", "seed", "steps", "width", "height", "model", "loras", "loraweights"}
_SILENT = {"swarm_version", "images", "batchsize", "aspectratio", "sidelength", "automaticvae", "personalnote"}
"""What has no bearing on one picture, or says again what the other fields say."""


def read(text: str) -> Recipe | None:
    """The recipe in SwarmUI's JSON; None for anything else."""
    given = (json_object(text) or {}).get("sui_image_params")
    if not isinstance(given, dict):
        return None
    unmatched, typed = Unmatched(), given.get("prompt")
    unmatched.named("negative prompt", given.get("negativeprompt"))
    unmatched.named("model", file_name(given.get("model")))
    _name_loras(unmatched, given.get("loras"), given.get("loraweights"))
    prompt, seed = unmatched.prompt(typed if isinstance(typed, str) else ""), unmatched.seed(given.get("seed"))
    steps, width, height = (unmatched.count(name, given.get(name)) for name in ("steps", "width", "height"))
    for key, value in given.items():
        if key not in _READ | _SILENT and not key.startswith(("original_", "internal")):
            unmatched.named(_WORDS.get(key, key.replace("_", " ")), value)
    return Recipe(TOOL, prompt, seed, steps, width, height, unmatched.phrases())


def _name_loras(unmatched: Unmatched, loras: object, weights: object) -> None:
    given = _listed(weights)
    for position, name in enumerate(_listed(loras)):
        unmatched.lora(name, given[position] if position < len(given) else "")


def _listed(value: object) -> list[object]:
    """A list, which SwarmUI's older versions wrote as a text with commas."""
    if isinstance(value, list):
        return value
    return [*value.split(",")] if isinstance(value, str) else []

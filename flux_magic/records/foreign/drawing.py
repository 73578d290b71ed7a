"""ComfyUI's `workflow`, the drawing of a graph in its editor, as the graph that would run.

It is read only if the graph that ran is not in the file. A node's values are a list there. Newer drawings name them; of
older ones they are known for ComfyUI's own nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MUTED, _BYPASSED = 2, 4
_CONTROLS: Final = {"fixed", "increment", "decrement", "randomize"}
"""The value behind a seed, by which the editor changes it after a run."""

_SAMPLING: Final = ("steps", "cfg", "sampler_name", "scheduler")
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "KSampler": ("seed", *_SAMPLING, "denoise"),
    "KSamplerAdvanced": ("add_noise", "noise_seed", *_SAMPLING, "start_at_step", "end_at_step"),
    "SamplerCustom": ("add_noise", "noise_seed", "cfg"),
    "RandomNoise": ("noise_seed",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "KSamplerSelect": ("sampler_name",),
    "FluxGuidance": ("guidance",),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "PrimitiveNode": ("value",),
}


def build_graph(drawing: Mapping[str, Any]) -> dict[str, Any]:
    """Return the graph in ComfyUI's form for running; nodes that are muted are left out."""
    nodes = [node for node in _list(drawing.get("nodes")) if isinstance(node, dict)]
    sources = dict(filter(None, map(_read_source, _list(drawing.get("links")))))
    return {
        str(node.get("id")): {"class_type": str(node.get("type")), "inputs": _read_inputs(node, sources)}
        for node in nodes
        if node.get("mode") != _MUTED
    }


def _read_source(link: object) -> tuple[str, list[Any]] | None:
    """Return a link's number, and the node and slot that it comes from."""
    if isinstance(link, dict):
        link = [link.get(name) for name in ("id", "origin_id", "origin_slot")]
    if isinstance(link, list) and len(link) >= 3:
        return str(link[0]), [str(link[1]), link[2]]
    return None


def _read_inputs(node: Mapping[str, Any], sources: Mapping[str, list[Any]]) -> dict[str, Any]:
    slots = [slot for slot in _list(node.get("inputs")) if isinstance(slot, dict)]
    linked = {str(slot.get("name")): sources[link] for slot in slots if (link := str(slot.get("link"))) in sources}
    if node.get("mode") == _BYPASSED:
        return dict(list(linked.items())[:1])
    return {**_read_values(node, slots), **linked}


def _read_values(node: Mapping[str, Any], slots: list[dict[str, Any]]) -> dict[str, Any]:
    given = node.get("widgets_values")
    if isinstance(given, dict):
        return given
    values = _remove_controls(_list(given))
    names = _NAMES.get(str(node.get("type"))) or tuple(
        str(slot["widget"].get("name")) for slot in slots if isinstance(slot.get("widget"), dict)
    )
    if not names or len(names) > len(values):
        texts = [value for value in values if isinstance(value, str)]
        return {"text": texts[0]} if len(texts) == 1 else {}
    return dict(zip(names, values, strict=False))


def _remove_controls(values: list[Any]) -> list[Any]:
    """Return the values without those that only say how a number changes."""
    return [
        value
        for place, value in enumerate(values)
        if not (place and isinstance(value, str) and value in _CONTROLS and isinstance(values[place - 1], (int, float)))
    ]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

"""ComfyUI's `prompt`: the graph that ran, after its own nodes.py and comfy_extras, and the commonest custom nodes.

The sampler nearest to the saved image counts; its parameters are found by following its links.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from .drawing import build_graph
from .graph import MOST_LINKS, Graph, Node, find_first
from .values import STARTS_FROM, Recipe, Unmatched, format_value, get_file_name, parse_number, parse_object
from .wording import TEXTS, Wording

TOOL: Final = "ComfyUI"
NOTHING_FOUND: Final = "the workflow: no sampler is found in what the file holds of it"
MOST_ENDS: Final = 10
"""The number of saving nodes that are followed to a sampler."""

_LABELLED: Final = re.compile(r"\s{0,9}(prompt|workflow)\s{0,9}:\s{0,9}(?=\{)", re.IGNORECASE)
_OBJECTS: Final = ("exif usercomment", "parameters", "comment", "exif imagedescription", "jpeg comment")

_SAVERS = ("SaveImage", "PreviewImage")
_HELPERS = ("noise", "guider", "sampler", "sigmas")
"""The inputs by which SamplerCustom and SamplerCustomAdvanced get what a KSampler holds itself."""

_SAMPLES = {"positive", "guider", "noise", "seed", "noise_seed"}
_MODELS = ("ckpt_name", "unet_name", "base_ckpt_name", "model_name", "model_path")
_STRENGTHS = ("strength_model", "lora_model_strength", "lora_strength", "strength")
_PLAIN = ("Reroute", "Save", "Preview", "VAEDecode", "Guidance")
"""Nodes that change nothing, or whose value is named."""


def read(prompt: Mapping[str, Any], workflow: Mapping[str, Any]) -> Recipe | None:
    """Return the recipe in ComfyUI's graph, or in its drawing (`workflow`); an empty one if there is no sampler."""
    for graph in (Graph(prompt), Graph(build_graph(workflow))):
        samplers, way = _find_samplers(graph, _is_sampler)
        if not samplers:
            samplers, way = _find_samplers(graph, _is_service)
        if samplers:
            return _Reading(graph, samplers, way).build_recipe()
    known = Graph(prompt).nodes or isinstance(workflow.get("nodes"), list)
    return Recipe(TOOL, "", unmatched=(NOTHING_FOUND,)) if known else None


def find_graphs(texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the graph that ran, and its drawing, from the strings of a PNG or the EXIF of ComfyUI's JPEG or WebP."""
    found = {name: parse_object(texts.get(name, "")) or {} for name in ("prompt", "workflow")}
    for text in texts.values():
        labelled = _LABELLED.match(text)
        if labelled and not found[labelled[1].casefold()]:
            found[labelled[1].casefold()] = parse_object(text[labelled.end() :]) or {}
    for place in _OBJECTS if not any(found.values()) else ():
        whole = parse_object(texts.get(place, "")) or {}
        found = {name: _parse_inner(whole.get(name)) for name in found}
        if not any(found.values()) and any(isinstance(node, dict) and "class_type" in node for node in whole.values()):
            found["prompt"] = whole
        if any(found.values()):
            break
    return found["prompt"], found["workflow"]


def _parse_inner(value: object) -> dict[str, Any]:
    """Return a graph within JSON, which some nodes write as a string."""
    return value if isinstance(value, dict) else parse_object(format_value(value)) or {}


def _is_sampler(node: Node) -> bool:
    return "sampler" in node.kind.lower() and not _SAMPLES.isdisjoint(node.inputs)


def _is_service(node: Node) -> bool:
    """Return True if a node makes an image by itself, as nodes that call a service do."""
    return {"prompt", "seed"} <= node.inputs.keys()


def _find_samplers(graph: Graph, is_one: Callable[[Node], bool]) -> tuple[list[Node], list[Node]]:
    """Return the samplers that led to the image, the last first, and the nodes from the last one to the file."""
    for end in _find_ends(graph, is_one):
        met = dict[str, Node | None]()
        found: list[Node] = []
        for node, towards in graph.walk_upstream(end):
            met[node.id] = towards
            found += [node] if is_one(node) else []
        if found:
            return found, list(islice(_trace_way(met, found[0]), MOST_LINKS))
    return [], []


def _find_ends(graph: Graph, is_one: Callable[[Node], bool]) -> Iterator[Node]:
    """Yield the nodes where an image may end: a file, the screen, a custom node that saves, or a sampler."""
    nodes = list(graph.nodes.values())
    own = [node for kind in _SAVERS for node in nodes if node.kind == kind]
    custom = [node for node in nodes if "save" in node.kind.lower() and node.kind not in _SAVERS]
    yield from islice(own + custom, MOST_ENDS)
    yield from (node for node in nodes if is_one(node))


def _trace_way(met: dict[str, Node | None], node: Node) -> Iterator[Node]:
    towards = met[node.id]
    while towards is not None:
        yield towards
        towards = met[towards.id]


@dataclass(frozen=True, slots=True)
class _Sampler:
    """A sampler with its helpers: the nodes that a KSampler has within itself."""

    graph: Graph
    nodes: list[Node]

    @classmethod
    def of(cls, graph: Graph, node: Node) -> _Sampler:
        return cls(graph, [helper for helper, _ in graph.walk_upstream(node, _HELPERS)])

    def find_link(self, *names: str) -> object:
        """Return the first input with one of these names, unchanged."""
        return next((node.inputs[name] for node in self.nodes for name in names if name in node.inputs), None)

    def find_value(self, *names: str) -> object:
        return self.graph.find_value(self.find_link(*names), *names)

    @property
    def adds_noise(self) -> bool:
        """True if its seed counts: a sampler that continues another's work uses that one's seed."""
        return (
            format_value(self.find_value("add_noise")) != "disable" and self.find_link("seed", "noise_seed") is not None
        )


class _Reading:
    """One graph, read from its last sampler back."""

    def __init__(self, graph: Graph, samplers: list[Node], way: list[Node]) -> None:
        self.graph, self.way, self.unmatched = graph, way, Unmatched()
        self.node, *self.others = samplers
        self.sampler = _Sampler.of(graph, self.node)
        self.distilled: object = None
        self.starts_from_image = False

    def build_recipe(self) -> Recipe:
        typed, doubt = self._read_prompt("positive", "conditioning", "prompt")
        prompt = self.unmatched.strip_prompt(typed)
        negative, unsure = self._read_prompt("negative")
        self.unmatched.name_value("negative prompt", f"not sure: {unsure}" if unsure else "")
        negative = self.unmatched.strip_negative(negative)
        self._name_models()
        seed, steps = self._read_seed(), self.unmatched.check_count("steps", self.sampler.find_value("steps"))
        width, height = self._read_size()
        guidance = self.unmatched.choose_guidance(self.distilled, self.sampler.find_value("cfg"))
        strength = self._read_strength()
        self._name_settings()
        self._name_nodes(self.way)
        phrases = self.unmatched.list_phrases()
        return Recipe(TOOL, prompt, seed, steps, width, height, phrases, doubt, guidance, negative, strength)

    def _read_prompt(self, *names: str) -> Wording:
        """Return the text that a sampler's conditioning was made from; what it passes on its way is named."""
        side, given = names[0], self.sampler.find_link(*names)
        if isinstance(given, str):
            return Wording(given)
        last = None
        for node in self.graph.walk(given, side, "conditioning", "conditioning_1", "conditioning_to"):
            guidance = self.graph.find_value(node.inputs.get("guidance"), "guidance")
            if side == "positive" and self.distilled is None:
                self.distilled = guidance
            elif guidance != self.distilled:
                self.unmatched.name_value("guidance", guidance)
            typed = node.inputs.get(side)
            if "ZeroOut" in node.kind or isinstance(typed, str):
                return Wording(typed if isinstance(typed, str) else "")
            if node.id in self.graph.open or any(name in node.inputs for name in TEXTS):
                return self._read_encoded(node)
            self._name_nodes([node])
            last = node
        linked = last and any(self.graph.follow(last.inputs.get(name)) for name in (side, "conditioning"))
        return self._read_encoded(last) if last and not linked else Wording("")

    def _read_encoded(self, node: Node) -> Wording:
        """Return an encoder's text; a second one for the smaller encoder is named if it differs."""
        encoder = node if _is_encoder(node) else None
        text = self.graph.find_text([node.id, 0], encoder)
        for name in ("clip_l", "text_l"):
            second, _ = self.graph.find_text(node.inputs.get(name))
            if second.strip() != text.text.strip():
                self.unmatched.name_value("prompt for CLIP", second)
        return text

    def _name_models(self) -> None:
        for node in self.graph.walk(self.sampler.find_link("model"), "model"):
            loras, model = list(_list_loras(node)), find_first(node, *_MODELS)
            for name, weight in loras:
                self.unmatched.name_lora(
                    self.graph.find_value(name, "lora_name"), self.graph.find_value(weight, *_STRENGTHS)
                )
            self.unmatched.name_value("model", get_file_name(self.graph.find_value(model, *_MODELS)))
            self._name_nodes([] if loras or model else [node])

    def _read_seed(self) -> int | None:
        others = (_Sampler.of(self.graph, node) for node in self.others[:MOST_ENDS])
        noisy = next((sampler for sampler in (self.sampler, *others) if sampler.adds_noise), None)
        return self.unmatched.check_seed(noisy.find_value("seed", "noise_seed")) if noisy else None

    def _read_size(self) -> tuple[int | None, int | None]:
        """Return the size of the nearest empty latent image, or of one that was scaled up to a size."""
        start = self.graph.follow(self.sampler.find_link("latent_image", "latent", "samples"))
        for node, _ in self.graph.walk_upstream(start or self.node):
            names = _find_size_names(node)
            if names:
                width, height = names
                return self._read_pixels(node, width, "width"), self._read_pixels(node, height, "height")
            if start and "LoadImage" in node.kind:
                self.unmatched.add(STARTS_FROM)
                self.starts_from_image = True
                break
            self._name_nodes([node] if "Upscale" in node.kind else [])
        return None, None

    def _read_pixels(self, node: Node, name: str, said: str) -> int | None:
        return self.unmatched.check_count(said, self.graph.find_value(node.inputs.get(name), name, said))

    def _read_strength(self) -> float | None:
        """Return how much of an image was changed; a second pass over an image of the graph itself is named."""
        denoise = self.sampler.find_value("denoise")
        if self.starts_from_image:
            return self.unmatched.check_strength("denoise", "" if parse_number(denoise) == 1 else denoise)
        self.unmatched.name_value("denoise", "" if parse_number(denoise) == 1 else denoise)
        return None

    def _name_settings(self) -> None:
        for name, key in (("sampler", "sampler_name"), ("scheduler", "scheduler")):
            self.unmatched.name_value(name, self.sampler.find_value(key))
        if self.others:
            self.unmatched.name_value("other samplers before the last", len(self.others))

    def _name_nodes(self, nodes: list[Node]) -> None:
        for node in nodes:
            if not any(plain in node.kind for plain in _PLAIN):
                self.unmatched.name_value("node", node.kind)


def _is_encoder(node: Node) -> bool:
    """Return True if a node makes conditioning of its text, and so has images and seeds for settings."""
    return "encode" in node.kind.casefold() or isinstance(node.inputs.get("clip"), list)


def _find_size_names(node: Node) -> tuple[str, str] | None:
    """Return the inputs of a node that give a latent image's size; `Efficient Loader` has names of its own."""
    if ("latent" in node.kind.lower() or _is_service(node)) and {"width", "height"} <= node.inputs.keys():
        return "width", "height"
    names = "empty_latent_width", "empty_latent_height"
    return names if node.inputs.keys() >= {*names} else None


def _list_loras(node: Node) -> Iterator[tuple[object, object]]:
    """Yield the LoRAs of a loader, ComfyUI's own or rgthree's Power Lora Loader, with their strengths."""
    if name := node.inputs.get("lora_name"):
        yield name, find_first(node, *_STRENGTHS)
    for value in node.inputs.values():
        if isinstance(value, dict) and value.get("on") is True:
            yield value.get("lora"), value.get("strength")

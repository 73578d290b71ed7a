"""The meanings of an endpoint's inputs, told by their names, labels, components and ranges, never by place. Pure.

Each input has at most one meaning, and each meaning one input; only images, masks and rewriting switches may be more.
Of several inputs whose names fit alike none has the meaning: they can be set by their own names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ...errors import InvalidRequest
from ...parameters.table import ROWS
from .signature import CANONICAL, Contract, Input, Signature

IMAGES: Final = frozenset({"image", "imageeditor", "imagemask", "sketchpad", "paint", "gallery"})
"""The components that take images."""

EDITORS: Final = frozenset({"imageeditor", "imagemask", "sketchpad", "paint"})
"""Those of them whose value is an image with layers, which can be a mask."""

_SECRET: Final = re.compile(r"(^|_)(token|secret|password|api_?key|credentials?)$|_token_")
_SIZE: Final = re.compile(r"(?<![0-9])([0-9]{2,5})\s*[x×X*]\s*([0-9]{2,5})(?![0-9])")
_RATIO: Final = re.compile(r"\s*\(?[0-9]{1,3}(\.[0-9]+)?\s*:\s*[0-9]{1,3}(\.[0-9]+)?\b")
_STEPS: Final = re.compile(r"(?<![0-9])([0-9]{1,3})[\s-]*steps?\b", re.IGNORECASE)


def read_size(text: str) -> tuple[int, int] | None:
    """Return the pixels that a choice names: `1152x896 ( 9:7 )`, `1024 × 1024 (Square)`."""
    match = _SIZE.search(text)
    return (int(match[1]), int(match[2])) if match else None


def read_steps(text: str) -> int | None:
    """Return the steps that a choice names: `4-Step`, `Distilled (4 steps)`."""
    match = _STEPS.search(text)
    return int(match[1]) if match else None


def is_secret(name: str) -> bool:
    """Return True if a name says that its value is a secret, which no record may hold."""
    return bool(_SECRET.search(_fold(name)))


def _is_text(one: Input) -> bool:
    return one.kind == "string" and not one.choices and not one.is_list and not is_secret(one.name)


def _is_number(one: Input) -> bool:
    return (one.kind == "number" or _is_text(one)) and not one.choices and not one.is_list


def _is_switch(one: Input) -> bool:
    return one.kind == "boolean"


def _is_image(one: Input) -> bool:
    return one.component in IMAGES


def _is_size_choice(one: Input) -> bool:
    told = [read_size(label) or _RATIO.match(label) for _, label in one.choices]
    return bool(told) and not one.is_list and sum(map(bool, told)) * 2 >= len(told)


def _is_steps_choice(one: Input) -> bool:
    return bool(one.choices) and not one.is_list and all(read_steps(label) for _, label in one.choices)


def _is_strength(one: Input) -> bool:
    ends = [end for end in (one.least, one.most, one.default) if isinstance(end, int | float)]
    return one.kind == "number" and all(0 <= end <= 1 for end in ends)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One meaning: the inputs that can have it, and the patterns of their names and labels, the surest first."""

    meaning: str
    takes: Callable[[Input], bool]
    patterns: tuple[str, ...]
    unless: str = r"$^"

    def rank(self, one: Input) -> tuple[int, int, int] | None:
        """Return how well an input fits, the less the better; None if it does not."""
        if one.meaning or not one.is_scalar or not self.takes(one):
            return None
        for by_label, text in enumerate((_fold(one.name), _fold(one.label))):
            if re.search(self.unless, text):
                continue
            for place, pattern in enumerate(self.patterns):
                if re.search(pattern, text):
                    return by_label, place, len(text)
        return None


_NOT_STEPS: Final = r"prior|decod|refin|hires|upscal|second|warm|cache|max|min|every|skip|offset|interval|start|end"
_NOT_GUIDANCE: Final = r"pag|rescale|refin|prior|decod|image|img|start|end|stop|interval|type|mode|trunc|norm|second"
_REWRITES: Final = (
    r"^(use_|auto_|enable_)?(enhance|rewrite|upsample|extend|expand|refine|improve|magic)r?$",
    r"prompt_?(\w+_)?(upsampl|enhanc|rewrit|refin|expan|exten|improv|magic|polish|optimi|augment)",
    r"(upsampl|enhanc|rewrit|refin|expan|exten|improv|magic|polish|optimi|augment)\w*?_(the_|my_|your_)?prompt",
)

_RULES: Final = (
    _Rule("negative_prompt", _is_text, (r"^neg(ative)?_prompt$", r"(^|_)neg(ative)?(_|$)"), r"style"),
    _Rule("use_negative", _is_switch, (r"(^|_)neg(ative)?(_|$)",)),
    _Rule("random", _is_switch, (r"random\w*_seed", r"seed\w*_random", r"^random(ize)?$")),
    _Rule(
        "seed", _is_number, (r"^seed$", r"(^|_)seed$", r"^seed_"), r"^use_|^random|variation|sub_?seed|lock|increment"
    ),
    _Rule("steps", _is_number, (r"inference_steps?$", r"^(num_)?steps$", r"(^|_)steps?(_|$)"), _NOT_STEPS),
    _Rule("guidance", _is_number, (r"^(guidance|cfg)(_scale)?$", r"(^|_)(guidance|cfg)(_|$)"), _NOT_GUIDANCE),
    _Rule("width", _is_number, (r"^width$", r"(^|_)width$", r"^w$"), r"max|min|crop|tile|line|stroke|brush|border"),
    _Rule("height", _is_number, (r"^height$", r"(^|_)height$", r"^h$"), r"max|min|crop|tile|line|stroke|brush|border"),
    _Rule("size", _is_size_choice, (r"resolution", r"aspect", r"(^|_)(size|dimensions?|ratio)(_|$)", r""), r"upscal"),
    _Rule("steps", _is_steps_choice, (r"steps?", r"")),
    _Rule(
        "prompt",
        _is_text,
        (
            r"^prompt$",
            r"^(text|positive|input|user|edit|editing|image|main|base|your|enter_your)_prompt$",
            r"^(text|instruction|caption|description|query|words)$",
            r"(^|_)prompt(_|$)",
            r"(^|_)(instructions?|description|caption)(_|$)",
        ),
        r"neg(ative)?(_|$)|system|enhanc|upsampl|rewrit|style|prefix|suffix|template|trigger|(_|t)[2-9]$|second|extra",
    ),
)


def _fold(text: str) -> str:
    """Return a name or label as words in lower case with `_` between."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text[:80])
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")


def name_all(contract: Contract, hints: Mapping[str, str] | None = None) -> Contract:
    """Return the Space with the meanings of all its inputs."""
    return replace(contract, endpoints=tuple(name_meanings(one, hints) for one in contract.endpoints))


def name_meanings(signature: Signature, hints: Mapping[str, str] | None = None) -> Signature:
    """Return the endpoint with its inputs' meanings; `hints` has those that a model's file gives, by name."""
    known = hints or {}
    inputs = [replace(one, meaning=known.get(one.name, _name_simple(one, signature))) for one in signature.inputs]
    for rule in _RULES:
        if not any(one.meaning == rule.meaning for one in inputs):
            _set(inputs, _pick(inputs, rule), rule.meaning)
    if not any(one.meaning == "prompt" for one in inputs):
        free = [one for one in inputs if not one.meaning and _is_text(one) and one.is_scalar and not one.is_hidden]
        _set(inputs, free[0] if len(free) == 1 else None, "prompt")
    if any(one.meaning == "image" for one in inputs):
        rule = _Rule(
            "strength", _is_strength, (r"^strength$", r"^denois\w*$", r"^(\w+_)?strength$"), r"lora|control|face"
        )
        _set(inputs, _pick(inputs, rule), "strength")
    return replace(signature, inputs=tuple(map(_drop_unfit, inputs)))


def _name_simple(one: Input, signature: Signature) -> str:
    """Return the meaning of an image or of a switch that rewrites the prompt."""
    words = f"{_fold(one.name)} {_fold(one.label)}"
    if one.is_filled:
        return ""
    if _is_image(one):
        if one.component == "gallery" and any(one.number == output.number for output in signature.outputs):
            return "history"
        return "mask" if re.search(r"(^|[_ ])mask", words) and one.component not in EDITORS else "image"
    rewrites = _is_switch(one) and any(re.search(pattern, part) for part in words.split() for pattern in _REWRITES)
    return "rewrite" if rewrites and "neg" not in words else ""


def _pick(inputs: Iterable[Input], rule: _Rule) -> Input | None:
    """Return the input that fits best; None if none does, or several alike."""
    ranked = sorted(((rank, one.name, one) for one in inputs if (rank := rule.rank(one))), key=lambda row: row[:2])
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
        return None
    return ranked[0][2] if ranked else None


def _set(inputs: list[Input], chosen: Input | None, meaning: str) -> None:
    if chosen is not None:
        inputs[inputs.index(chosen)] = replace(chosen, meaning=meaning)


def _drop_unfit(one: Input) -> Input:
    """Return the input without a meaning of the table whose row refuses the input's own default, such as -1 steps."""
    if one.meaning not in CANONICAL or one.meaning == "seed" or one.choices or one.required or one.default is None:
        return one
    try:
        ROWS[one.meaning].check(to_number(one.default) if one.meaning != "negative_prompt" else one.default)
    except InvalidRequest:
        return replace(one, meaning="")
    return one


def to_number(value: object) -> object:
    """Return the number that a string is; an integer for 4.0; anything else as it is."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}(\.[0-9]{1,18})?\s*", value):
        value = float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value

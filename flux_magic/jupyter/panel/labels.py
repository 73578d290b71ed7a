"""The labels of a strip's results: each says in what its image differs from the others."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from ...errors import replace_controls
from ...parameters.settings import DEFAULT_MODEL
from ...parameters.table import format_value
from ...providers.registry import SPACE
from ...results.generation import Generation
from ...results.generations import Generations

LONGEST_PROMPT: Final = 40
_LONGEST_VALUE: Final = 24
_LEAST_SHARED: Final = 16
"""A beginning that is shared by all prompts is left out if it has more characters than this."""

Result = Generation | Generations
"""An image, or a sheet of several."""


def format_labels(results: Sequence[Result]) -> list[str]:
    """Return a label for each: `seed 2, steps 4`, below the prompt if that differs; the seed if nothing does."""
    images = [one for one in results if isinstance(one, Generation)]
    facts = {id(one): _list_facts(one) for one in images}
    names = dict.fromkeys(name for one in facts.values() for name in one)
    varied = [name for name in names if len({one.get(name) for one in facts.values()}) > 1] or ["seed"]
    shared = _find_shared([one.prompt for one in images]) if len({one.prompt for one in images}) > 1 else None

    def format_label(one: Result) -> str:
        if isinstance(one, Generations):
            return "\n".join(filter(None, [f"sheet of {len(one)}", " × ".join(axis.name for axis in one.axes)]))
        prompt = "" if shared is None else _shorten(f"{'…' if shared else ''}{one.prompt[shared:]}", LONGEST_PROMPT)
        values = ", ".join(facts[id(one)][name] for name in varied if name in facts[id(one)])
        label = "\n".join(filter(None, [" ".join(prompt.split()), values]))
        return replace_controls(label or facts[id(one)]["seed"])

    return [format_label(one) for one in results]


def _list_facts(image: Generation) -> dict[str, str]:
    """Return what made an image, in words, by name: of what was left to the model only what is known."""
    record = image.record
    model = record.requested_model or DEFAULT_MODEL
    values = {"steps": image.steps, **record.requested_parameters}
    named = {
        name: f"{name.replace('_', ' ')} {format_value(value)}" for name, value in values.items() if value is not None
    }
    seed = f"seed {'unknown' if image.seed is None else image.seed}"
    facts = {"seed": seed, **named, "size": f"{image.width}×{image.height}", "model": model}
    facts["provider"] = record.requested_provider or SPACE
    return {name: _shorten(fact, len(name) + _LONGEST_VALUE) for name, fact in facts.items()}


def _find_shared(prompts: Sequence[str]) -> int:
    """Return the length of the words with which all prompts begin; 0 for a few."""
    first, last = min(prompts), max(prompts)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    shared = "".join(one for one, _ in same).rfind(" ") + 1
    return shared if shared > _LEAST_SHARED else 0


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"

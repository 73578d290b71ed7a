"""The models there are, as rows to look at."""

from __future__ import annotations

from dataclasses import dataclass

from . import PROVIDERS
from .gradio.provider import GradioProvider


@dataclass(frozen=True, slots=True)
class Model:
    """One model: what `model=` and `--model` take, and where it runs.

    Attributes:
        name: its own name, which records have.
        aliases: other names for it.
        space: the Space that makes its images: a Hugging Face id, or a URL.
    """

    name: str
    aliases: tuple[str, ...]
    space: str


def list_models() -> list[Model]:
    """Return the models there are, each with its names and its Space; asks no Space.

    Example::

        >>> flux_magic.list_models()[0].aliases
        ('flux-schnell', 'flux')
    """
    return [model for provider in PROVIDERS for model in _models_of(provider)]


def _models_of(provider: type[GradioProvider]) -> list[Model]:
    names: dict[str, list[str]] = {}
    for name in provider.names():
        names.setdefault(provider.get_model(name), []).append(name)
    return [
        Model(name, tuple(other for other in others if other != name), provider.own_space())
        for name, others in names.items()
    ]

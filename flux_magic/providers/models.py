"""The models there are, as rows to look at."""

from __future__ import annotations

from dataclasses import dataclass

from . import list_providers
from .base import Provider


@dataclass(frozen=True, slots=True)
class Model:
    """One model: what `model=` and `--model` take, and where it runs.

    Attributes:
        name: its own name, which records have.
        aliases: other names for it.
        space: the Space that makes its images: a Hugging Face id, or a URL; empty if no Space does.
        licence: of its weights, in words; empty if it is not known.
    """

    name: str
    aliases: tuple[str, ...]
    space: str
    licence: str = ""


def list_models() -> list[Model]:
    """Return the models there are, each with its names and its Space; asks no Space.

    Example::

        >>> flux_magic.list_models()[0].aliases
        ('flux-schnell', 'flux')
    """
    return [model for provider in list_providers() for model in _list_models(provider)]


def _list_models(provider: type[Provider]) -> list[Model]:
    names: dict[str, list[str]] = {}
    for name in provider.names():
        names.setdefault(provider.get_model(name), []).append(name)
    return [
        Model(name, tuple(other for other in others if other != name), provider.own_space(), provider.licence)
        for name, others in names.items()
    ]

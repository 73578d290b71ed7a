"""The providers there are, by the names of their models."""

from __future__ import annotations

from .base import unknown_model
from .flux1_schnell import BlackForestLabs_Flux1Schnell
from .gradio.provider import GradioProvider

PROVIDERS: tuple[type[GradioProvider], ...] = (BlackForestLabs_Flux1Schnell,)
"""The registry. The first is the one for an empty model."""


def get_provider(model: str = "") -> type[GradioProvider]:
    """The provider that has a model of this name or alias; raises InvalidRequest where none has."""
    for provider in PROVIDERS:
        if not model or model in provider.names():
            return provider
    raise unknown_model(model, model_names())


def model_names() -> list[str]:
    """Every name that `get_provider` takes."""
    return [name for provider in PROVIDERS for name in provider.names()]


__all__ = ["PROVIDERS", "BlackForestLabs_Flux1Schnell", "GradioProvider", "get_provider", "model_names"]

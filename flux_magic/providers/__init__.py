"""Providers of images: the calls that find and register them."""

from __future__ import annotations

from .flux1_schnell import BlackForestLabs_Flux1Schnell
from .gradio.provider import GradioProvider
from .registry import (
    PROVIDERS,
    get_provider,
    list_model_names,
    list_providers,
    register_provider,
    unregister_provider,
)

__all__ = [
    "PROVIDERS",
    "BlackForestLabs_Flux1Schnell",
    "GradioProvider",
    "get_provider",
    "list_model_names",
    "list_providers",
    "register_provider",
    "unregister_provider",
]

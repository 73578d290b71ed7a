"""Any Gradio Space that makes images and that no file of ours names: it describes itself."""

from __future__ import annotations

from ...types import ANY_SPACE
from .provider import GradioProvider


class AnySpace(GradioProvider):
    """A Space of which nothing is known but what it says of itself.

    It is in no list of models: `--space owner/name` alone asks it. Its replay keys have the names of FLUX.1-schnell,
    since those of version 1 have them.
    """

    label = ANY_SPACE
    key_label = "BlackForestLabs Flux-1-Schnell"
    key_model = "black-forest-labs-flux-1-schnell"

    @classmethod
    def names(cls) -> list[str]:
        return []

    @classmethod
    def takes_space(cls) -> bool:
        return True

    @classmethod
    def get_model(cls, model: str) -> str:  # noqa: ARG003 - it has one, whose name the Hub may know
        return ""

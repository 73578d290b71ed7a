"""The public Space of FLUX.1-dev, by Black Forest Labs."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class Flux1Dev(GradioProvider):
    """FLUX.1-dev on Hugging Face. It shows each step as a preview.

    Endpoint and inputs: forks and ports of its application. Not seen live.
    """

    label = "FLUX.1-dev"
    space = "black-forest-labs/FLUX.1-dev"
    endpoint = "infer"
    licence = "FLUX.1 [dev] Non-Commercial License"
    default_model = "black-forest-labs/FLUX.1-dev"
    model_aliases: ClassVar[dict[str, str]] = {"flux-dev": default_model}

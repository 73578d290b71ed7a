"""The public Space of FLUX.1-Kontext-dev, by Black Forest Labs."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class Flux1KontextDev(GradioProvider):
    """FLUX.1-Kontext-dev on Hugging Face: it edits one image, whose size the result has.

    Endpoint and inputs: a copy of its application, and public programs that call it. Not seen live.
    """

    label = "FLUX.1-Kontext-dev"
    space = "black-forest-labs/FLUX.1-Kontext-Dev"
    endpoint = "infer"
    licence = "FLUX.1 [dev] Non-Commercial License"
    default_model = "black-forest-labs/FLUX.1-Kontext-dev"
    model_aliases: ClassVar[dict[str, str]] = {"kontext": default_model}

"""The public Space of FLUX.2-dev, by Black Forest Labs."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class Flux2Dev(GradioProvider):
    """FLUX.2-dev on Hugging Face: it draws, and edits several images. By default it rewrites the prompt.

    Endpoint and inputs: a copy of its application, and public programs that call it. Not seen live.
    """

    label = "FLUX.2-dev"
    space = "black-forest-labs/FLUX.2-dev"
    endpoint = "infer"
    licence = "FLUX [dev] Non-Commercial License"
    default_model = "black-forest-labs/FLUX.2-dev"
    model_aliases: ClassVar[dict[str, str]] = {"flux2": default_model}

"""The public Space of Stable Diffusion 3.5 large, by Stability AI."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class StableDiffusion35Large(GradioProvider):
    """Stable Diffusion 3.5 large on Hugging Face.

    Endpoint and inputs: a copy of its application, and public programs that call it. Not seen live.
    """

    label = "Stable Diffusion 3.5 large"
    space = "stabilityai/stable-diffusion-3.5-large"
    endpoint = "infer"
    licence = "Stability AI Community License"
    default_model = "stabilityai/stable-diffusion-3.5-large"
    model_aliases: ClassVar[dict[str, str]] = {"sd3.5": default_model}

"""The public Space of FLUX.1-schnell, by Black Forest Labs."""

from __future__ import annotations

from typing import ClassVar

from .gradio.provider import GradioProvider


class BlackForestLabs_Flux1Schnell(GradioProvider):  # noqa: N801 - the name that the original gave it
    """FLUX.1-schnell on Hugging Face, after g4f's provider of this name.

    Endpoint and bounds: https://huggingface.co/spaces/black-forest-labs/FLUX.1-schnell
    """

    label = "BlackForestLabs Flux-1-Schnell"
    url = "https://black-forest-labs-flux-1-schnell.hf.space"
    api_endpoint = "https://black-forest-labs-flux-1-schnell.hf.space/call/infer"
    space = "black-forest-labs/FLUX.1-schnell"
    licence = "Apache-2.0"
    working = True

    default_model = "black-forest-labs-flux-1-schnell"
    default_image_model = default_model
    model_aliases: ClassVar[dict[str, str]] = {"flux-schnell": default_image_model, "flux": default_image_model}
    image_models: ClassVar[list[str]] = list(model_aliases)
    models = image_models

    defaults: ClassVar[dict[str, int]] = {"steps": 2, "width": 768, "height": 768}
    parameters: ClassVar[dict[str, str]] = {
        "prompt": "prompt",
        "seed": "seed",
        "randomize_seed": "randomize_seed",
        "width": "sent_width",
        "height": "sent_height",
        "num_inference_steps": "steps",
    }

"""The public Spaces of FLUX.2-klein, by Black Forest Labs."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class Flux2Klein4B(GradioProvider):
    """FLUX.2-klein 4B on Hugging Face. Its `mode_choice` sets neither steps nor guidance: give both with it.

    Endpoint and inputs: public programs that call it. Not seen live.
    """

    label = "FLUX.2-klein-4B"
    space = "black-forest-labs/FLUX.2-klein-4B"
    endpoint = "infer"
    licence = "Apache-2.0"
    default_model = "black-forest-labs/FLUX.2-klein-4B"
    model_aliases: ClassVar[dict[str, str]] = {"klein": default_model}


class Flux2Klein9B(GradioProvider):
    """FLUX.2-klein 9B on Hugging Face, as the smaller one.

    Endpoint and inputs: public programs that call it. Not seen live.
    """

    label = "FLUX.2-klein-9B"
    space = "black-forest-labs/FLUX.2-klein-9B"
    endpoint = "generate"
    licence = "FLUX [dev] Non-Commercial License"
    default_model = "black-forest-labs/FLUX.2-klein-9B"
    model_aliases: ClassVar[dict[str, str]] = {"klein-9b": default_model}

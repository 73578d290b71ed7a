"""The public Space of FLUX.1-Krea-dev, by Black Forest Labs and Krea."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class Flux1KreaDev(GradioProvider):
    """FLUX.1-Krea-dev on Hugging Face, for photographs that do not look generated.

    Endpoint and inputs: public programs that call it. Not seen live.
    """

    label = "FLUX.1-Krea-dev"
    space = "black-forest-labs/FLUX.1-Krea-dev"
    endpoint = "infer"
    licence = "FLUX.1 [dev] Non-Commercial License"
    default_model = "black-forest-labs/FLUX.1-Krea-dev"
    model_aliases: ClassVar[dict[str, str]] = {"krea": default_model}

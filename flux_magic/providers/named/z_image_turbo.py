"""The public Space of Z-Image-Turbo, by Alibaba."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class ZImageTurbo(GradioProvider):
    """Z-Image-Turbo on Hugging Face. Its gallery shows the newest image first.

    Endpoint and inputs: copies of its application, and public programs that call it. Not seen live.
    """

    label = "Z-Image-Turbo"
    space = "Tongyi-MAI/Z-Image-Turbo"
    endpoint = "generate"
    licence = "Apache-2.0"
    default_model = "Tongyi-MAI/Z-Image-Turbo"
    model_aliases: ClassVar[dict[str, str]] = {"z-image": default_model}

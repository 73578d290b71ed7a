"""The public Space of Qwen-Image-Edit, by Alibaba."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class QwenImageEdit(GradioProvider):
    """Qwen-Image-Edit on Hugging Face: it edits one image. By default it rewrites the prompt.

    Endpoint and inputs: its makers' example in https://github.com/QwenLM/Qwen-Image, and public programs that call
    it. Not seen live.
    """

    label = "Qwen-Image-Edit"
    space = "Qwen/Qwen-Image-Edit"
    endpoint = "infer"
    licence = "Apache-2.0"
    default_model = "Qwen/Qwen-Image-Edit"
    model_aliases: ClassVar[dict[str, str]] = {"qwen-edit": default_model}

"""The public Space of Qwen-Image, by Alibaba."""

from __future__ import annotations

from typing import ClassVar

from ..gradio.provider import GradioProvider


class QwenImage(GradioProvider):
    """Qwen-Image on Hugging Face. By default it rewrites the prompt.

    Endpoint and inputs: public programs that call it; the sizes are those of its makers' example. Not seen live.
    """

    label = "Qwen-Image"
    space = "Qwen/Qwen-Image"
    endpoint = "infer"
    licence = "Apache-2.0"
    default_model = "Qwen/Qwen-Image"
    model_aliases: ClassVar[dict[str, str]] = {"qwen": default_model}
    sizes: ClassVar[dict[str, tuple[int, int]]] = {
        "1:1": (1328, 1328),
        "16:9": (1664, 928),
        "9:16": (928, 1664),
        "4:3": (1472, 1104),
        "3:4": (1104, 1472),
        "3:2": (1584, 1056),
        "2:3": (1056, 1584),
    }

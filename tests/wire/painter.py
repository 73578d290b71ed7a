"""A second provider, as a newcomer would write it."""

from __future__ import annotations

from typing import ClassVar

from flux_magic.providers import GradioProvider


class Painter(GradioProvider):
    """The Space of `painter_app.py`; a test gives its address."""

    label = "Painter"
    url = "http://painter.example"
    api_endpoint = "http://painter.example/call/paint"
    default_model = "painter-1"
    model_aliases: ClassVar[dict[str, str]] = {"painter": default_model}
    parameters: ClassVar[dict[str, str]] = {
        "width": "sent_width",
        "height": "sent_height",
        "steps": "steps",
        "words": "prompt",
        "seed": "seed",
    }


class Sketcher(GradioProvider):
    """Another endpoint of it, which returns an image and nothing else."""

    label = "Sketcher"
    url = "http://painter.example"
    api_endpoint = "http://painter.example/call/sketch"
    default_model = "sketcher"
    parameters: ClassVar[dict[str, str]] = {"words": "prompt"}
    constants: ClassVar[dict[str, object]] = {"strength": 9}

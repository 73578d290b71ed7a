"""A tiny text-to-image model as a folder that diffusers loads: `flux_magic_tiny.MODEL`.

With flux_magic installed, `%%flux --provider diffusers --model tiny` makes its images. Without it:

    pipe = diffusers.FluxPipeline.from_pretrained(flux_magic_tiny.MODEL)

README.md says what it was trained on, which words it knows, and how it is called.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["MODEL"]

MODEL: Path = Path(__file__).parent / "model"
"""The folder of the model, as `save_pretrained` writes it: half-precision safetensors."""

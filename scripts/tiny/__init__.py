"""A tiny text-to-image model of FLUX's architecture, trained on drawings of our own: `python -m scripts.tiny all`."""

"""Hugging Face's Inference Providers as an engine, through `huggingface_hub`, which is loaded when an image is made."""

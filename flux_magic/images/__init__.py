"""Bytes and pixels of images: formats, digests, encodings, metadata."""

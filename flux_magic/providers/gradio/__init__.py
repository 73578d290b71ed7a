"""Gradio Spaces as providers."""

"""The local Space: a real Gradio app that stands in for the public one. It runs alone; no one imports it."""

"""Pipelines of the library diffusers on this machine's own GPU: `--provider diffusers`."""

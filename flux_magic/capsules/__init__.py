"""Capsules: a notebook with all that reproduces it in one zip file, and the check of one on another machine."""

"""Generations, their display in a notebook, their history, and the way back from an image to its cell."""

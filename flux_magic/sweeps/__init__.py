"""Sweeps: axes that multiply, the requests of their combinations, and the sheet of their images."""

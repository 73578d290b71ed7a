"""The tiny model with random weights, saved by the training's own code."""

from __future__ import annotations

from pathlib import Path

import torch

from scripts.tiny.autoencoder import make_autoencoder
from scripts.tiny.flow import Painter, save_pipeline
from scripts.tiny.room import Room


def save_random(folder: Path) -> Path:
    """Save the pipeline as a run of training would, and return the model's folder."""
    torch.manual_seed(0)
    painter = Painter()
    for module in painter.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, std=0.1)  # a block that begins as the identity heeds no prompt
    painter.text.look_ahead()
    room = Room(folder)
    room.save_checkpoint("autoencoder", {"averages": make_autoencoder().state_dict()})
    room.save_checkpoint("flow", {"averages": painter.state_dict(), "scale": 1.0})
    return save_pipeline(room)

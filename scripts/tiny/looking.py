"""A classifier for the measurements: subject, colour, time and season; and a distance by its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody names it
from torch import nn

from scripts.tiny.autoencoder import to_tensor
from scripts.tiny.drawings import draw_scene
from scripts.tiny.room import Room, Training, fall, seed_all
from scripts.tiny.scenes import COLOURS, SEASONS, SUBJECTS, TIMES, Scene, make_scene

HEADS: Final[dict[str, Sequence[str]]] = {
    "subject": list(SUBJECTS),
    "colour": COLOURS,
    "time": TIMES,
    "season": SEASONS,
}
STEPS: Final = 1000
BATCH: Final = 32
RATE: Final = 3e-3
FEATURES: Final = 96


class Classifier(nn.Module):
    """A small convolutional network; each head names one thing that a caption can say."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(((3, 16), (16, 32), (32, 64), (64, FEATURES))):
            layers += [nn.Conv2d(before, after, 5 if number == 0 else 3, stride=2, padding=2 if number == 0 else 1)]
            layers += [
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleDict({name: nn.Linear(2 * FEATURES, len(values)) for name, values in HEADS.items()})

    def look(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features of images of 128 by 128 from -1 to 1."""
        seen: torch.Tensor = self.body(images)
        return torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the scores of each head."""
        seen = self.look(images)
        return {name: head(seen) for name, head in self.heads.items()}


def draw_for_looking(seed: int, number: int) -> tuple[torch.Tensor, list[Scene]]:
    """Return drawings of both kinds: those to train a model on, and every fourth of what is kept out."""
    scenes = [make_scene(seed + one, held_out=one % 4 == 0) for one in range(number)]
    return torch.stack([to_tensor(draw_scene(scene)) for scene in scenes]), scenes


def train_classifier(room: Room) -> None:
    """Train the classifier on drawings, some of them softened or with noise, as a model's images are."""
    steps = room.scale(STEPS, 20)
    seed_all(3)
    model = Classifier().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-3)
    training = Training(room, "classifier", model, [optimizer], steps)
    for step in range(training.start, steps):
        images, scenes = draw_for_looking(20_000_000 + step * BATCH, BATCH)
        softened = F.avg_pool2d(images, 3, 1, 1)
        share = torch.rand(BATCH, 1, 1, 1).clamp(min=0.4).sub(0.4).div(0.6)
        images = images + (softened - images) * share + torch.randn_like(images) * 0.08 * torch.rand(BATCH, 1, 1, 1)
        scores = model(images.contiguous(memory_format=torch.channels_last))
        loss = torch.zeros(())
        for name, values in HEADS.items():
            wanted = torch.tensor([values.index(getattr(scene, name)) for scene in scenes])
            loss = loss + F.cross_entropy(scores[name], wanted, label_smoothing=0.02)
        training.learn(step, loss, fall(step, steps, 100))
    images, scenes = draw_for_looking(30_000_000, room.scale(1000, 64))
    shares = measure_shares(open_classifier(room), images, scenes)
    room.write_json("classifier.json", shares)
    room.say(f"classifier, right on {len(scenes)} drawings it was not trained on: {shares}")


def open_classifier(room: Room) -> Classifier:
    """Return the trained classifier. Raises FileNotFoundError if none was trained."""
    state = room.find_checkpoint("classifier")
    if state is None:
        raise FileNotFoundError(f"no classifier in {room.folder}: train it first")
    model: Classifier = Classifier()
    model.load_state_dict(state["averages"])
    model.eval().requires_grad_(False)
    return model


@torch.no_grad()
def name_all(model: Classifier, images: torch.Tensor) -> dict[str, list[str]]:
    """Return what the classifier sees in each image, by head."""
    scores = [model(part) for part in images.split(64)]
    return {
        name: [values[number] for part in scores for number in part[name].argmax(1).tolist()]
        for name, values in HEADS.items()
    }


def measure_shares(model: Classifier, images: torch.Tensor, scenes: Sequence[Scene]) -> Mapping[str, float]:
    """Return the share of images, 0 to 1, in which each head sees what the scene has."""
    seen = name_all(model, images)
    return {
        name: round(
            float(np.mean([one == getattr(scene, name) for one, scene in zip(seen[name], scenes, strict=True)])), 4
        )
        for name in HEADS
    }


@torch.no_grad()
def look_all(model: Classifier, images: torch.Tensor) -> np.ndarray:
    """Return the features of images, a row each."""
    made: np.ndarray = torch.cat([model.look(part) for part in images.split(64)]).double().numpy()
    return made


def measure_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Fréchet distance between two sets of features.

    Example:
        >>> measure_distance(np.eye(4), np.eye(4))
        0.0
    """
    means = one.mean(0) - other.mean(0)
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    return round(float(means @ means + np.trace(first) + np.trace(second) - 2 * shared), 4)

"""The folder of a run: its settings by size, its log, and checkpoints that survive an interruption."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

SAVE_EVERY: Final = 120.0
"""Seconds between two checkpoints."""


@dataclass(frozen=True, slots=True)
class Room:
    """The folder of a run, and how much is done in it: all, or little for a check that all parts work.

    Attributes:
        folder: where checkpoints, latents, figures and the model are written.
        part: the share of the work, 1.0 or less.
        threads: torch's threads; one is quickest beside other work, as threads wait for each other.
    """

    folder: Path
    part: float = 1.0
    threads: int = 1

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(self.threads)

    def scale(self, number: int, least: int = 1) -> int:
        """Return a number of steps or scenes, by the share of the work."""
        return max(least, round(number * self.part))

    def say(self, words: str) -> None:
        """Print a line and append it to the log, with the time."""
        line = f"{time.strftime('%H:%M:%S')} {words}"
        print(line, flush=True)
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write figures to a file of the folder."""
        _replace(self.folder / name, json.dumps(content, indent=2).encode())

    def find_checkpoint(self, name: str) -> dict[str, Any] | None:
        """Return the state that was saved last, or None."""
        file = self.folder / f"{name}.pt"
        return torch.load(file, weights_only=False) if file.is_file() else None

    def save_checkpoint(self, name: str, state: Mapping[str, Any]) -> None:
        """Write a state whole or not at all."""
        part = self.folder / f".{name}.pt.part"
        torch.save(dict(state), part)
        part.replace(self.folder / f"{name}.pt")


def _replace(file: Path, content: bytes) -> None:
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    part.replace(file)


class Averages:
    """Weights that follow those in training, slowly: what is saved and sampled from."""

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def follow(self, module: torch.nn.Module, step: int) -> None:
        """Move towards the module's weights; sooner while training is young."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)


def seed_all(seed: int) -> None:
    """Seed torch and Python."""
    torch.manual_seed(seed)
    random.seed(seed)


def watch_clock(seconds: float = SAVE_EVERY) -> Iterator[bool]:
    """Yield True whenever so many seconds have passed since it last did.

    Example:
        >>> next(watch_clock(60))
        False
    """
    last = time.monotonic()
    while True:
        due = time.monotonic() - last >= seconds
        if due:
            last = time.monotonic()
        yield due

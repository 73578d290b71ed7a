"""The folder of a run: its settings by size, its log, and checkpoints that survive an interruption."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

SAVE_EVERY: Final = 120.0
"""Seconds between two checkpoints."""

DECAY: Final = 0.998
"""The share of the averages that stays with each step."""


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


class Training:
    """A module in training, with its averages; it goes on from its last checkpoint if there is one.

    Attributes:
        start: the first step that is still to be made.
        kept: what is written into the checkpoints beside the training itself.
    """

    def __init__(
        self,
        room: Room,
        name: str,
        module: torch.nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        steps: int,
        **kept: Any,
    ) -> None:
        self.start, self.kept = 0, kept
        self._room, self._name, self._module, self._optimizers, self._steps = room, name, module, optimizers, steps
        self._rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
        self._averages, self._shown, self._saved = Averages(module, DECAY), 0.0, time.monotonic()
        if state := room.find_checkpoint(name):
            module.load_state_dict(state["model"])
            for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self._averages.values, self.start = state["averages"], state["step"]
            torch.set_rng_state(state["rng"])

    def learn(self, step: int, loss: torch.Tensor, share: float) -> None:
        """Make one step down a loss, at a share of the rates; say how it goes, and save at times and at the end."""
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = rate * share
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._module.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        self._averages.follow(self._module, step)
        self._shown += (loss.item() - self._shown) / min(step - self.start + 1, 50)
        if step % 50 == 0:
            self._room.say(f"{self._name} {step}/{self._steps} loss {self._shown:.4f}")
        if step == self._steps - 1 or time.monotonic() - self._saved >= SAVE_EVERY:
            self._save(step + 1)
            self._saved = time.monotonic()

    def _save(self, step: int) -> None:
        state = {
            "model": self._module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "averages": self._averages.values,
            "step": step,
            "rng": torch.get_rng_state(),
        }
        self._room.save_checkpoint(self._name, state | self.kept)


def fall(step: int, steps: int, warm_up: int) -> float:
    """Return the share of a rate that rises over the first steps, then falls by half a cosine to a fiftieth.

    Example:
        >>> fall(0, 1000, 50), fall(50, 1000, 50) > 0.9
        (0.02, True)
    """
    return min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)


def seed_all(seed: int) -> None:
    """Seed torch and Python."""
    torch.manual_seed(seed)
    random.seed(seed)

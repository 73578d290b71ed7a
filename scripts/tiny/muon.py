"""Muon, an optimizer for matrices, in single precision: torch's own computes in bfloat16, slow on a CPU without it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import torch

_ROUNDS: Final = 5
_FACTORS: Final = (3.4445, -4.7750, 2.0315)  # of the iteration's polynomial, as its author chose them


def orthogonalize(matrices: torch.Tensor) -> torch.Tensor:
    """Return matrices of one shape with all singular values near 1, by the Newton-Schulz iteration.

    Example:
        >>> orthogonalize(torch.eye(3)[None] * 5).diagonal(dim1=1, dim2=2).round().tolist()
        [[1.0, 1.0, 1.0]]
    """
    a, b, c = _FACTORS
    is_tall = matrices.shape[1] > matrices.shape[2]
    made = matrices.mT if is_tall else matrices
    made = made / (made.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_ROUNDS):
        square = made @ made.mT
        made = a * made + (b * square + c * square @ square) @ made
    return made.mT if is_tall else made


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are made orthogonal, as large as AdamW's steps are."""

    def __init__(
        self, matrices: Iterable[torch.Tensor], lr: float, momentum: float = 0.95, decay: float = 0.01
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Make one step; the matrices of one shape together. A kernel counts as a matrix with a row for each output."""
        del closure
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.Tensor]] = {}
            for value in group["params"]:
                shapes.setdefault(value.shape, []).append(value)
            for shape, values in shapes.items():
                moves = []
                for value in values:
                    state = self.state[value]
                    if not state:
                        state["speed"] = torch.zeros_like(value)
                    state["speed"].lerp_(value.grad, 1 - group["momentum"])
                    moves.append(value.grad.lerp(state["speed"], group["momentum"]))
                size = 0.2 * max(shape[0], values[0][0].numel()) ** 0.5 * group["lr"]
                for value, move in zip(values, orthogonalize(torch.stack(moves).flatten(2)), strict=True):
                    value.mul_(1 - group["lr"] * group["decay"]).add_(move.view(shape), alpha=-size)

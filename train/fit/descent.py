"""How the small networks of this room learn: batches, noise on landmarks, a falling step."""

from __future__ import annotations

import torch
from torch import Tensor

BATCH = 256
"""Faces, or pairs of them, a step."""

LEARNING_RATE = 1e-3


def jittered(shape: Tensor, size: float) -> Tensor:
    """Shapes (B, 478, 3) with noise of that standard deviation, canonical units."""
    return shape + size * torch.randn_like(shape)


def slow_down(optimiser: torch.optim.Optimizer, step: int, steps: int) -> None:
    """Sets the rate of `step` (of `steps`): it falls linearly, to nearly nothing."""
    for group in optimiser.param_groups:
        group["lr"] = LEARNING_RATE * (1 - step / (1.03 * steps))


def take_step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down the loss' gradient."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()

"""A small network that reads action units from canonical landmarks as the tracker would, with gradients."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retarget.model import action_units
from retarget.model.mesh import LANDMARKS
from retarget.pipeline.stream import Progress

from . import descent
from .descent import LEARNING_RATE, jittered, slow_down, take_step
from .faces import Faces


class Reader(nn.Module):
    """Canonical landmarks (B, 478, 3) -> the action units (B, C) that the tracker would read from them."""

    def __init__(self, shape: Tensor, *, width: int = 256) -> None:
        super().__init__()
        self.register_buffer("mean", shape.mean(0))
        self.register_buffer("spread", shape.std(0) + 1e-3)
        self.layers = nn.Sequential(
            nn.Linear(3 * LANDMARKS, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, action_units.COUNT),
        )  # fmt: skip

    mean: Tensor
    spread: Tensor

    def forward(self, shape: Tensor) -> Tensor:
        units: Tensor = self.layers(((shape - self.mean) / self.spread).flatten(1))
        return units


def fit_reader(faces: Faces, *, steps: int, seed: int = 0, progress: Progress[int]) -> Reader:
    """A reader that has learned the tracker on those faces."""
    torch.manual_seed(seed)
    reader, rng = Reader(faces.shape), np.random.default_rng([seed, 1])
    optimiser = torch.optim.AdamW(reader.parameters(), LEARNING_RATE, weight_decay=1e-3)
    for step in progress(range(steps), "reader", steps):
        slow_down(optimiser, step, steps)
        at = rng.integers(len(faces.rows), size=descent.BATCH)
        loss = F.mse_loss(reader(jittered(faces.shape[at], 0.002)), faces.units[at])
        take_step(optimiser, loss)
    return reader.requires_grad_(False).eval()

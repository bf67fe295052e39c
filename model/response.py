"""What a face does with relative action units beyond the linear model: depends on the face, and saturates.

The same request moves a wide mouth further than a narrow one, and an open mouth otherwise than a closed one; a
brow that is up cannot rise much more. A small network corrects the linear motion by

    N(delta_au, shape) - N(0, shape)

with `shape` the coordinates of the face's own canonical landmarks along the main directions in which faces differ:
exactly nothing for no request. It speaks in the main directions in which faces *move*, so that whatever it says is
the motion of a face, and smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .mesh import LANDMARKS

LARGEST_SHAPE = 2.5
"""Standard deviations: a face further out is taken for one at this distance."""


@dataclass(frozen=True)
class ResponseConfig:
    """What is needed besides the tensors to rebuild a FaceResponse."""

    au_count: int
    shape_count: int = 40
    """Directions in which faces differ."""
    motion_count: int = 64
    """Directions in which they move."""
    width: int = 256


class FaceResponse(nn.Module):
    """(delta_au, canonical landmarks) -> what to add to the linear motion; see `retarget-train fit-response`."""

    shape_mean: Tensor
    shape_basis: Tensor
    shape_spread: Tensor
    motion_basis: Tensor
    motion_spread: Tensor

    def __init__(self, config: ResponseConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("shape_mean", torch.zeros(LANDMARKS, 3))
        self.register_buffer("shape_basis", torch.zeros(config.shape_count, LANDMARKS, 3))
        self.register_buffer("shape_spread", torch.ones(config.shape_count))
        self.register_buffer("motion_basis", torch.zeros(config.motion_count, LANDMARKS, 3))
        self.register_buffer("motion_spread", torch.ones(config.motion_count))
        self.direct = nn.Linear(config.au_count, config.motion_count, bias=False)
        self.enter = nn.Linear(config.au_count + config.shape_count, config.width)
        self.middle = nn.Linear(config.width, config.width)
        self.leave = nn.Linear(config.width, config.motion_count, bias=False)
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.leave.weight)

    def forward(self, delta_au: Tensor, canonical: Tensor, *, dropout: float = 0.0) -> Tensor:
        """(B, 478, 3) canonical units, for delta_au (B, C) and a face's canonical landmarks (B, 478, 3).

        Computed in the type of its inputs. `dropout` (of hidden features, the same ones with and without the
        request) is for training.
        """
        return self.composed(self.coefficients(delta_au, canonical, dropout=dropout))

    def coefficients(self, delta_au: Tensor, canonical: Tensor, *, dropout: float = 0.0) -> Tensor:
        """(B, motion_count): how far along each direction of motion, in its standard deviations."""
        shape = self._shape(canonical)
        dropped = [F.dropout(shape.new_ones(len(shape), self.config.width), dropout) for _ in range(2)]
        asked = self._hidden(delta_au, shape, dropped)
        idle = self._hidden(torch.zeros_like(delta_au), shape, dropped)
        return _linear(self.direct, delta_au) + _linear(self.leave, asked - idle)

    def along(self, motion: Tensor) -> Tensor:
        """(B, motion_count): a motion (B, 478, 3) along the directions of motion, in their standard deviations."""
        return torch.einsum("bpi,kpi->bk", motion, self.motion_basis) / self.motion_spread

    def composed(self, coefficients: Tensor) -> Tensor:
        """(B, 478, 3): the motion with those coefficients (B, motion_count); the inverse of `along`."""
        basis, spread = (t.to(coefficients.dtype) for t in (self.motion_basis, self.motion_spread))
        return torch.einsum("bk,kpi->bpi", spread * coefficients, basis)

    def _shape(self, canonical: Tensor) -> Tensor:
        basis, spread = (t.to(canonical.dtype) for t in (self.shape_basis, self.shape_spread))
        along = torch.einsum("bpi,kpi->bk", canonical - self.shape_mean.to(canonical.dtype), basis) / spread
        return along.clamp(-LARGEST_SHAPE, LARGEST_SHAPE)

    def _hidden(self, delta_au: Tensor, shape: Tensor, dropped: list[Tensor]) -> Tensor:
        first = dropped[0] * F.silu(_linear(self.enter, torch.cat([delta_au, shape], 1)))
        return dropped[1] * F.silu(_linear(self.middle, first))


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer in the type of its input: geometry is computed in double precision, whatever the weights'."""
    bias = None if layer.bias is None else layer.bias.to(x.dtype)
    return F.linear(x, layer.weight.to(x.dtype), bias)

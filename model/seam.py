"""The line between lips that meet: skin on skin has a crease, and a mouth that an edit shuts has none to show.

`points` (B, 478, 2) are the landmarks in pixels, `displacement` (B, 478, 2) is where they go.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from .mesh import MOUTH
from .openings import shutting

DEPTH: Final = (0.36, 0.45, 0.45)
"""How much of red, green and blue is lost in the middle of the line: a crease between lips is a dark red."""

_WIDTH: Final = 0.022
"""Of the line, relative to the mouth's: where half of the darkness is left."""


def lip_seam(points: Tensor, displacement: Tensor, size_px: int) -> Tensor | None:
    """(B, 3, S, S) in [0, DEPTH], by colour: how much darker the line between lips is that were apart and meet;
    None where none do."""
    shut = shutting(points, displacement)[:, 0]
    if not shut.any():
        return None
    upper, lower = (points[:, list(chain)] + displacement[:, list(chain)] for chain in MOUTH)
    line = (upper + lower) / 2
    width = (line[:, -1] - line[:, 0]).norm(dim=-1).clamp(min=1e-6)
    distance = _distance(line, size_px) / (_WIDTH * width)[:, None, None]
    dark = shut[:, None, None] * torch.exp(-0.7 * distance.square())
    return dark[:, None] * dark.new_tensor(DEPTH)[:, None, None]


def _distance(line: Tensor, size_px: int) -> Tensor:
    """(B, S, S) pixels from each pixel's centre to a line of points (B, n, 2); far away from it only roughly."""
    at = torch.arange(size_px, device=line.device, dtype=line.dtype) + 0.5
    nearest = line.new_full((line.shape[0], size_px, size_px), float("inf"))
    for start, end in zip(line[:, :-1].unbind(1), line[:, 1:].unbind(1), strict=True):
        along = end - start
        x, y = at[None, None, :] - start[:, 0, None, None], at[None, :, None] - start[:, 1, None, None]
        ax, ay = along[:, 0, None, None], along[:, 1, None, None]
        share = ((x * ax + y * ay) / (ax * ax + ay * ay + 1e-9)).clamp(0, 1)
        nearest = torch.minimum(nearest, (x - share * ax).square() + (y - share * ay).square())
    return nearest.sqrt()

"""The face's visible outline: what the ring around the face hangs on, also where the mesh's own edge is hidden.

On a head that turns, the mesh's edge goes behind the cheek. What lies beside the face in the picture must then
move with the cheek, and not with what is behind it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .mesh import CHIN, FACE_OVAL, FOREHEAD

_SECTOR_DEGREES = 8.0
"""How far to either side of a direction a landmark may lie to be the outermost one there."""

_INNERMOST = 0.4
"""Of the way from the middle of the face to its edge: what lies further in is never the outline."""

_SHARPNESS = 250.0
"""Per height of the face: landmarks compete for being the outermost, and those within some hundredth share it, so
that the outline glides as the head turns."""


@dataclass(frozen=True, eq=False)
class OutlineChains:
    """For each of the mesh's edge landmarks, those that can stand before it."""

    candidates: Tensor
    """(36, K) int64 landmarks, the edge's own among them; filled up with it."""
    is_spare: Tensor
    """(36, K) bool: where it is only filled up."""
    direction: Tensor
    """(36, 2) canonical, of unit length: which way is out."""


def outline_chains(mean_shape: Tensor) -> OutlineChains:
    """From the canonical mean shape (478, 3)."""
    points = mean_shape[:, :2]
    edge = points[list(FACE_OVAL)]
    middle = (edge.amin(0) + edge.amax(0)) / 2
    arm, edge_arm = points - middle, edge - middle
    direction = torch.nn.functional.normalize(edge_arm, dim=1)
    along, across = arm @ direction.T, arm[:, :1] * direction[:, 1] - arm[:, 1:] * direction[:, 0]
    is_near = (across.abs() <= math.tan(math.radians(_SECTOR_DEGREES)) * along) & (
        along >= _INNERMOST * edge_arm.norm(dim=1)
    )
    is_near[list(FACE_OVAL)] = torch.eye(len(FACE_OVAL), dtype=torch.bool, device=points.device)
    count = int(is_near.sum(0).max())
    order = is_near.T.int().argsort(dim=1, descending=True, stable=True)[:, :count]
    is_spare = ~is_near.T.gather(1, order)
    own = torch.tensor(FACE_OVAL, device=points.device)[:, None]
    return OutlineChains(torch.where(is_spare, own, order), is_spare, direction)


def outline(points: Tensor, displacement: Tensor, chains: OutlineChains) -> tuple[Tensor, Tensor]:
    """((B, 36, 2), (B, 36, 2)) where the outline lies and where it goes, in pixels, of landmarks `points`
    (B, 478, 2) and their `displacement` (B, 478, 2)."""
    upright = points[:, CHIN] - points[:, FOREHEAD]
    height = upright.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    down = upright / height
    right = torch.stack([down[:, 1], -down[:, 0]], 1)
    direction = chains.direction.to(points.dtype)
    out = direction[:, 0, None] * right[:, None] + direction[:, 1, None] * down[:, None]  # (B, 36, 2)
    near = points[:, chains.candidates]
    reach = (near * out[:, :, None]).sum(-1) * (_SHARPNESS / height[:, :, None])
    share = reach.masked_fill(chains.is_spare, float("-inf")).softmax(-1)[..., None]
    return (share * near).sum(2), (share * displacement[:, chains.candidates]).sum(2)

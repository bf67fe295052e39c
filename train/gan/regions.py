"""The mouth and the eyes of a crop: where losses weigh most, and what the small critics look at."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from retarget.model.mesh import LEFT_EYE, MOUTH, RIGHT_EYE

MOUTH_SIDE, EYE_SIDE = 0.36, 0.20
"""Side of the square around each, as a fraction of the crop: lips with chin and lines; an eye with its lids."""

_SOFT = 0.25
"""Width of the masks' edge, relative to their radius."""


def mouth_crops(picture: Tensor, points: Tensor, size_px: int) -> Tensor:
    """(B, 3, s, s) of pictures (B, 3, S, S) around the mouth of landmarks `points` (B, 478, 2 or 3) crop px."""
    return _sampled(picture, _middle(points, MOUTH), MOUTH_SIDE, size_px)


def eye_crops(picture: Tensor, points: Tensor, size_px: int) -> Tensor:
    """(2B, 3, s, s): the right eyes, then the left eyes mirrored, so that all look like right ones."""
    right = _sampled(picture, _middle(points, RIGHT_EYE), EYE_SIDE, size_px)
    left = _sampled(picture, _middle(points, LEFT_EYE), EYE_SIDE, size_px)
    return torch.cat([right, left.flip(-1)])


def feature_mask(points: Tensor, size_px: int) -> Tensor:
    """(B, 1, S, S) in [0, 1]: mouth and eyes with what moves around them, soft at the edge."""
    pixel = torch.arange(size_px, device=points.device, dtype=points.dtype) + 0.5
    mask = points.new_zeros(len(points), size_px, size_px)
    for opening, side in ((MOUTH, MOUTH_SIDE), (RIGHT_EYE, EYE_SIDE), (LEFT_EYE, EYE_SIDE)):
        middle, radius = _middle(points, opening), side * size_px / 2
        dx, dy = pixel[None, None, :] - middle[:, :1, None], pixel[None, :, None] - middle[:, 1:, None]
        distance = (dx.square() + dy.square()).sqrt() / radius
        mask = torch.maximum(mask, ((1 - distance) / _SOFT).clamp(0, 1))
    return mask[:, None]


def _middle(points: Tensor, opening: tuple[tuple[int, ...], tuple[int, ...]]) -> Tensor:
    """(B, 2)"""
    return points[:, [*opening[0], *opening[1]], :2].mean(1)


def _sampled(picture: Tensor, middle: Tensor, side_fraction: float, size_px: int) -> Tensor:
    """Bilinear; differentiable with respect to the picture."""
    size = picture.shape[-1]
    offset = (torch.arange(size_px, device=picture.device) + 0.5) / size_px - 0.5
    offset = (offset * side_fraction * size).to(middle.dtype)
    x, y = middle[:, :1] + offset, middle[:, 1:] + offset
    shape = (len(middle), size_px, size_px)
    grid = torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], -1) * (2 / size) - 1
    return F.grid_sample(picture, grid.to(picture.dtype), padding_mode="border", align_corners=False)

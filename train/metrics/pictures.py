"""Pictures against pictures: pure functions, each with its unit and range. Pictures are (H, W, 3) uint8 RGB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retarget.model.mesh import LEFT_EYE, OUTER_LIPS, RIGHT_EYE

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CHANGED_LEVELS = 3
"""8-bit levels from which a pixel counts as edited: beyond rounding and a codec's noise."""

SMALLEST_REGION_PX = 64
"""An edited region smaller than this says nothing about sharpness."""


def mean_absolute(one: Picture, other: Picture) -> float:
    """L1 distance of two pictures, in units of full range [0, 1]: the paper's (its L1 and PSNR fit that range)."""
    return float(np.abs(one.astype(np.float64) - other).mean()) / 255


def mean_square(one: Picture, other: Picture) -> float:
    """Mean squared difference of two pictures, in squared units of full range."""
    return float(np.square((one.astype(np.float64) - other) / 255).mean())


def psnr(mean_squared_error: float) -> float:
    """Decibels for an error in squared units of full range; infinite for 0."""
    return float("inf") if mean_squared_error == 0 else -10 * float(np.log10(mean_squared_error))


def ssim(one: Picture, other: Picture) -> float:
    """Structural similarity (Wang et al. 2004) of two pictures, over pixels and channels; 1 for equal ones."""
    from kornia.metrics import ssim as kornia_ssim  # in retarget[train] alone

    pair = [torch.from_numpy(p.astype(np.float32) / 255).permute(2, 0, 1)[None] for p in (one, other)]
    return float(kornia_ssim(*pair, window_size=11, max_val=1.0).mean())


def edited_region(before: Picture, after: Picture) -> Mask:
    """(H, W) pixels that an edit changed by `CHANGED_LEVELS` or more in some channel, and their neighbours."""
    change = np.abs(before.astype(np.int16) - after).max(-1) >= CHANGED_LEVELS
    return dilated(change, 2)


def sharpness_ratio(before: Picture, after: Picture) -> float | None:
    """Gradient strength of the edited picture inside the edited region, relative to the plate's in the same place.

    The root of the ratio of gradient energies, so that an amplitude of detail lost by a tenth gives 0.9. None
    where the region is too small, or the plate is flat there.
    """
    region = edited_region(before, after)
    if region.sum() < SMALLEST_REGION_PX:
        return None
    plate, edit = (_gradient_energy(picture)[region].sum() for picture in (before, after))
    return float(np.sqrt(edit / plate)) if plate > 0 else None


def region_masks(landmarks: Floats, size_px: int) -> dict[str, Mask]:
    """{"mouth", "eyes"} -> (S, S): the hulls of lips and eyes of landmarks (478, 2 or 3) px, with a margin.

    The margin, a twentieth of the side, takes in the skin that folds around them.
    """
    margin = max(1, round(0.05 * size_px))
    eyes = [sorted({*upper, *lower}) for upper, lower in (LEFT_EYE, RIGHT_EYE)]
    mouth = hull_mask(landmarks[list(OUTER_LIPS)], size_px)
    both = hull_mask(landmarks[eyes[0]], size_px) | hull_mask(landmarks[eyes[1]], size_px)
    return {"mouth": dilated(mouth, margin), "eyes": dilated(both, margin)}


def hull_mask(points: Floats, size_px: int) -> Mask:
    """(S, S) pixels whose centre lies in the convex hull of points (n, >= 2), corner-based pixels."""
    hull = cv2.convexHull(np.ascontiguousarray(points[:, :2], np.float32))
    # fillConvexPoly counts from pixel centres; 4 fractional bits.
    fixed = np.round((hull.reshape(-1, 2) - 0.5) * 16).astype(np.int32)
    canvas = np.zeros((size_px, size_px), np.uint8)
    cv2.fillConvexPoly(canvas, fixed, 1, shift=4)
    return canvas.astype(bool)


def dilated(mask: Mask, radius_px: int) -> Mask:
    """The mask and everything within a disc of that radius."""
    side = 2 * radius_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc), np.uint8).astype(bool)


def masked_absolute(one: Picture, other: Picture, mask: Mask) -> float:
    """L1 distance of two pictures inside a mask (H, W), in units of full range; NaN for an empty mask."""
    inside = np.abs(one.astype(np.float64) - other)[mask]
    return float(inside.mean()) / 255 if inside.size else float("nan")


def perceptual_distance(one: Sequence[Tensor], other: Sequence[Tensor], mask: Tensor) -> float:
    """Distance of two pictures' features inside a mask (1, 1, H, W) in {0, 1}; NaN for an empty mask.

    As in LPIPS (Zhang et al. 2018) without its learned weights: features (1, C, h, w) of each level are
    brought to unit length over their channels, squared differences are summed over channels, averaged over the
    mask (averaged down to the level's size) and over the levels. In [0, 4].
    """
    total = 0.0
    for a, b in zip(one, other, strict=True):
        weight = torch.nn.functional.adaptive_avg_pool2d(mask.float(), (a.shape[-2], a.shape[-1]))
        difference = (_unit_length(a) - _unit_length(b)).square().sum(1, keepdim=True)
        total += float((difference * weight).sum() / weight.sum())
    return total / len(one)


def _gradient_energy(picture: Picture) -> NDArray[Any]:
    """(H, W) squared gradient of the luma."""
    luma = picture.astype(np.float64) @ (0.299, 0.587, 0.114)
    down, right = np.gradient(luma)
    return np.asarray(down**2 + right**2)


def _unit_length(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)

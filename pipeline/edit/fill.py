"""A part of a face from another frame, moved to where it is needed and brought into the plate's light."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .parts import HULL_SHIFT, Part, Points, Window
from .records import Fill, FillRequest

_LIGHT = 0.06
"""How smooth the difference in light is, relative to the crop."""

_COARSE = 4

_MOST_GAIN = 1.2
"""More than this is not the light but the skin's folds."""

_RIM = 0.016
"""How soft it ends at the face's silhouette, relative to the crop."""

_SHUT = 0.15
"""Gap over the width up to which an opening counts as shut: lashes and lips lie in it."""

_Picture = NDArray[np.float32]


def filled(
    request: FillRequest,
    window: Window,
    flow: NDArray[np.float32],
    face: NDArray[np.float32],
    plate: _Picture,
    target: NDArray[np.float32],
) -> Fill:
    """What a reference gives.

    Args:
        flow: (side, side, 2) from the window's pixels to the reference's crop, crop pixels.
        face: (side, side) in {0, 1}: where both show the face, and not what lies beside or behind it.
        plate: (side, side, 3) RGB in [0, 1]: the window of the moved plate.
        target: (478, >= 2) crop pixels: where the landmarks go.
    """
    reference = request.reference
    crop_px = reference.picture.shape[0]
    x, y = np.meshgrid(
        np.arange(window.left, window.left + window.side, dtype=np.float32),
        np.arange(window.top, window.top + window.side, dtype=np.float32),
    )
    borrowed = cv2.remap(
        reference.picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    picture = borrowed.astype(np.float32) / 255
    gain = _gain(plate, picture, _skin(request.part, target, window), _LIGHT * crop_px)
    share = np.zeros(flow.shape[:2], np.float32)
    for piece, much in zip(request.part.pieces, request.shares, strict=True):
        share = np.maximum(share, much * piece.mask(target, window, crop_px))
    share *= _inner(face, _RIM * crop_px)
    # Highlights keep theirs: gain would burn teeth out.
    shade = np.asarray((gain - 1) * picture * (1 - picture**4), np.float32)
    return Fill(reference, window, flow, share, shade)


def _inner(face: NDArray[np.float32], rim_px: float) -> NDArray[np.float32]:
    """(side, side) in [0, 1]: 1 in the face, falling to 0 at its silhouette."""
    inside = cv2.erode(face, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(inside, (0, 0), rim_px, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(2 * blurred - 1, 0, 1), np.float32)


def as_shut(part: Part, target: Points, reference: Points) -> Points:
    """Where the landmarks go (478, >= 2), with lips and lids that are shut in the reference (478, >= 2) lying on
    each other as they do there: any further and its lashes would slip under the lid."""
    out = target.copy()
    for piece in part.pieces:
        wanted, seen = (float(piece.gap(points[None])[0]) for points in (target, reference))
        if seen > _SHUT or wanted > seen:
            continue
        upper, lower = (list(chain[1:-1]) for chain in piece.opening)
        ends = [piece.opening[0][0], piece.opening[0][-1]]
        width, here = (np.linalg.norm(np.subtract(*points[ends, :2])) for points in (reference, target))
        apart = (reference[upper, :2] - reference[lower, :2]) * (here / max(float(width), 1e-6))
        middle = (target[upper, :2] + target[lower, :2]) / 2
        out[upper, :2], out[lower, :2] = middle + apart / 2, middle - apart / 2
    return out


def uncovered(residual: NDArray[np.float32], fills: Sequence[Fill]) -> NDArray[np.float32]:
    """What is painted (S, S, 3), as far as nothing is laid over it."""
    if not fills:
        return residual
    out = residual.copy()
    for fill in fills:
        part = fill.window.of(out)
        part *= 1 - fill.share[..., None]
    return out


def _skin(part: Part, target: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """(side, side) 1 where both show skin, which lies as it did: outside of lips and lids."""
    skin = np.full((window.side, window.side), 255, np.uint8)
    for piece in part.pieces:
        cv2.fillPoly(skin, [piece.hull(target, window, growth=1.0)], 0, shift=HULL_SHIFT)
    return np.asarray(skin / 255, np.float32)


def _gain(
    plate: _Picture, borrowed: _Picture, weight: NDArray[np.float32], sigma_px: float
) -> NDArray[np.float32]:
    """(side, side, 3) what makes the borrowed picture as light as the plate, smooth, by colour.

    Compared a quarter as large: what is that smooth needs no more.
    """
    side = weight.shape[0]
    small = (-(-side // _COARSE), -(-side // _COARSE))
    seen = cv2.resize(weight, small, interpolation=cv2.INTER_AREA)
    pictures = (cv2.resize(weight[..., None] * p, small, interpolation=cv2.INTER_AREA) for p in (plate, borrowed))
    own, other = (cv2.GaussianBlur(picture, (0, 0), sigma_px / _COARSE) for picture in pictures)
    least = np.float32(0.02) * cv2.GaussianBlur(seen, (0, 0), sigma_px / _COARSE)[..., None] + np.float32(1e-4)
    gain = np.clip((own + least) / (other + least), 1 / _MOST_GAIN, _MOST_GAIN)
    return np.asarray(cv2.resize(gain, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)

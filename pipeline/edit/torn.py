"""Where motion is torn, as at lips and lids that shut: each side looked up by itself, and the edge between them
fine.

Half way between the motion of an upper lid and that of a lower one lies what the eye showed; a pixel at the edge
must show some of the one and some of the other instead, as much as each covers of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..records import Box

JUMP_PX = 2.0
"""Crop pixels of motion between neighbours from which the motion is torn there and not steep."""

_Field = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Torn:
    """The torn pixels of a part of a plane."""

    where: NDArray[np.intp]
    """(n,) into the flattened part."""
    sides: tuple[_Field, _Field]
    """(n, 2) each: where the pixel comes from on either side, x and y in the plane's pixels."""
    share: _Field
    """(n,) in [0, 1]: how much of the pixel the first side covers."""


def torn_cells(flow: _Field) -> NDArray[np.bool_] | None:
    """(S - 1, S - 1) where the motion (S, S, 2) jumps among four neighbours; None if it is torn nowhere."""
    fields = cv2.split(flow)  # cv2 is much faster on single fields than numpy along a last axis of two
    down = cv2.max(*(cv2.absdiff(field[1:], field[:-1]) for field in fields))
    along = cv2.max(*(cv2.absdiff(field[:, 1:], field[:, :-1]) for field in fields))
    if max(float(down.max()), float(along.max())) <= JUMP_PX:
        return None
    steps = cv2.max(cv2.max(down[:, 1:], down[:, :-1]), cv2.max(along[1:], along[:-1]))
    return np.asarray(steps > JUMP_PX)


def torn_pixels(flow: _Field, cells: NDArray[np.bool_], part: Box, crop_from_part: NDArray[np.float64]) -> Torn:
    """Of a part of a plane, whose pixels `crop_from_part` (2, 3) takes to the crop, both counted from the centre
    of their first pixel.

    The edge runs where the motion's mean over three pixels is half way between its sides, and is as soft as one
    pixel of the plane.
    """
    where, at, cell = _pixels_in(cells, crop_from_part, (part.width, part.height))
    corners = _corners(flow, cell)
    one, other = _farthest_apart(corners)
    apart = other - one
    length2 = (apart**2).sum(1)
    near_x, near_y = (at - cell).T
    weights = np.stack([a * b for a in (1 - near_y, near_y) for b in (1 - near_x, near_x)], 1)
    is_one = ((corners - one[:, None]) * apart[:, None]).sum(2) < 0.5 * length2[:, None]
    mean = (_corners_of_mean(flow, cell) * weights[..., None]).sum(1)
    share = 1 - ((mean - one) * apart).sum(1) / length2
    step = float(np.sqrt(abs(np.linalg.det(crop_from_part[:, :2]))))  # crop pixels a pixel
    share = np.clip((share - 0.5) * (3 / step) + 0.5, 0, 1)
    part_from_crop = np.linalg.inv(crop_from_part[:, :2])
    pixels = np.stack(np.divmod(where, part.width)[::-1], 1) + np.array([part.left, part.top])
    one, other = (
        (pixels + _mean(corners, (weights + 1e-3) * side) @ part_from_crop.T).astype(np.float32)
        for side in (is_one, ~is_one)
    )
    return Torn(where, (one, other), share.astype(np.float32))


def mixed(plane: NDArray[Any], torn: Torn, interpolation: int) -> NDArray[Any]:
    """(n,) what the torn pixels show, of the plane's type."""
    if not len(torn.where):
        return np.empty(0, plane.dtype)
    one, other = (
        cv2.remap(plane, side[:, None], None, interpolation, borderMode=cv2.BORDER_REPLICATE)[:, 0].astype(
            np.float32
        )
        for side in torn.sides
    )
    return np.asarray(np.rint(other + torn.share * (one - other)).astype(plane.dtype))


def _pixels_in(
    cells: NDArray[np.bool_], crop_from_part: NDArray[np.float64], size: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """((n,), (n, 2), (n, 2)) the part's pixels that fall into the cells, where in the crop they lie, and in which
    cell (x, y)."""
    matrix = crop_from_part.copy()
    matrix[:, 2] -= 0.5  # a cell's middle is half a pixel from the centre of its first
    drawn = cells.astype(np.uint8)
    where = np.flatnonzero(cv2.warpAffine(drawn, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP))
    at = np.stack(np.divmod(where, size[0])[::-1], 1) @ crop_from_part[:, :2].T + crop_from_part[:, 2]
    cell = np.clip(np.floor(at).astype(np.intp), 0, cells.shape[0] - 1)
    is_torn = cells[cell[:, 1], cell[:, 0]]  # cv2 rounds otherwise at a cell's edge
    return where[is_torn], at[is_torn], cell[is_torn]


def _corners(field: _Field, cell: NDArray[np.intp]) -> _Field:
    """(n, 4, 2) of a field (S, S, 2) at the four pixels around each cell."""
    return np.stack([field[cell[:, 1] + i, cell[:, 0] + j] for i in (0, 1) for j in (0, 1)], 1)


def _corners_of_mean(field: _Field, cell: NDArray[np.intp]) -> _Field:
    """Likewise of the field's mean over three pixels."""
    if not len(cell):
        return np.empty((0, 4, 2), np.float32)
    low, high = np.maximum(cell.min(0) - 1, 0), cell.max(0) + 3
    near = cv2.blur(np.ascontiguousarray(field[low[1] : high[1], low[0] : high[0]]), (3, 3))
    return _corners(near, cell - low)


def _mean(corners: _Field, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = (corners * weights[..., None]).sum(1) / weights.sum(1)[:, None]
    return mean


def _farthest_apart(corners: _Field) -> tuple[_Field, _Field]:
    """((n, 2), (n, 2)) the two of four motions (n, 4, 2) that differ most."""
    pairs = [(i, j) for i in range(4) for j in range(i)]
    distance = np.stack([((corners[:, i] - corners[:, j]) ** 2).sum(1) for i, j in pairs], 1)
    first, second = np.array(pairs)[distance.argmax(1)].T
    rows = np.arange(len(corners))
    return corners[rows, first], corners[rows, second]

"""The edit put back into the plate, in the plate's own planes and at its own resolution.

Pixels are moved by warping each native plane, so skin keeps its grain and nothing outside the moved region is
ever converted or resampled. What the network paints is added as a difference to the moved pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..faces import chain
from ..records import Box, Frame, VideoInfo
from .fields import Affine, crop_from_part, in_planes, on_part
from .lay import Laid
from .records import FaceEdit
from .torn import Torn, mixed, torn_cells, torn_pixels

MOTION_FLOOR_PX = 0.02
"""Crop pixels of motion below which a pixel counts as unmoved."""

RESIDUAL_FLOOR = 0.5 / 255

SHARE_FLOOR = 1 / 255
"""Of a reference, below which a pixel counts as the plate's."""

BORDER_FRACTION = 0.04
"""Width of the rim of the crop over which an edit fades out, relative to its side."""


@dataclass(frozen=True, eq=False)
class _Motion:
    """Of the part of a plane that lies in the edited rectangle."""

    part: Box
    to_crop: Affine
    """Both counted from the centre of their first pixel."""
    sources: tuple[NDArray[np.float32], NDArray[np.float32]]
    """x and y, (h, w) each, of where every pixel of the part comes from, in the plane's pixels."""
    torn: Torn | None


def blended(frame: Frame, edits: Sequence[FaceEdit], info: VideoInfo) -> Frame:
    """The frame with the edits applied; the very same frame where they change nothing."""
    for edit in edits:
        frame = _apply(frame, _faded(edit), info)
    return frame


def edited_box(edit: FaceEdit, info: VideoInfo) -> Box:
    """The rectangle of coded pixels an edit may touch, aligned to chroma; empty if there is none."""
    fields = [(field, MOTION_FLOOR_PX) for field in cv2.split(edit.flow)]
    if edit.residual is not None:
        fields += [(field, RESIDUAL_FLOOR) for field in cv2.split(edit.residual)]
    changed = np.logical_or.reduce([np.abs(field) > floor for field, floor in fields])
    for fill in edit.fills:
        part = fill.window.of(changed)
        part |= fill.share > SHARE_FLOOR
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if len(rows) == 0:
        return Box(0, 0, 0, 0)
    low, high = (columns[0] - 1, rows[0] - 1), (columns[-1] + 2, rows[-1] + 2)
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float64)
    coded_from_crop = cv2.invertAffineTransform(chain(edit.crop_from_display, info.display_from_coded))
    placed = corners @ coded_from_crop[:, :2].T + coded_from_crop[:, 2]
    pixel_format = info.pixel_format
    step_x, step_y = 1 << pixel_format.chroma_shift_x, 1 << pixel_format.chroma_shift_y
    return Box.around(placed).aligned(step_x, step_y).clipped(info.width, info.height)


def _apply(frame: Frame, edit: FaceEdit, info: VideoInfo) -> Frame:
    box = edited_box(edit, info)
    if box.is_empty:
        return frame
    crop_from_coded = chain(edit.crop_from_display, info.display_from_coded)
    residual = None if edit.residual is None else in_planes(edit.residual, frame.pixel_format, info.color)
    pixel_format, planes = frame.pixel_format, list(frame.planes)
    cells = torn_cells(edit.flow)
    motions: dict[tuple[int, int], _Motion] = {}
    laid = [Laid(fill, frame, info, crop_from_coded) for fill in edit.fills]
    for i in range(pixel_format.color_plane_count):
        shift = pixel_format.plane_shift(i)
        if shift not in motions:  # both chroma planes move alike
            motions[shift] = _motion(edit.flow, cells, box, crop_from_coded, shift)
        motion = motions[shift]
        part = motion.part
        # Subsampled chroma has no detail that a cubic would save.
        moved = _moved(planes[i], motion, pixel_format.depth_bits, is_fine=shift == (0, 0))
        if residual is not None:
            moved = _added(moved, on_part(residual[i], part, motion.to_crop), pixel_format.depth_bits)
        for fill in laid:
            moved = fill.over(moved, i, part)
        planes[i] = planes[i].copy()
        planes[i][part.top : part.bottom, part.left : part.right] = moved
    return frame.with_planes(planes)


def _motion(
    flow: NDArray[np.float32],
    cells: NDArray[np.bool_] | None,
    box: Box,
    crop_from_coded: Affine,
    shift: tuple[int, int],
) -> _Motion:
    """For planes subsampled by `shift`; `cells` are where the flow is torn."""
    part = box.scaled_down(*shift)
    to_crop = crop_from_part(crop_from_coded, shift, part)
    # A displacement only turns and scales; the offset of the affine map does not touch it.
    plane_from_crop = np.linalg.inv(to_crop[:, :2]).astype(np.float32)
    # One by one: cv2 warps two single fields in less time than one of two channels.
    x, y = (on_part(field, part, to_crop) for field in cv2.split(cv2.transform(flow, plane_from_crop)))
    x += np.arange(part.left, part.right, dtype=np.float32)[None, :]
    y += np.arange(part.top, part.bottom, dtype=np.float32)[:, None]
    torn = None if cells is None else torn_pixels(flow, cells, part, to_crop)
    return _Motion(part, to_crop, (x, y), torn)


def _moved(plane: NDArray[Any], motion: _Motion, depth_bits: int, *, is_fine: bool) -> NDArray[Any]:
    """What a part of the plane shows after the motion."""
    interpolation = cv2.INTER_CUBIC if is_fine else cv2.INTER_LINEAR
    moved = cv2.remap(plane, *motion.sources, interpolation, borderMode=cv2.BORDER_REPLICATE)
    if motion.torn is not None:
        moved.ravel()[motion.torn.where] = mixed(plane, motion.torn, interpolation)
    if depth_bits in (8, 16):
        return moved
    # A cubic overshoots at edges; cv2 stops at what the type holds, which 10 bits in uint16 do not fill.
    return np.minimum(moved, moved.dtype.type(2**depth_bits - 1))


def _added(moved: NDArray[Any], difference: NDArray[np.float32], depth_bits: int) -> NDArray[Any]:
    total = np.rint(moved.astype(np.float32) + difference)
    return np.clip(total, 0, 2**depth_bits - 1).astype(moved.dtype)


def _faded(edit: FaceEdit) -> FaceEdit:
    """The edit, gone at the rim of its crop, so that a crop cut off by motion shows no edge."""
    weight = _rim_weight(edit.flow.shape[0])
    residual = None if edit.residual is None else edit.residual * weight
    fills = [replace(fill, share=fill.share * fill.window.of(weight[..., 0])) for fill in edit.fills]
    return FaceEdit(edit.crop_from_display, edit.flow * weight, residual, fills)


@cache
def _rim_weight(size: int) -> NDArray[np.float32]:
    """(S, S, 1) float32: 1 inside, falling to 0 at the rim."""
    rim = max(2.0, BORDER_FRACTION * size)
    inward = np.minimum(np.arange(size), np.arange(size)[::-1]) / rim
    ramp = np.clip(inward, 0, 1).astype(np.float32)
    return (ramp[:, None] * ramp[None, :])[..., None]

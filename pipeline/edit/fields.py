"""Fields that are known at the crop's pixels, looked up at the pixels of native planes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..media import conversion
from ..records import Box, Color, PixelFormat

JUMP_PX = 2.0
"""Crop pixels of motion between neighbours from which the motion is torn there and not steep."""

Affine = NDArray[np.float64]
"""(2, 3)"""


def on_plane(crop_from_coded: Affine, shift: tuple[int, int]) -> Affine:
    """The map to the crop from the pixels of a plane that is subsampled by `shift`."""
    matrix = crop_from_coded.copy()
    matrix[:, 0] *= 1 << shift[0]
    matrix[:, 1] *= 1 << shift[1]
    return matrix


def on_part(
    field: NDArray[np.float32], part: Box, crop_from_plane: Affine, *, interpolation: int = cv2.INTER_LINEAR
) -> NDArray[np.float32]:
    """A crop-sized field (S, S[, k]) looked up at each pixel of a part of a plane; 0 beyond the crop."""
    matrix = crop_from_plane.copy()
    matrix[:, 2] += matrix[:, :2] @ (part.left + 0.5, part.top + 0.5) - 0.5  # cv2 counts centres as whole numbers
    return cv2.warpAffine(
        field,
        matrix,
        (part.width, part.height),
        flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )


def across_jumps(field: NDArray[np.float32], part: Box, crop_from_plane: Affine) -> NDArray[np.float32]:
    """A component of the motion at each pixel of a part: smooth, but torn where the crop's is.

    Where lips or lids shut, neighbouring pixels come from either side of the opening; half way between the two
    lies what it held, teeth or eyeball, as a bright dotted line.
    """
    smooth = on_part(field, part, crop_from_plane)
    torn = on_part(field, part, crop_from_plane, interpolation=cv2.INTER_NEAREST)
    jump = JUMP_PX / float(np.sqrt(abs(np.linalg.det(crop_from_plane[:, :2]))))
    return np.where(np.abs(smooth - torn) > jump / 4, torn, smooth)


def has_jumps(flow: NDArray[np.float32]) -> bool:
    """Whether a motion (S, S, 2) is torn anywhere."""
    steps = (cv2.absdiff(flow[1:], flow[:-1]), cv2.absdiff(flow[:, 1:], flow[:, :-1]))
    return max(float(step.max()) for step in steps) > JUMP_PX


def in_planes(residual: NDArray[np.float32], pixel_format: PixelFormat, color: Color) -> list[NDArray[np.float32]]:
    """An RGB difference (S, S, 3) as a difference in each colour plane's own units."""
    from_rgb = conversion(color, pixel_format).from_rgb[:, :3]
    planes = cv2.transform(np.ascontiguousarray(residual), np.ascontiguousarray(from_rgb))
    return list(cv2.split(planes))

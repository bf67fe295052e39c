"""Fields that are known at the crop's pixels, looked up at the pixels of native planes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..media import conversion
from ..records import Box, Color, PixelFormat
from .torn import JUMP_PX

Affine = NDArray[np.float64]
"""(2, 3)"""


def crop_from_part(crop_from_coded: Affine, shift: tuple[int, int], part: Box) -> Affine:
    """The map to the crop from a part of a plane subsampled by `shift`; both count from the centre of their first
    pixel, as cv2 counts."""
    matrix = crop_from_coded.copy()
    matrix[:, 0] *= 1 << shift[0]
    matrix[:, 1] *= 1 << shift[1]
    matrix[:, 2] += matrix[:, :2] @ (part.left + 0.5, part.top + 0.5) - 0.5
    return matrix


def on_part(
    field: NDArray[np.float32], part: Box, to_crop: Affine, *, interpolation: int = cv2.INTER_LINEAR
) -> NDArray[np.float32]:
    """A crop-sized field (S, S[, k]) looked up at each pixel of a part of a plane; 0 beyond the crop.

    `to_crop` as `crop_from_part` gives it.
    """
    return cv2.warpAffine(
        field,
        to_crop,
        (part.width, part.height),
        flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )


def across_jumps(field: NDArray[np.float32], part: Box, to_crop: Affine) -> NDArray[np.float32]:
    """A component of a motion at each pixel of a part: smooth, but torn where the crop's is."""
    smooth = on_part(field, part, to_crop)
    torn = on_part(field, part, to_crop, interpolation=cv2.INTER_NEAREST)
    jump = JUMP_PX / float(np.sqrt(abs(np.linalg.det(to_crop[:, :2]))))
    return np.where(np.abs(smooth - torn) > jump / 4, torn, smooth)


def in_planes(residual: NDArray[np.float32], pixel_format: PixelFormat, color: Color) -> list[NDArray[np.float32]]:
    """An RGB difference (S, S, 3) as a difference in each colour plane's own units."""
    from_rgb = conversion(color, pixel_format).from_rgb[:, :3]
    planes = cv2.transform(np.ascontiguousarray(residual), np.ascontiguousarray(from_rgb))
    return list(cv2.split(planes))

"""Between native planes and RGB, for the few pixels of a face: never for a whole picture.

Y'CbCr matrices are those of ITU-R BT.601-7, BT.709-6 and BT.2020-2 (non-constant luminance), with the ranges of
ITU-T H.273: at n bits, limited luma is (16..235) * 2^(n-8) and chroma (16..240) * 2^(n-8) around 2^(n-1).
RGB here is what the tags mean for display, gamma-encoded, in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .records import Color, Frame, PixelFormat

LUMA_COEFFICIENTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""(Kr, Kb) of each matrix."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """Affine maps between stacked plane samples (Y, Cb, Cr | G, B, R | gray) and RGB in [0, 1]."""

    to_rgb: NDArray[np.float32]
    """(3, 4): rgb = to_rgb @ (planes, 1)."""
    from_rgb: NDArray[np.float32]
    """(planes, 4): planes = from_rgb @ (rgb, 1)."""


def conversion(color: Color, pixel_format: PixelFormat) -> Conversion:
    """The conversion for frames of that colour and format."""
    return _conversion(color.matrix, color.full_range, pixel_format.family, pixel_format.depth_bits)


@cache
def _conversion(matrix: str, full_range: bool, family: str, depth_bits: int) -> Conversion:
    top = float(2**depth_bits - 1)
    unit = 2.0 ** (depth_bits - 8)
    black, luma_span = (0.0, top) if full_range else (16 * unit, 219 * unit)
    chroma_span = top if full_range else 224 * unit
    if family == "gray":
        one = np.array([[1 / luma_span, -black / luma_span]])
        to_rgb = np.concatenate([np.repeat(one[:, :1], 3, 0), np.repeat(one[:, 1:], 3, 0)], 1)
        from_rgb = np.array([[0.299 * luma_span, 0.587 * luma_span, 0.114 * luma_span, black]])
        return Conversion(to_rgb.astype(np.float32), from_rgb.astype(np.float32))
    if family == "rgb":  # planes are G, B, R
        turn = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float64)
        to_planes = np.c_[turn.T * luma_span, np.full(3, black)]
    else:
        kr, kb = LUMA_COEFFICIENTS[matrix if matrix in LUMA_COEFFICIENTS else "bt709"]
        luma = np.array([kr, 1 - kr - kb, kb])
        blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - kb))
        red = (np.array([1, 0, 0]) - luma) / (2 * (1 - kr))
        middle = 2.0 ** (depth_bits - 1)
        scaled = np.stack([luma * luma_span, blue * chroma_span, red * chroma_span])
        to_planes = np.c_[scaled, [black, middle, middle]]
    inverse = np.linalg.inv(to_planes[:, :3])
    to_rgb = np.c_[inverse, -inverse @ to_planes[:, 3]]
    return Conversion(to_rgb.astype(np.float32), to_planes.astype(np.float32))


def sample_rgb(
    frame: Frame, color: Color, out_from_coded: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB: the frame seen through an affine window.

    Args:
        out_from_coded: (2, 3) maps coded pixels to output pixels, corner-based coordinates both.
        size: (w, h) of the output. Beyond the picture its border is repeated.
    """
    planes = [
        _warp_plane(plane, _on_plane(out_from_coded, *frame.pixel_format.plane_shift(i)), size)
        for i, plane in enumerate(frame.planes[: frame.pixel_format.color_plane_count])
    ]
    to_rgb = conversion(color, frame.pixel_format).to_rgb * 255
    if frame.pixel_format.family == "gray":
        gray = planes[0].astype(np.float32) * to_rgb[0, 0] + to_rgb[0, 1]
        return np.repeat(np.clip(np.rint(gray), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    stacked = cv2.merge([plane.astype(np.float32) for plane in planes])
    return np.asarray(np.clip(np.rint(cv2.transform(stacked, to_rgb)), 0, 255), np.uint8)


def _on_plane(out_from_coded: NDArray[np.float64], shift_x: int, shift_y: int) -> NDArray[np.float64]:
    """The same window for a subsampled plane's own pixels."""
    matrix = out_from_coded.copy()
    matrix[:, 0] *= 2**shift_x
    matrix[:, 1] *= 2**shift_y
    return matrix


def _warp_plane(plane: NDArray[Any], matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[Any]:
    """One plane through the window; shrinking averages first, so that fine texture does not alias."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    factor = 2 ** int(np.floor(np.log2(1 / scale))) if scale < 0.5 else 1
    if factor > 1:
        plane, matrix = _shrunk(plane, matrix, factor, size)
    centred = matrix.copy()  # cv2 counts pixel centres as whole numbers
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(plane, centred, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _shrunk(
    plane: NDArray[Any], matrix: NDArray[np.float64], factor: int, size: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The part of the plane under the window, averaged over factor x factor blocks, and the window on it."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([(0, 0), (size[0], 0), (0, size[1]), size], np.float64) @ inverse[:, :2].T + inverse[:, 2]
    low = np.floor(corners.min(0) / factor).astype(int) * factor
    high = np.ceil(corners.max(0) / factor).astype(int) * factor
    height, width = plane.shape
    left, top = np.clip(low, 0, [max(width - factor, 0), max(height - factor, 0)]) // factor * factor
    right, bottom = np.clip(high, [left + factor, top + factor], [max(width, left + 1), max(height, top + 1)])
    part = np.ascontiguousarray(plane[top:bottom, left:right])
    small = (max(1, -(-part.shape[1] // factor)), max(1, -(-part.shape[0] // factor)))
    scale = np.array([part.shape[1] / small[0], part.shape[0] / small[1]])
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (left, top)
    moved[:, :2] *= scale
    return cv2.resize(part, small, interpolation=cv2.INTER_AREA), moved

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

from ..records import Color, Frame, PixelFormat, Plane

LUMA_COEFFICIENTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""(Kr, Kb) of each matrix."""
NEUTRAL_LEVEL = 118
"""Of 255: 18 % gray, gamma-encoded."""


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

    What is transparent lies over a neutral gray.
    """
    planes = [
        _warp_plane(plane, _on_plane(out_from_coded, *frame.pixel_format.plane_shift(i)), size)
        for i, plane in enumerate(frame.planes[: frame.pixel_format.color_plane_count])
    ]
    rgb = _shown(planes, color, frame.pixel_format)
    if not frame.pixel_format.has_alpha:
        return rgb
    alpha = _warp_plane(frame.planes[-1], out_from_coded, size)
    return over_neutral(rgb, alpha, frame.pixel_format)


def over_neutral(rgb: NDArray[np.uint8], alpha: Plane, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """(h, w, 3) uint8: what is transparent lies over a neutral gray. A face that was cut out has its outline
    there;
    over black, dark hair and a dark ground would be one.

    Args:
        rgb: as decoded, with or without alpha in it as `pixel_format` says.
        alpha: (h, w), of that format's depth.
    """
    share = alpha.astype(np.float32)[..., None] / (2**pixel_format.depth_bits - 1)
    own = rgb if pixel_format.is_premultiplied else rgb * share
    return np.asarray(np.clip(np.rint(own + (1 - share) * NEUTRAL_LEVEL), 0, 255), np.uint8)


def _shown(planes: list[Plane], color: Color, pixel_format: PixelFormat) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB of the planes of colour, all of one size."""
    to_rgb = conversion(color, pixel_format).to_rgb * 255
    if pixel_format.depth_bits == 8 and pixel_format.family != "gray":
        return np.asarray(cv2.transform(cv2.merge(planes), to_rgb), np.uint8)  # rounds and saturates itself
    if pixel_format.family == "gray":
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
    part, corner = _under(plane, matrix, size, factor)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ corner
    moved[:, :2] *= factor
    moved[:, 2] += moved[:, :2] @ (0.5, 0.5) - 0.5  # cv2 counts pixel centres as whole numbers
    # The part has the repeated border in it: cv2 warps in half the time when it need not make one up.
    return cv2.warpAffine(part, moved, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _under(
    plane: NDArray[Any], matrix: NDArray[np.float64], size: tuple[int, int], factor: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """What of the plane lies under the window, averaged over `factor` x `factor` blocks, and where in the plane
    that begins (x, y). Beyond the plane its border is repeated."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([(0, 0), (size[0], 0), (0, size[1]), size], np.float64) @ inverse[:, :2].T + inverse[:, 2]
    blocks = -(-np.array(plane.shape[::-1]) // factor)
    low = np.minimum(np.floor(corners.min(0) / factor).astype(int) - 1, blocks - 1)
    high = np.maximum(np.ceil(corners.max(0) / factor).astype(int) + 1, 1)
    (left, top), (right, bottom) = low.clip(0), np.minimum(high, blocks)
    part = plane[top * factor : bottom * factor, left * factor : right * factor]
    part = _bordered(part, 0, (bottom - top) * factor - part.shape[0], 0, (right - left) * factor - part.shape[1])
    if factor > 1:
        part = cv2.resize(part, (int(right - left), int(bottom - top)), interpolation=cv2.INTER_AREA)
    part = _bordered(part, top - low[1], high[1] - bottom, left - low[0], high[0] - right)
    return np.ascontiguousarray(part), low * factor


def _bordered(part: NDArray[Any], top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
    """The part with its border repeated so many times on each side."""
    if not (top or bottom or left or right):
        return part
    return cv2.copyMakeBorder(part, int(top), int(bottom), int(left), int(right), cv2.BORDER_REPLICATE)

"""A small picture brought into another clip's pixel format, colour and size: for faces, never for whole films.

By floating-point RGB as the tags mean it for display, so that nothing is rounded on the way. Transfer and
primaries are taken as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..records import Color, PixelFormat, Plane
from .color import conversion


def adapted(
    planes: Sequence[Plane],
    source: tuple[PixelFormat, Color],
    target: tuple[PixelFormat, Color],
    size: tuple[int, int],
) -> tuple[Plane, ...]:
    """The planes of a picture in the target's format.

    Args:
        planes: (h, w) each, in the source's format, the first at full size.
        size: (width, height) of the result, at most the source's. Shrunk, and subsampled, by area.

    Returns:
        The target's planes; its alpha, if it has any, is opaque.
    """
    rgb = _rgb(planes, *source)
    if size != (rgb.shape[1], rgb.shape[0]):
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    pixel_format, color = target
    values = cv2.transform(rgb, conversion(color, pixel_format).from_rgb)
    top, out = 2**pixel_format.depth_bits - 1, []
    for i, plane in enumerate(cv2.split(values)):
        wanted = pixel_format.plane_size(i, *size)
        if wanted != size:
            plane = _subsampled(plane, pixel_format.plane_shift(i))
        out.append(np.clip(np.rint(plane), 0, top).astype(pixel_format.dtype))
    if pixel_format.has_alpha:
        out.append(np.full(out[0].shape, top, pixel_format.dtype))
    return tuple(out)


def _rgb(planes: Sequence[Plane], pixel_format: PixelFormat, color: Color) -> NDArray[np.float32]:
    """(h, w, 3) in [0, 1] and, where the matrices so have it, beyond."""
    height, width = planes[0].shape
    full = [_full(plane, pixel_format.plane_shift(i), (width, height)) for i, plane in enumerate(planes)]
    stacked = cv2.merge(full[: pixel_format.color_plane_count])
    return np.asarray(cv2.transform(stacked, conversion(color, pixel_format).to_rgb), np.float32)


def _full(plane: Plane, shift: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float32]:
    """The plane at full size (width, height); its samples lie in the middle of their blocks."""
    values = plane.astype(np.float32)
    if shift == (0, 0):
        return values
    height, width = plane.shape
    wide = cv2.resize(values, (width << shift[0], height << shift[1]), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(wide[: size[1], : size[0]])


def _subsampled(plane: NDArray[np.float32], shift: tuple[int, int]) -> NDArray[np.float32]:
    """The mean of each block; those at an odd edge repeat it."""
    height, width = plane.shape
    blocks_x, blocks_y = -(-width >> shift[0]), -(-height >> shift[1])
    whole = np.pad(plane, ((0, (blocks_y << shift[1]) - height), (0, (blocks_x << shift[0]) - width)), mode="edge")
    return np.asarray(cv2.resize(whole, (blocks_x, blocks_y), interpolation=cv2.INTER_AREA), np.float32)

"""A part of a face from another frame, laid over the plate's native planes: its pixels as they were filmed, in its
own bit depth, resampled once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..records import Box, Frame, VideoInfo
from .fields import Affine, across_jumps, crop_from_part, in_planes, on_part
from .records import Fill
from .torn import torn_cells


@dataclass(frozen=True, eq=False)
class _Place:
    """Where planes of one subsampling take the fill."""

    part: Box
    """Of the plane."""
    to_window: Affine
    share: NDArray[np.float32]
    """(h, w)"""
    sources: tuple[NDArray[np.float32], NDArray[np.float32]]
    """x and y, (h, w) each, in the reference's plane."""


class Laid:
    """A fill, ready for the planes of a frame."""

    def __init__(self, fill: Fill, frame: Frame, info: VideoInfo, crop_from_coded: Affine) -> None:
        self._fill, self._format = fill, frame.pixel_format
        self._window_from_coded = crop_from_coded.copy()
        self._window_from_coded[:, 2] -= (fill.window.left, fill.window.top)
        self._shade = in_planes(fill.shade, frame.pixel_format, info.color)
        self._is_torn = torn_cells(fill.flow) is not None
        self._places: dict[tuple[int, int], _Place | None] = {}

    def over(self, moved: NDArray[Any], index: int, part: Box) -> NDArray[Any]:
        """A plane's part of the picture with the fill over it; `moved` is what was there."""
        shift = self._format.plane_shift(index)
        if shift not in self._places:
            self._places[shift] = self._place(part, shift)
        place = self._places[shift]
        if place is None:
            return moved
        plane = self._fill.reference.frame.planes[index]
        shown = cv2.remap(plane, *place.sources, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        shade = on_part(self._shade[index], place.part, place.to_window)
        inner, out = place.part, moved.copy()
        rows = slice(inner.top - part.top, inner.bottom - part.top)
        columns = slice(inner.left - part.left, inner.right - part.left)
        under = out[rows, columns].astype(np.float32)
        mixed = np.rint(under + place.share * (shown.astype(np.float32) + shade - under))
        out[rows, columns] = np.clip(mixed, 0, 2**self._format.depth_bits - 1).astype(out.dtype)
        return out

    def _place(self, part: Box, shift: tuple[int, int]) -> _Place | None:
        """None where nothing of the fill lies in the part."""
        inner = _under(self._window_from_coded, self._fill.window.side, part, shift)
        if inner.is_empty:
            return None
        to_window = crop_from_part(self._window_from_coded, shift, inner)
        look_up = across_jumps if self._is_torn else on_part
        dx, dy = (look_up(field, inner, to_window) for field in cv2.split(self._fill.flow))
        # From the pixel to the window, to the reference's crop, to its plane.
        column, row = np.meshgrid(np.arange(inner.width), np.arange(inner.height))
        at = _mapped(to_window, column, row)
        window = self._fill.window
        there = _mapped(
            self._fill.reference.coded_from_crop, at[0] + window.left + dx + 0.5, at[1] + window.top + dy + 0.5
        )
        x, y = (value / (1 << step) - 0.5 for value, step in zip(there, shift, strict=True))
        sources = (x.astype(np.float32), y.astype(np.float32))
        return _Place(inner, to_window, on_part(self._fill.share, inner, to_window), sources)


def _mapped(matrix: Affine, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    (a, b, left), (c, d, top) = matrix
    return a * x + b * y + left, c * x + d * y + top


def _under(window_from_coded: Affine, side: int, part: Box, shift: tuple[int, int]) -> Box:
    """The pixels of a plane's part that a window of that side covers."""
    back = cv2.invertAffineTransform(window_from_coded)
    corners = np.array([(0, 0), (side, 0), (side, side), (0, side)], np.float64) @ back[:, :2].T + back[:, 2]
    corners /= (1 << shift[0], 1 << shift[1])
    whole = Box.around(corners)
    return Box(
        max(whole.left, part.left),
        max(whole.top, part.top),
        min(whole.right, part.right),
        min(whole.bottom, part.bottom),
    )

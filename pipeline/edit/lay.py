"""A part of a face from another frame, laid over the plate's native planes: its pixels as they were filmed, in its
own bit depth, resampled once."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..records import Box, Frame, VideoInfo
from .fields import Affine, across_jumps, has_jumps, in_planes, on_part, on_plane
from .records import Fill


class Laid:
    """A fill, ready for the planes of a frame."""

    def __init__(self, fill: Fill, frame: Frame, info: VideoInfo, crop_from_coded: Affine) -> None:
        self._fill, self._depth_bits = fill, frame.pixel_format.depth_bits
        self._window_from_coded = crop_from_coded.copy()
        self._window_from_coded[:, 2] -= (fill.window.left, fill.window.top)
        self._formats = frame.pixel_format
        self._shade = in_planes(fill.shade, frame.pixel_format, info.color)
        self._is_torn = has_jumps(fill.flow)
        self._maps: dict[tuple[int, int], tuple[Box, NDArray[np.float32], NDArray[np.float32], Any]] = {}

    def over(self, moved: NDArray[Any], index: int, part: Box) -> NDArray[Any]:
        """A plane's part of the picture with the fill over it; `moved` is what was there."""
        shift = self._formats.plane_shift(index)
        if shift not in self._maps:
            self._maps[shift] = self._looked_up(part, shift)
        inner, share, (x, y), window_from_plane = self._maps[shift]
        if inner.is_empty:
            return moved
        plane = self._fill.reference.frame.planes[index]
        shown = cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        shown += on_part(self._shade[index], inner, window_from_plane)
        out = moved.copy()
        rows = slice(inner.top - part.top, inner.bottom - part.top)
        columns = slice(inner.left - part.left, inner.right - part.left)
        under = out[rows, columns].astype(np.float32)
        mixed = np.rint(under + share * (shown - under))
        out[rows, columns] = np.clip(mixed, 0, 2**self._depth_bits - 1).astype(out.dtype)
        return out

    def _looked_up(self, part: Box, shift: tuple[int, int]) -> Any:
        """(box, share, (x, y) in the reference's plane, map to the window) for planes subsampled by `shift`."""
        window_from_plane = on_plane(self._window_from_coded, shift)
        inner = _under(window_from_plane, self._fill.window.side, part)
        share = on_part(self._fill.share, inner, window_from_plane) if not inner.is_empty else None
        if share is None:
            return inner, None, (None, None), window_from_plane
        look_up = across_jumps if self._is_torn else on_part
        dx, dy = (look_up(field, inner, window_from_plane) for field in cv2.split(self._fill.flow))
        # pixel of the plane -> pixel of the face's crop -> pixel of the reference's crop -> of its plane
        px, py = np.meshgrid(np.arange(inner.left, inner.right) + 0.5, np.arange(inner.top, inner.bottom) + 0.5)
        a, window = window_from_plane, self._fill.window
        cx = a[0, 0] * px + a[0, 1] * py + a[0, 2] + window.left + dx
        cy = a[1, 0] * px + a[1, 1] * py + a[1, 2] + window.top + dy
        b = self._fill.reference.coded_from_crop
        x = (b[0, 0] * cx + b[0, 1] * cy + b[0, 2]) / (1 << shift[0]) - 0.5
        y = (b[1, 0] * cx + b[1, 1] * cy + b[1, 2]) / (1 << shift[1]) - 0.5
        return inner, share, (x.astype(np.float32), y.astype(np.float32)), window_from_plane


def _under(window_from_plane: Affine, side: int, part: Box) -> Box:
    """The pixels of a plane's part that a window of that side covers."""
    back = cv2.invertAffineTransform(window_from_plane)
    corners = np.array([(0, 0), (side, 0), (side, side), (0, side)], np.float64) @ back[:, :2].T + back[:, 2]
    left, top = np.floor(corners.min(0)).astype(int)
    right, bottom = np.ceil(corners.max(0)).astype(int)
    return Box(
        max(int(left), part.left),
        max(int(top), part.top),
        min(int(right), part.right),
        min(int(bottom), part.bottom),
    )

"""A part of a frame as a picture to draw on, with the way from the frame's pixels to its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..faces import chain
from ..media import proxy, sample_rgb
from ..records import Frame, VideoInfo
from .drawing import Rgb, resized

Affine = NDArray[np.float64]
"""(2, 3), corner-based coordinates."""


@dataclass(frozen=True, eq=False)
class View:
    """A picture of a part of a frame, upright; drawn on in place."""

    picture: Rgb
    from_display: Affine
    """Display pixels of the frame -> pixels of the picture."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.picture.shape[1], self.picture.shape[0]

    def points(self, display: NDArray[np.floating]) -> NDArray[np.int32]:
        """Display points (n, 2) as whole pixels (n, 1, 2) for cv2."""
        placed = display @ self.from_display[:, :2].T + self.from_display[:, 2]
        return np.floor(placed).astype(np.int32)[:, None]


def frame_view(frame: Frame, info: VideoInfo, size: tuple[int, int]) -> View:
    """The whole frame, stretched to (width, height)."""
    picture = resized(proxy(frame, info, max(size)), size)
    scale_x, scale_y = size[0] / info.display_width, size[1] / info.display_height
    return View(picture, np.array([[scale_x, 0, 0], [0, scale_y, 0]], np.float64))


def square_view(
    frame: Frame, info: VideoInfo, center: NDArray[np.floating], length_px: float, side_px: int
) -> View:
    """The square of `length_px` around a point (x, y), both in display pixels, as a picture `side_px` wide."""
    x, y = center
    scale, half = side_px / length_px, side_px / 2
    matrix = np.array([[scale, 0, half - scale * x], [0, scale, half - scale * y]], np.float64)
    size = (side_px, side_px)
    return View(sample_rgb(frame, info.color, chain(matrix, info.display_from_coded), size), matrix)

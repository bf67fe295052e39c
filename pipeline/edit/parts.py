"""The parts of a face that an edit opens and shuts, and that another frame of the same person may show: how they
are shaped, and where in the picture they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.mesh import LEFT_EYE, LEFT_IRIS, MOUTH, OUTER_LIPS, RIGHT_EYE, RIGHT_IRIS, Opening

from .reach import LEFT_EYE_OPENER, MOUTH_OPENER, RIGHT_EYE_OPENER, Opener

Points = NDArray[np.floating]

_RIGHT_LIDS = (130, 25, 110, 24, 23, 22, 26, 112, 243, 190, 56, 28, 27, 29, 30, 247)
_LEFT_LIDS = (359, 255, 339, 254, 253, 252, 256, 341, 463, 414, 286, 258, 257, 259, 260, 467)
"""Rings of the mesh around the lids, a lash's length away from the eye."""

_FEATHER = 0.017
"""Softness of a part's edge, relative to the crop."""

HULL_SHIFT = 4
"""Bits after the point of an outline's coordinates."""

_MARGIN = 0.04
"""What a window shows beyond the outline, relative to the crop: skin to match the light on."""


@dataclass(frozen=True)
class Piece:
    """What is replaced together: a mouth, an eye."""

    name: str
    opening: Opening
    inside: tuple[int, ...]
    """Landmarks that move in it: the iris."""
    outline: tuple[int, ...]
    """Landmarks around what is replaced."""
    growth: float
    """Of the outline, around its middle."""
    opener: Opener

    def shape(self, canonical: Points) -> NDArray[np.float32]:
        """(n, k, 2) what tells one look of it from another, of landmarks (n, 478, 3) canonical: where its edge,
        its outline and what is inside lie around the middle of its corners."""
        upper, lower = self.opening
        points = canonical[:, [*upper, *lower, *self.inside[:1], *self.outline], :2]
        corners = canonical[:, [upper[0], upper[-1]], :2].mean(1, keepdims=True)
        return np.asarray(points - corners, np.float32)

    def gap(self, points: Points) -> NDArray[np.float64]:
        """(n,) how far it is open at most, over its width, of landmarks (n, 478, >= 2)."""
        upper, lower = (points[:, list(chain), :2] for chain in self.opening)
        width = np.linalg.norm(upper[:, -1] - upper[:, 0], axis=-1)
        return np.asarray(np.linalg.norm(lower - upper, axis=-1).max(1) / np.maximum(width, 1e-6), np.float64)

    def mask(self, landmarks: Points, window: Window, crop_px: int) -> NDArray[np.float32]:
        """(side, side) in [0, 1]: the pixels of a window that it takes, for landmarks (478, >= 2) crop px."""
        drawn = np.zeros((window.side, window.side), np.uint8)
        hull = self.hull(landmarks, window, growth=self.growth)
        cv2.fillPoly(drawn, [hull], 255, lineType=cv2.LINE_AA, shift=HULL_SHIFT)
        return cv2.GaussianBlur(drawn.astype(np.float32) / 255, (0, 0), _FEATHER * crop_px)

    def hull(self, landmarks: Points, window: Window, *, growth: float) -> NDArray[np.int32]:
        """(k, 1, 2) the outline in a window's pixels, for `cv2.fillPoly` with HULL_SHIFT."""
        grown = self.grown(landmarks, growth) - (window.left, window.top) - 0.5
        return np.asarray(cv2.convexHull(np.round(grown * (1 << HULL_SHIFT)).astype(np.int32)), np.int32)

    def grown(self, landmarks: Points, growth: float) -> NDArray[np.float64]:
        """(k, 2) the outline, so much larger around its middle."""
        outline = landmarks[list(self.outline), :2].astype(np.float64)
        middle = outline.mean(0)
        return middle + growth * (outline - middle)


@dataclass(frozen=True)
class Window:
    """A square of crop pixels."""

    left: int
    top: int
    side: int

    def of(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The window of a crop-sized array (S, S, ...), a view."""
        return picture[self.top : self.top + self.side, self.left : self.left + self.side]


@dataclass(frozen=True)
class Part:
    """Pieces that come from one frame, or not at all: two eyes look the same way."""

    name: str
    pieces: tuple[Piece, ...]

    def window(self, landmarks: Points, crop_px: int) -> Window:
        """The window of landmarks (478, >= 2) crop px that all pieces lie in, inside the crop."""
        low, high = np.full(2, np.inf), np.full(2, -np.inf)
        for piece in self.pieces:
            grown = piece.grown(landmarks, piece.growth)
            low, high = np.minimum(low, grown.min(0)), np.maximum(high, grown.max(0))
        side = min(int(np.ceil((high - low).max() + 2 * (_MARGIN + 2 * _FEATHER) * crop_px)), crop_px)
        left, top = np.clip(np.floor((low + high) / 2 - side / 2), 0, crop_px - side).astype(int)
        return Window(int(left), int(top), side)


MOUTH_PART: Final = Part("mouth", (Piece("mouth", MOUTH, (), OUTER_LIPS, 1.5, MOUTH_OPENER),))
EYES_PART: Final = Part(
    "eyes",
    (
        Piece("right eye", RIGHT_EYE, RIGHT_IRIS, _RIGHT_LIDS, 1.6, RIGHT_EYE_OPENER),
        Piece("left eye", LEFT_EYE, LEFT_IRIS, _LEFT_LIDS, 1.6, LEFT_EYE_OPENER),
    ),
)
PARTS: Final = (MOUTH_PART, EYES_PART)

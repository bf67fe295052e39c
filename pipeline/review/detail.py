"""Detail inside mouth and eyes: teeth, tongue and iris have some, and one flat colour has none."""

from __future__ import annotations

import cv2
import numpy as np

from retarget.model.mesh import LEFT_EYE, MOUTH, RIGHT_EYE, Opening

from .face_view import Mask, Picture, filled
from .series import Series

FEWEST_PX = 24
"""Of the face box. A smaller opening shows nothing."""

OPENINGS: tuple[Opening, ...] = (MOUTH, RIGHT_EYE, LEFT_EYE)


def opening_detail(picture: Picture, points: Series) -> Series:
    """(3,) of the mouth, the right and the left eye, in 8-bit levels a pixel; NaN: shut.

    The RMS gradient of the luma inside the opening, a pixel away from its edge, where the lips' own contrast is.
    """
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    x, y = cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=1 / 8)
    square = x * x + y * y
    insides = [_inside(points, opening) for opening in OPENINGS]
    return np.array([_rms(square[inside]) for inside in insides])


def _inside(points: Series, opening: Opening) -> Mask:
    mask = filled(points[list({*opening[0], *opening[1]})]).astype(np.uint8)
    return np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8)), np.uint8).astype(np.bool_)


def _rms(squares: Series) -> float:
    return float(np.sqrt(squares.mean())) if squares.size >= FEWEST_PX else float("nan")

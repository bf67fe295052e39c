"""Edges on the skin that the plate has nowhere near: seams of light, bands, dots."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.mesh import FACE_OVAL, LEFT_EYE, OUTER_LIPS, RIGHT_EYE

from .face_view import VIEW, Mask, Picture, filled, grown
from .series import Series

SMOOTH_PX = 0.8
"""What is finer is grain."""
REACH_PX = 5
"""How far an edit may carry an edge of the plate; farther and it is new there."""
STRONGER = 1.1
"""So much steeper than the plate's steepest within reach it may be."""
VISIBLE_LEVELS = 1.5
"""A pixel, of 255: an edge that much steeper is seen on skin."""
OPENING_PX = 4
"""Around lips and eyes, which an edit opens and shuts: their edges are no seams."""


def new_edges(source: Picture, output: Picture, before: Series, after: Series) -> float:
    """Per mille of the face box that is on an edge of the output's skin which the source has nowhere near.

    Mild edits (|v_rel| up to 0.65) of twelve clips have at most 0.16; strong ones 1 to 16, of which a brow that is
    carried beyond reach is a part.

    Args:
        before, after: `face_view.view_points` of the source and of the output.
    """
    allowed = STRONGER * cv2.dilate(_steepness(source), np.ones((2 * REACH_PX + 1,) * 2, np.uint8))
    new = (_steepness(output) - allowed > VISIBLE_LEVELS) & _skin(before) & _skin(after)
    return 1000 * np.count_nonzero(new) / VIEW.size_px**2


def _steepness(picture: Picture) -> NDArray[np.float32]:
    """(S, S) gradient of the luma, in 8-bit levels a pixel."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(luma, (0, 0), SMOOTH_PX)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.hypot(x, y), np.float32)


def _skin(points: Series) -> Mask:
    openings = (OUTER_LIPS, {*RIGHT_EYE[0], *RIGHT_EYE[1]}, {*LEFT_EYE[0], *LEFT_EYE[1]})
    skin = filled(points[list(FACE_OVAL)])
    for opening in openings:
        skin &= ~grown(filled(points[list(opening)]), OPENING_PX)
    return skin

"""A face as its judges see it: one small aligned picture in source and output, and where in it is what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec
from retarget.model.mesh import FACE_OVAL, LEFT_EYE, OUTER_LIPS, RIGHT_EYE

from ..faces import apply, chain, crop_matrix
from ..media import sample_rgb
from ..records import Frame, VideoInfo
from .series import Series

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Region = Literal["face", "mouth", "eyes", "jaw"]
"""face: the whole box."""
REGIONS: tuple[Region, ...] = get_args(Region)
Regions = Mapping[Region, Mask]

VIEW = CropSpec(size_px=160, eye_distance_fraction=0.42, eyes_y_fraction=0.36)
"""The face box: from the hairline to below a dropped jaw, with a little of what is beside the face."""
MARGIN_PX = 6
"""Around lips and eyes: the skin that folds there."""
JAW_HALF_PX = 8
"""Of the strip along the lower outline of the face."""

_JAW = FACE_OVAL[9:28]
"""From below one ear over the chin to below the other."""


def face_picture(frame: Frame, info: VideoInfo, placed: Series) -> Picture:
    """(S, S, 3) uint8 RGB: the face box of a face that is placed (4,) as `faces.alignment` says."""
    matrix = chain(crop_matrix(placed, VIEW), info.display_from_coded)
    return sample_rgb(frame, info.color, matrix, (VIEW.size_px, VIEW.size_px))


def view_points(landmarks: NDArray[np.floating], placed: Series) -> Series:
    """(478, 2) pixels of the face box of landmarks (478, 3) in display pixels; both corner-based."""
    return apply(crop_matrix(placed, VIEW), landmarks)[:, :2]


def region_masks(points: Series) -> dict[Region, Mask]:
    """Of `view_points`, each (S, S): the whole box, the lips and the eyes with a margin, the jaw's strip."""
    eyes = [filled(points[list({*upper, *lower})]) for upper, lower in (RIGHT_EYE, LEFT_EYE)]
    return {
        "face": np.ones((VIEW.size_px, VIEW.size_px), np.bool_),
        "mouth": grown(filled(points[list(OUTER_LIPS)]), MARGIN_PX),
        "eyes": grown(eyes[0] | eyes[1], MARGIN_PX),
        "jaw": _strip(points[list(_JAW)]),
    }


def filled(points: NDArray[np.floating]) -> Mask:
    """(S, S) pixels whose centre lies in the convex hull of points (n, 2)."""
    hull = cv2.convexHull(np.ascontiguousarray(points, np.float32))
    canvas = np.zeros((VIEW.size_px, VIEW.size_px), np.uint8)
    cv2.fillConvexPoly(canvas, _fixed(hull.reshape(-1, 2)), 1, shift=4)
    return canvas.astype(np.bool_)


def grown(mask: Mask, radius_px: int) -> Mask:
    """(S, S) the mask and everything within a disc of that radius."""
    side = 2 * radius_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc), np.uint8).astype(np.bool_)


def _strip(points: Series) -> Mask:
    canvas = np.zeros((VIEW.size_px, VIEW.size_px), np.uint8)
    lines: Sequence[NDArray[np.int32]] = [_fixed(points)]
    cv2.polylines(canvas, lines, False, 1, thickness=2 * JAW_HALF_PX, shift=4)
    return canvas.astype(np.bool_)


def _fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """As cv2 draws: from pixel centres, with 4 fractional bits."""
    return np.round((points - 0.5) * 16).astype(np.int32)

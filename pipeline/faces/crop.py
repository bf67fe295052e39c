"""The aligned crop of a face: one similarity transform, from expression-stable landmarks."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from .pose import canonical_face, head_pose

ALIGNMENT_SIZE = 4
"""Numbers that place a crop: centre x, centre y (display px), log of the scale (px), roll (radians)."""


def alignment(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """(4,) float64 of landmarks (478, 3) in display pixels: what the crop's place is computed from.

    The head pose's, so a turned head keeps its size. A vector, so that a trajectory can be smoothed.
    """
    pose = head_pose(landmarks)
    return np.array([pose.center[0], pose.center[1], np.log(max(pose.scale_px, 1e-6)), pose.roll_radians])


def crop_matrix(placed: NDArray[np.float64], spec: CropSpec) -> NDArray[np.float64]:
    """(2, 3) float64 similarity of an alignment: display pixels -> crop pixels, corner-based."""
    x, y, log_scale, roll = placed
    unit_px = spec.eye_distance_fraction * spec.size_px  # a canonical unit is the outer eye corners' distance
    scale = unit_px / np.exp(log_scale)
    c, s = scale * np.cos(-roll), scale * np.sin(-roll)
    turn = np.array([[c, -s], [s, c]])
    origin = np.array([0.5 * spec.size_px, spec.eyes_y_fraction * spec.size_px - unit_px * _eyes_height()])
    return np.c_[turn, origin - turn @ (x, y)]


def apply(matrix: NDArray[np.float64], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Landmarks (478, 3) through a similarity (2, 3); z is scaled with the rest."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return np.c_[landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2], landmarks[:, 2] * scale]


def chain(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine map (2, 3) that is `inner` followed by `outer`."""
    return np.asarray(outer @ np.vstack([inner, (0, 0, 1)]), np.float64)


@cache
def _eyes_height() -> float:
    """y of the midpoint of the outer eye corners in the canonical frame."""
    return float(canonical_face()[[33, 263], 1].mean())

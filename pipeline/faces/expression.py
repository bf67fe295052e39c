"""From landmarks and blendshapes to absolute action units.

Most action units come from MediaPipe's blendshapes by the ARKit table. Six of them MediaPipe's model hardly or
never reports (measured over 13,784 frames of 121 clips: cheekSquint and noseSneer stay below 0.001, eyeWide
below 0.32 in 99 %), or ARKit has no shape for: those are measured on the landmarks in the canonical frame, where
the head faces the camera and the outer eye corners are 1 apart. The ranges below are the quantiles of those
same frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.mesh import LEFT_EYE, RIGHT_EYE

from .blendshapes import from_blendshapes
from .pose import Points

AU_SOURCE = "mediapipe-face_landmarker-v2/retarget-au-1"
"""Identifies how action units are measured; stored in checkpoints, because units of another source differ."""

# (at rest, at the maximum): the measure that means 0 and the one that means 1.
LID_APERTURE_RANGE = (0.34, 0.48)  # lid distance / eye width: 75 % quantile; p90 of acted surprise
CHEEK_HEIGHT_RANGE = (0.365, 0.30)  # lower lid to cheek, median; p1
NOSE_WING_RANGE = (0.385, 0.30)  # inner eye corner to nose wing; p35; p1 (acted disgust)
LIP_THICKNESS_RANGE = (0.195, 0.145)  # both lips' red; p35; p1
LIP_GAP_RANGE = (0.01, 0.36)  # between the inner lips; closed; p99
INNER_BROW_SLOPE = 6.5  # browInnerUp per canonical unit of inner-brow height, within clips


def measure(landmarks: Points, names: Sequence[str], scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """(C,) float32 absolute action units in [0, 1].

    Args:
        landmarks: (478, 3) in the canonical frame.
        names: the blendshapes' names; scores: (len(names),) in [0, 1].
    """
    values = from_blendshapes(names, np.asarray(scores, np.float32)[None])[0][0]
    for name, value in _landmark_units(landmarks, inner_brow=float(values[_columns("AU01L")[0]])):
        values[_columns(name)] = value
    return np.clip(values, 0, 1).astype(np.float32)


@cache
def _columns(name: str) -> list[int]:
    """Where an action unit stands; names are parsed once, not once a face."""
    return list(action_units.resolve(name))


def _landmark_units(p: Points, *, inner_brow: float) -> list[tuple[str, float]]:
    """(name, value) of the action units measured on the canonical landmarks."""
    brow_left, brow_right = _inner_brow(p, 362, (285, 336)), _inner_brow(p, 133, (55, 107))
    lift = INNER_BROW_SLOPE * (brow_left - brow_right) / 2
    lips = [(13, 14), (82, 87), (312, 317)]
    thickness = _distance(p, 0, 13) + _distance(p, 14, 17)
    return [
        # One blendshape serves both inner brows; the landmarks tell which is higher.
        ("AU01L", inner_brow + lift if inner_brow > 0.05 else inner_brow),
        ("AU01R", inner_brow - lift if inner_brow > 0.05 else inner_brow),
        ("AU05L", _unit(_aperture(p, LEFT_EYE), LID_APERTURE_RANGE)),
        ("AU05R", _unit(_aperture(p, RIGHT_EYE), LID_APERTURE_RANGE)),
        ("AU06L", _unit(float(p[[280, 425, 266], 1].mean() - p[374, 1]), CHEEK_HEIGHT_RANGE)),
        ("AU06R", _unit(float(p[[50, 205, 36], 1].mean() - p[145, 1]), CHEEK_HEIGHT_RANGE)),
        ("AU09L", _unit(float(p[[279, 358, 294], 1].mean() - p[362, 1]), NOSE_WING_RANGE)),
        ("AU09R", _unit(float(p[[49, 129, 64], 1].mean() - p[133, 1]), NOSE_WING_RANGE)),
        ("AU23", _unit(thickness, LIP_THICKNESS_RANGE)),
        ("AU25", _unit(float(np.mean([_distance(p, u, low) for u, low in lips])), LIP_GAP_RANGE)),
    ]


def _inner_brow(p: Points, corner: int, brow: tuple[int, int]) -> float:
    """Height of the inner brow over the inner eye corner, canonical units."""
    return float(p[corner, 1] - p[list(brow), 1].mean())


def _aperture(p: Points, eye: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
    """Distance of the lids over the eye's width, 0 when shut."""
    upper, lower = eye
    middle = [3, 4, 5]  # of nine points from corner to corner
    opening = np.mean([_distance(p, upper[i], lower[i]) for i in middle])
    return float(opening / _distance(p, upper[0], upper[-1]))


def _distance(p: Points, i: int, j: int) -> float:
    return float(np.linalg.norm(p[i] - p[j]))


def _unit(value: float, rest_and_maximum: tuple[float, float]) -> float:
    """Position of the value on the way from rest (0) to the maximum (1), clipped."""
    rest, maximum = rest_and_maximum
    return min(1.0, max(0.0, (value - rest) / (maximum - rest)))

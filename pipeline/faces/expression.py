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

Range = tuple[float, float]
"""(at rest, at the maximum): the measure that means 0 and the one that means 1."""

LID_APERTURE_RANGE: Range = (0.34, 0.48)  # lid distance / eye width: 75 % quantile; p90 of acted surprise
CHEEK_HEIGHT_RANGE: Range = (0.365, 0.30)  # lower lid to cheek, median; p1
NOSE_WING_RANGE: Range = (0.385, 0.30)  # inner eye corner to nose wing; p35; p1 (acted disgust)
LIP_THICKNESS_RANGE: Range = (0.195, 0.145)  # both lips' red; p35; p1
LIP_GAP_RANGE: Range = (0.01, 0.36)  # between the inner lips; closed; p99
INNER_BROW_SLOPE = 6.5  # browInnerUp per canonical unit of inner-brow height, within clips
INNER_BROW_SEEN = 0.05  # browInnerUp from which on the landmarks tell which brow is higher

# What is measured on which landmarks.
LIDS = {"AU05L": LEFT_EYE, "AU05R": RIGHT_EYE}
LID_MIDDLE = (3, 4, 5)  # of nine points from corner to corner
INNER_BROWS = {"AU01L": ((285, 336), 362), "AU01R": ((55, 107), 133)}  # the brow; the inner eye corner below
DROPS = {  # how far these points lie below that one
    "AU06L": ((280, 425, 266), 374, CHEEK_HEIGHT_RANGE),
    "AU06R": ((50, 205, 36), 145, CHEEK_HEIGHT_RANGE),
    "AU09L": ((279, 358, 294), 362, NOSE_WING_RANGE),
    "AU09R": ((49, 129, 64), 133, NOSE_WING_RANGE),
}
LIPS = ((0, 13), (14, 17))  # the red of either, AU23
LIP_GAPS = ((13, 14), (82, 87), (312, 317))  # AU25


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
    gap = float(np.mean([_distance(p, upper, lower) for upper, lower in LIP_GAPS]))
    return [
        *_inner_brows(p, inner_brow),
        *((name, _unit(_aperture(p, eye), LID_APERTURE_RANGE)) for name, eye in LIDS.items()),
        *((name, _unit(_drop(p, points, top), between)) for name, (points, top, between) in DROPS.items()),
        ("AU23", _unit(sum(_distance(p, *lip) for lip in LIPS), LIP_THICKNESS_RANGE)),
        ("AU25", _unit(gap, LIP_GAP_RANGE)),
    ]


def _inner_brows(p: Points, seen: float) -> list[tuple[str, float]]:
    """One blendshape serves both inner brows; the landmarks tell which is higher."""
    left, right = (-_drop(p, brow, corner) for brow, corner in INNER_BROWS.values())
    lift = INNER_BROW_SLOPE * (left - right) / 2 if seen > INNER_BROW_SEEN else 0.0
    return [("AU01L", seen + lift), ("AU01R", seen - lift)]


def _drop(p: Points, points: tuple[int, ...], top: int) -> float:
    """How far points lie below another on average, canonical units."""
    return float(p[list(points), 1].mean() - p[top, 1])


def _aperture(p: Points, eye: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
    """Distance of the lids over the eye's width, 0 when shut."""
    upper, lower = eye
    opening = np.mean([_distance(p, upper[i], lower[i]) for i in LID_MIDDLE])
    return float(opening / _distance(p, upper[0], upper[-1]))


def _distance(p: Points, i: int, j: int) -> float:
    return float(np.linalg.norm(p[i] - p[j]))


def _unit(value: float, between: Range) -> float:
    """Position of the value on the way from rest (0) to the maximum (1), clipped."""
    rest, maximum = between
    return min(1.0, max(0.0, (value - rest) / (maximum - rest)))

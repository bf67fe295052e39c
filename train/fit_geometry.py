"""The closed-form fit of the geometry model: relative action units -> landmark motion in the canonical frame.

Ridge regression over same-person differences: within each clip, action units and landmarks are taken from their
means over frames of similar head pose, so W sees nothing of who the person is. Every row also counts mirrored
(left and right swapped), so W is symmetric. Clips weigh alike, however long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.geometry import LANDMARKS, GeometryModel

from .prepare import FaceTable

RIDGE = 1.0

RESPONSE_GAIN = 1.3
"""What the fitted W is multiplied by in the model. Measured action units carry noise, so regression on them comes
out too small (dilution), and an edit by W alone reaches about half of what was asked. Of 1, 1.3 and 1.6 the
distance to the asked expression was least at 1.3 over nine edits of people outside the fit; against 1 it was less
in each of six edits of people in it."""

MAX_YAW_DEGREES, MAX_PITCH_DEGREES = 30.0, 25.0
POSE_SPREAD_DEGREES = 12.0
"""Frames further from their clip's median pose are left out: the mesh itself changes a little with pose."""
MIN_CLIP_FRAMES = 10

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Differences:
    """The regression's rows."""

    units: Matrix
    """(n, C) action units relative to the clip's mean, weighted."""
    motion: Matrix
    """(n, 478 * 3) canonical landmarks likewise."""
    identity: NDArray[np.int64]
    """(n,)"""


def differences(table: FaceTable) -> Differences:
    """Same-clip, similar-pose differences, weighted so that clips count alike.

    Raises:
        RetargetError: no clip has enough frames of similar pose.
    """
    usable = (np.abs(table.angles[:, 0]) < MAX_YAW_DEGREES) & (np.abs(table.angles[:, 1]) < MAX_PITCH_DEGREES)
    usable &= table.residual < np.quantile(table.residual, 0.99)
    units, motion, identity = [], [], []
    for clip in np.unique(table.clip):
        rows = np.flatnonzero(usable & (table.clip == clip))
        if len(rows):
            spread = np.abs(table.angles[rows] - np.median(table.angles[rows], axis=0))
            rows = rows[(spread < POSE_SPREAD_DEGREES).all(axis=1)]
        if len(rows) < MIN_CLIP_FRAMES:
            continue
        weight = len(rows) ** -0.25  # squared errors then count by the root of a clip's length
        units.append(weight * _centred(table.action_units[rows]))
        motion.append(weight * _centred(table.canonical[rows].reshape(len(rows), -1)))
        identity.append(table.identity[rows])
    if not units:
        raise RetargetError(f"no clip has {MIN_CLIP_FRAMES} frames of similar, frontal pose; add clips")
    return Differences(np.concatenate(units), np.concatenate(motion), np.concatenate(identity))


def fit_weight(rows: Differences, mirror: NDArray[np.int64], *, ridge: float = RIDGE) -> Matrix:
    """W (C, 478 * 3), canonical units per unit of each action unit."""
    units, motion = _with_mirrored(rows, mirror)
    gram = units.T @ units + ridge * np.eye(units.shape[1])
    return np.asarray(np.linalg.solve(gram, units.T @ motion), np.float64)


def explained(rows: Differences, weight: Matrix) -> float:
    """R^2: the share of the landmarks' motion that W explains."""
    rest = rows.motion - rows.units @ weight
    return 1 - float((rest**2).sum() / (rows.motion**2).sum())


def cross_validated(rows: Differences, mirror: NDArray[np.int64], *, folds: int = 5) -> float:
    """R^2 on people that were left out of the fit, over `folds` of them.

    Raises:
        RetargetError: fewer than two people.
    """
    people = np.unique(rows.identity)
    if len(people) < 2:
        raise RetargetError("cross-validation needs at least two people; add clips of others")
    fold_of = {person: i % folds for i, person in enumerate(people)}
    fold = np.array([fold_of[person] for person in rows.identity])
    rest = total = 0.0
    for k in np.unique(fold):
        kept, held = _subset(rows, fold != k), _subset(rows, fold == k)
        weight = fit_weight(kept, mirror)
        rest += float(((held.motion - held.units @ weight) ** 2).sum())
        total += float((held.motion**2).sum())
    return 1 - rest / total


def mirror_pairs(mean_shape: Matrix) -> NDArray[np.int64]:
    """(478,) for each landmark the one that is its mirror image in a symmetric mean shape (478, 3)."""
    distance = ((mean_shape[:, None] * (-1, 1, 1) - mean_shape[None]) ** 2).sum(-1)
    return np.asarray(distance.argmin(axis=1), np.int64)


def geometry_model(weight: Matrix, mean_shape: Matrix, triangles: NDArray[np.int64]) -> GeometryModel:
    """The model for a checkpoint, from W (C, 478 * 3), the mean shape (478, 3) and the skin's triangles (T, 3)."""
    return GeometryModel.from_fit(
        torch.from_numpy((RESPONSE_GAIN * weight).reshape(-1, LANDMARKS, 3).astype(np.float32)),
        torch.from_numpy(mean_shape.astype(np.float32)),
        torch.from_numpy(triangles),
    )


def _centred(values: NDArray[np.float32]) -> Matrix:
    return np.asarray(values - values.mean(axis=0), np.float64)


def _with_mirrored(rows: Differences, mirror: NDArray[np.int64]) -> tuple[Matrix, Matrix]:
    points = rows.motion.reshape(-1, LANDMARKS, 3)[:, mirror] * (-1, 1, 1)
    units = rows.units[:, list(action_units.mirrored())]
    return np.concatenate([rows.units, units]), np.concatenate([rows.motion, points.reshape(len(points), -1)])


def _subset(rows: Differences, which: NDArray[np.bool_]) -> Differences:
    return Differences(rows.units[which], rows.motion[which], rows.identity[which])

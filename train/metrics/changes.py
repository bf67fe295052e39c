"""Changes of expression: what is asked of a face, what came of it, and how far the one is from the other.

Action units are vectors on the full schema, in [0, 1]; *requested* is what an edit asks (target - source) and
*achieved* what the tracker sees (after - before), both in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

Floats = NDArray[np.floating]
Units = NDArray[np.float32]

UNASKED = 0.02
"""A requested change smaller than this counts as nothing: a 50th of the way from rest to the maximum."""


@dataclass(frozen=True)
class Response:
    """How the achieved change follows the requested one."""

    slope: float
    """Least squares through the origin (nothing asked is nothing done); 1 is right, 0 no effect. NaN: no data."""
    r: float
    """Pearson's correlation; NaN where either does not vary."""
    count: int
    """Pairs of requested and achieved change."""


def relative(source: Units, target: Units, *, gaze: bool) -> Units:
    """(C,) target - source in [-1, 1]; without `gaze` the eyes' direction is not asked to change, as in the main
    job, where an actor's eyeline belongs to the scene."""
    delta = np.clip(target - source, -1, 1).astype(np.float32)
    if not gaze:
        delta[list(action_units.GAZE)] = 0
    return delta


def both_sides(name: str, value: float) -> Units:
    """(C,) a change of one action unit, both sides together, and of nothing else."""
    delta = np.zeros(action_units.COUNT, np.float32)
    delta[list(action_units.resolve(name))] = value
    return delta


def expression_distance(one: Floats, other: Floats) -> NDArray[np.float64]:
    """(...,) l2 distance over the action units of the last axis: the paper's ED."""
    return np.asarray(np.linalg.norm(np.asarray(one, np.float64) - other, axis=-1))


def response(requested: Floats, achieved: Floats) -> Response:
    """Slope and correlation over all elements of two arrays of one shape."""
    x, y = np.asarray(requested, np.float64).ravel(), np.asarray(achieved, np.float64).ravel()
    energy = float((x * x).sum())
    slope = float((x * y).sum()) / energy if energy > 0 else float("nan")
    varies = x.size > 1 and x.std() > 0 and y.std() > 0
    return Response(slope, float(np.corrcoef(x, y)[0, 1]) if varies else float("nan"), x.size)


def leakage(requested: Floats, achieved: Floats) -> float:
    """Change in action units that were not asked to change, relative to the requested change.

    Over edits (n, C): the root of the summed squares of the achieved change where |requested| < UNASKED, over
    the root of the summed squares of everything requested. 0: nothing else moves. NaN: nothing was requested.
    """
    asked = float(np.square(requested, dtype=np.float64).sum())
    stray = np.where(np.abs(requested) < UNASKED, achieved, 0.0)
    return float(np.sqrt(np.square(stray, dtype=np.float64).sum() / asked)) if asked > 0 else float("nan")

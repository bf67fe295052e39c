"""Second moments of action units and motion: all that least squares and its errors need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.mesh import LANDMARKS

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over rows of a regression. They add."""

    gram: Matrix
    """(C, C) units' products with each other."""
    cross: Matrix
    """(C, 478 * 3) their products with the motion."""
    power: Matrix
    """(478 * 3,) the motion squared."""

    @classmethod
    def of(cls, units: Matrix, motion: Matrix) -> Self:
        """Of weighted rows: units (n, C) and motion (n, 478 * 3)."""
        return cls(units.T @ units, units.T @ motion, (motion**2).sum(0))

    @classmethod
    def nothing(cls) -> Self:
        count, width = action_units.COUNT, 3 * LANDMARKS
        return cls(np.zeros((count, count)), np.zeros((count, width)), np.zeros(width))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.gram + other.gram, self.cross + other.cross, self.power + other.power)

    def mirrored(self, mirror: NDArray[np.int64]) -> Moments:
        """Those of the same faces with left and right swapped; `mirror` as of `mirror_pairs`."""
        units = list(action_units.mirrored())
        cross = self.cross.reshape(-1, LANDMARKS, 3)[units][:, mirror] * (-1, 1, 1)
        power = self.power.reshape(LANDMARKS, 3)[mirror]
        return Moments(self.gram[np.ix_(units, units)], cross.reshape(self.cross.shape), power.ravel())

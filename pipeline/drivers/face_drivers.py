"""Several drivers at once: one for each face."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..records import Target
from .driver import Driver


class FaceDrivers:
    """A driver for each face: the first for the first of the selected faces of a shot, and so on."""

    def __init__(self, drivers: Sequence[Driver]) -> None:
        self._drivers = tuple(drivers)

    @property
    def duration_seconds(self) -> float:
        """See `Driver`: of the one that lasts longest and ends; inf if none does."""
        ends = [driver.duration_seconds for driver in self._drivers]
        return max((end for end in ends if math.isfinite(end)), default=math.inf)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(note for driver in self._drivers for note in driver.notes))

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:
        """See `Driver`. A face beyond the last driver is asked nothing."""
        if face < len(self._drivers):
            return self._drivers[face].target(seconds, face)
        shape = (len(seconds), action_units.COUNT)
        return Target(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.bool_))

"""What measures a face in a crop, as fits and evaluation see it: `crop_meter.CropMeter`, or a test's own."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Measured(Protocol):
    """A face as the tracker sees it in a crop."""

    @property
    def action_units(self) -> NDArray[np.float32]:
        """(46,) absolute, in [0, 1]."""

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(478, 3) crop pixels."""


class Meter(Protocol):
    """The pipeline's tracker on crops."""

    def measure(self, crop: NDArray[np.uint8], near: NDArray[np.floating]) -> Measured | None:
        """The face in a crop (S, S, 3) uint8 near landmarks (478, 3) crop px; None where none is seen there."""

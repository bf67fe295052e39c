"""What measures a face in a crop, as calibration and evaluation see it: `prepare.CropMeter`, or a test's own."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Measured(Protocol):
    """A face as the tracker sees it in a crop."""

    @property
    def action_units(self) -> NDArray[np.float32]: ...
    @property
    def landmarks(self) -> NDArray[np.float32]: ...


class Meter(Protocol):
    """The pipeline's tracker on crops."""

    def measure(self, crop: NDArray[np.uint8], near: NDArray[np.floating]) -> Measured | None:
        """The face in a crop (S, S, 3) uint8 near landmarks (478, 3) crop px; None where none is seen there."""

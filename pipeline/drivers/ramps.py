"""Weights that come and go without corners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smoothstep(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, an S without corners between (3x^2 - 2x^3)."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x), np.float64)


def fade(seconds_left: NDArray[np.float64], ramp_seconds: float) -> NDArray[np.float64]:
    """1 while at least `ramp_seconds` are left, 0 once none is, a smooth ramp between (a step if it is 0)."""
    if ramp_seconds <= 0:
        return (seconds_left >= 0).astype(np.float64)
    return smoothstep(seconds_left / ramp_seconds)

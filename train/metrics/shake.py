"""How much something shakes over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def second_difference(series: Floats, seconds: Floats) -> float:
    """RMS second difference over time of a series (n, ...) sampled at `seconds` (n,): how much it shakes.

    Only runs of evenly spaced moments count (the step differs by less than a tenth), so that a gap is no
    jump. NaN if there is none.
    """
    steps = np.diff(np.asarray(seconds, np.float64))
    even = (steps[1:] > 0) & (np.abs(steps[1:] - steps[:-1]) < 0.1 * steps[1:])
    bends = np.diff(np.asarray(series, np.float64), n=2, axis=0)[even]
    return float(np.sqrt(np.square(bends).mean())) if bends.size else float("nan")

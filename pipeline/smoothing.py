"""Smoothing over time without delay, and the unbroken stretches it works within."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

Series = NDArray[np.float64]


def smooth(values: NDArray[np.floating], seconds: Series, *, window_seconds: float) -> Series:
    """(n, k) float64: zero-phase Savitzky-Golay smoothing (quadratic) over a window, along the first axis.

    Works within unbroken runs only (a run ends where a step is over 2.5 times the usual one). The window is
    the odd number of samples nearest to `window_seconds`; below 5 samples a quadratic passes through them
    all, so nothing changes. Peaks as short as the window keep most of their height: blinks survive.
    """
    out = np.array(values, np.float64)
    if len(out) < 5 or window_seconds <= 0:
        return out
    step = float(np.median(np.diff(seconds)))
    # Half way between two odd numbers it is the smaller, whichever way the division rounds (30 fps, 0.2 s).
    window = 2 * math.ceil(window_seconds / max(step, 1e-9) / 2 - 1 - 1e-3) + 1
    for start, stop in runs(seconds, step):
        length = min(window, (stop - start - 1) // 2 * 2 + 1)
        if length >= 5:
            out[start:stop] = savgol_filter(out[start:stop], length, 2, axis=0, mode="interp")
    return out


def runs(seconds: Series, step: float) -> list[tuple[int, int]]:
    """(start, stop) index ranges without a gap."""
    breaks = np.flatnonzero(np.diff(seconds) > 2.5 * step) + 1
    edges = [0, *breaks.tolist(), len(seconds)]
    return list(itertools.pairwise(edges))

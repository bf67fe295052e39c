"""Expression over time: smooth it, and turn it into relative action units (paper Eq. 1, 2).

    v_rel(t) = strength * gain * weight(t) * (value(t) - own(t))     where the driver replaces
    v_rel(t) = strength * gain * weight(t) * value(t)                where it adds

`own` is the performance measured from its own neutral, `value` the driver's from its own: what transfers is the
departure from rest, never another person's resting face.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from retarget.model import action_units

from .records import Target

Series = NDArray[np.float64]

MAX_INTENSITY = 1.25
"""What the edited expression may reach: a quarter beyond FACS's maximum, as in the paper's figures."""

YAW_FADE_DEGREES = (35.0, 55.0)
PITCH_FADE_DEGREES = (25.0, 45.0)
"""(full effect up to, none beyond): outside, half of the face is hidden and a warp tears it."""

CONFIDENCE_FADE = (0.5, 0.1)


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
    window = 2 * round((window_seconds / max(step, 1e-9) - 1) / 2) + 1
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


def relative(
    own: NDArray[np.floating],
    neutral: NDArray[np.floating],
    target: Target,
    *,
    gain: NDArray[np.floating],
) -> NDArray[np.float32]:
    """(n, C) float32 relative action units in [-1.25, 1.25].

    Args:
        own: (n, C) the performance's absolute action units; neutral: (C,) its resting ones.
        gain: (C,) or (n, C) strength times per-unit gain times fade.

    The edited expression `own + v_rel` is kept within [0, 1.25]: a smile that is not there cannot be taken
    away.
    """
    value = target.values.astype(np.float64)
    change = np.where(target.additive, value, value - (own - neutral))
    wanted = own + gain * target.weight * change
    return np.asarray(np.clip(wanted, np.minimum(own, 0), MAX_INTENSITY) - own, np.float32)


MOUTH_OPENERS = ("AU10", "AU16", "AU22", "AU25", "AU26")
EYE_OPENERS = {"AU05": 1, "AU45": -1, "AU63": 1, "AU64": -1}
"""With the sign of the change that opens."""
SHUT_MOUTH = (0.25, 0.05)
"""AU25 (from, to): lips this far apart may part further; lips this close stay so."""
SHUT_EYES = (0.25, 0.5)
"""AU45 likewise."""


def without_revealing(own: NDArray[np.floating], delta: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, C) float32: `delta` without what would show the inside of a shut mouth or a shut eye.

    For checkpoints that only move pixels: behind closed lips and lids there are none to move. How much may open
    falls smoothly with how far they are closed in the plate; closing, and all else, is unaffected.
    """
    out = delta.copy()
    lips = _fade(_mean(own, "AU25"), *SHUT_MOUTH)
    for name in MOUTH_OPENERS:
        columns = list(action_units.resolve(name))
        out[:, columns] = np.where(delta[:, columns] > 0, delta[:, columns] * lips[:, None], delta[:, columns])
    for side in ("L", "R"):
        lids = _fade(_mean(own, f"AU45{side}"), *SHUT_EYES)
        for name, opening in EYE_OPENERS.items():
            sided = f"{name}{side}" in action_units.NAMES
            for column in action_units.resolve(f"{name}{side}" if sided else name):
                limit = np.where(delta[:, column] * opening > 0, delta[:, column] * lids, delta[:, column])
                # Both eyes share the units without a side: the more closed one decides.
                out[:, column] = np.where(np.abs(limit) < np.abs(out[:, column]), limit, out[:, column])
    return out


def _mean(values: NDArray[np.floating], name: str) -> Series:
    return np.asarray(values[:, list(action_units.resolve(name))].mean(axis=1), np.float64)


def envelope(yaw_degrees: Series, pitch_degrees: Series, confidence: Series) -> Series:
    """(n,) float64 in [0, 1]: how much of an edit the head's pose and the tracking's confidence allow."""
    return (
        _fade(np.abs(yaw_degrees), *YAW_FADE_DEGREES)
        * _fade(np.abs(pitch_degrees), *PITCH_FADE_DEGREES)
        * _fade(confidence, *CONFIDENCE_FADE)
    )


def edge_ramp(seconds: Series, appears: float | None, vanishes: float | None, ramp_seconds: float) -> Series:
    """(n,) float64: 0 to 1 over the ramp after a face's first moment, back before its last.

    `appears`, `vanishes`: those moments in seconds, or None where they are the shot's own, which needs no
    ramp.
    """
    out = np.ones(len(seconds))
    if appears is not None:
        out *= np.clip((seconds - appears) / ramp_seconds, 0, 1)
    if vanishes is not None:
        out *= np.clip((vanishes - seconds) / ramp_seconds, 0, 1)
    return out


def _fade(x: Series, full: float, none: float) -> Series:
    """1 at `full`, 0 at `none`, smooth between."""
    t = np.clip((none - np.asarray(x, np.float64)) / (none - full), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float64)

"""The resting expression that a driver is measured from: estimated, or taken at a moment."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..errors import DriverError
from ..records import ExpressionSeries
from .driver import Neutral
from .series import MAX_GAP_SECONDS

RESTING_CAPS: Mapping[str, float] = {
    # What a relaxed face may show, in unit range: habitual brows, narrow eyes, lips not quite shut. Squint
    # (AU07) is what blendshape trackers overstate most at rest: its median over many calm clips is a third.
    "AU01": 0.20, "AU02": 0.20, "AU04": 0.20, "AU05": 0.10, "AU06": 0.08, "AU07": 0.35, "AU09": 0.05,
    "AU10": 0.05, "AU12": 0.08, "AU14": 0.08, "AU15": 0.12, "AU16": 0.05, "AU17": 0.12, "AU18": 0.12,
    "AU20": 0.05, "AU22": 0.08, "AU23": 0.12, "AU24": 0.12, "AU25": 0.10, "AU26": 0.08, "AU28": 0.08,
    "AU29": 0.05, "AU30": 0.05, "AU45": 0.10, "MouthShift": 0.05,
    "AU61": 0.0, "AU62": 0.0, "AU63": 0.0, "AU64": 0.0,  # looking somewhere is no resting expression
}  # fmt: skip
"""Per unit, the most that an estimated neutral may hold: a clip which is all smile has a neutral too."""

CALM_FRACTION = 0.15
"""Share of the frames, the calmest, that the neutral is taken from."""

_EYES_SHUT = 0.4


def estimate_neutral(series: ExpressionSeries) -> NDArray[np.float32]:
    """The face's resting expression, (C,) float32 in [0, 1], robustly estimated.

    The median over the calmest frames (least activity of mouth and brow) that are confident and have open
    eyes, limited per action unit by `RESTING_CAPS`. Zero where the series knows nothing.
    """
    usable = _confident(series)
    open_eyed = usable & (_mean_of(series.values, "AU45") < _EYES_SHUT)
    chosen = np.flatnonzero(open_eyed if open_eyed.any() else usable)
    values = series.values[chosen]
    calmness = values[:, _calm_columns()].sum(axis=1)
    calmest = np.argsort(calmness, kind="stable")[: max(1, math.ceil(CALM_FRACTION * len(chosen)))]
    resting = np.median(values[calmest], axis=0) if len(calmest) else np.zeros(action_units.COUNT)
    return np.where(series.filled, np.minimum(resting, _caps()), 0).astype(np.float32)


def neutral_at(series: ExpressionSeries, seconds: float, *, window_seconds: float = 0.2) -> NDArray[np.float32]:
    """The expression at a moment, (C,) float32: the mean of the reliable samples in a window around it.

    Raises:
        DriverError: no reliable sample within half a second of that moment.
    """
    distance = np.where(series.confidence > 0, np.abs(series.seconds - seconds), np.inf)
    if distance.min() > max(window_seconds / 2, MAX_GAP_SECONDS):
        raise DriverError(
            f"no usable face around {seconds:g} s for the neutral expression; the driver runs "
            f"{series.seconds[0]:g} to {series.seconds[-1]:g} s"
        )
    near = distance <= max(window_seconds / 2, float(distance.min())) + 1e-6  # the window's edges count
    return np.where(series.filled, series.values[near].mean(axis=0), 0).astype(np.float32)


def neutral_of(series: ExpressionSeries, neutral: Neutral) -> NDArray[np.float32]:
    """The (C,) float32 expression that `DriverOptions.neutral` stands for in this series.

    Raises:
        DriverError: see `neutral_at`.
    """
    if neutral == "auto":
        return estimate_neutral(series)
    if neutral == "none":
        return np.zeros(action_units.COUNT, np.float32)
    return neutral_at(series, float(neutral))


def _confident(series: ExpressionSeries) -> NDArray[np.bool_]:
    """Samples at least half as believable as the best one."""
    usable: NDArray[np.bool_] = (series.confidence > 0) & (series.confidence >= series.confidence.max() / 2)
    return usable


def _mean_of(values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    return np.asarray(values[:, list(action_units.resolve(name))].mean(axis=1), np.float32)


def _calm_columns() -> list[int]:
    brow = [i for name in ("AU01", "AU02", "AU04") for i in action_units.resolve(name)]
    return [*action_units.in_regions(["mouth"]), *brow]


def _caps() -> NDArray[np.float64]:
    return np.array([RESTING_CAPS[unit.name] for unit in action_units.ACTION_UNITS for _ in unit.entries])

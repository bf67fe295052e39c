"""A measured expression series (a tracked clip or a capture file) played on the source's time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..errors import NoFaceError
from ..records import TOUCHING_AU25, ExpressionSeries, Target
from .driver import DriverOptions
from .ramps import fade, smoothstep

MAX_GAP_SECONDS = 0.5
"""A face lost for no longer than this is interpolated across; a longer loss lets the performance through."""


_PART = action_units.resolve("AU25")[0]


class SeriesDriver:
    """Plays an expression series (a tracked clip or a capture file) on the source's time."""

    def __init__(
        self,
        series: ExpressionSeries,
        neutral: NDArray[np.floating],
        *,
        options: DriverOptions | None = None,
        notes: Sequence[str] = (),
        sees_lips: bool = False,
    ) -> None:
        """`neutral` (C,) is what the series is measured from. `sees_lips`: an AU25 of 0 means that they touch.

        Raises:
            NoFaceError: no moment of the series has a confidence above 0.
            ValueError: `neutral` has another shape.
        """
        if neutral.shape != (action_units.COUNT,):
            raise ValueError(f"neutral has shape {neutral.shape}, expected ({action_units.COUNT},)")
        reliable = series.confidence > 0
        if not reliable.any():
            raise NoFaceError("the driver shows no usable face at any moment; use another driver")
        self._options = options or DriverOptions()
        self._notes = tuple(notes)
        self._filled = series.filled.copy()
        self._is_still = len(series.seconds) == 1
        self._seconds = series.seconds[reliable]
        departure = np.where(series.filled, series.values - neutral, 0)
        lips = 1 - np.clip(series.values[:, _PART] / TOUCHING_AU25, 0, 1)
        has_contact = sees_lips and series.filled[_PART] and self._options.mode == "match"
        self._has_contact = bool(has_contact)
        self._departure = np.c_[departure, lips][reliable].astype(np.float64)
        steps = np.diff(series.seconds)
        self._step = float(np.median(steps)) if len(steps) else 0.0
        self._length = float(series.seconds[-1]) + self._step

    @property
    def duration_seconds(self) -> float:
        """Second of the source at which the driver ends (for a loop: its first round); inf for a still."""
        return math.inf if self._is_still else self._options.offset_seconds + self._length

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:  # noqa: ARG002 - the same for every face
        """See `Driver`; samples are interpolated linearly, and across gaps of up to about half a second."""
        own = np.asarray(seconds, np.float64) - self._options.offset_seconds
        weight = fade(own + self._options.release_seconds, self._options.release_seconds)
        if not self._is_still:
            own, after_weight = self._play(own)
            weight = weight * after_weight * self._presence(own)
        values, lips = np.split(self._at(own), [action_units.COUNT], axis=1)
        return Target(
            values=values.astype(np.float32),
            weight=(weight[:, None] * self._filled).astype(np.float32),
            additive=np.full(values.shape, self._options.mode == "add"),
            lips_together=(weight * lips[:, 0]).astype(np.float32) if self._has_contact else None,
        )

    def _play(self, own: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times within the series for any time, and the weight after its end."""
        after = self._options.after or "release"
        weight = np.ones_like(own)
        if after == "loop":
            return np.where(own >= 0, own % self._length, own), weight
        if after == "release":
            release = self._options.release_seconds
            # a release of 0 is a cut at the end itself, not one moment later
            weight = (
                fade(self._length + release - own, release) if release else np.where(own < self._length, 1.0, 0.0)
            )
        return np.minimum(own, self._seconds[-1] if after == "hold" else self._length), weight

    def _presence(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """[0, 1]: 1 near reliable samples, 0 in the middle of a long gap without any."""
        known = self._seconds
        # sparsely sampled files (py-feat skips frames) are not full of gaps
        longest = max(MAX_GAP_SECONDS, 3 * self._step)
        ramp = longest / 2
        at = np.searchsorted(known, own, side="right")
        before = np.where(at > 0, known[np.maximum(at - 1, 0)], 0.0)  # the clip's own edges bound a gap
        behind = np.where(at < len(known), known[np.minimum(at, len(known) - 1)], self._length)
        since = np.where(at > 0, own - before, np.inf)
        until = np.where(at < len(known), behind - own, np.inf)
        in_gap = np.maximum(smoothstep(1 - since / ramp), smoothstep(1 - until / ramp))
        return np.where(behind - before > longest, in_gap, 1.0)

    def _at(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, C + 1) departure from neutral, and how far the lips touch; held beyond the first and last reliable
        sample."""
        known, departure = self._seconds, self._departure
        if self._options.after == "loop" and not self._is_still:  # the seam leads back to the first sample
            known = np.append(known, self._length + known[0])
            departure = np.concatenate([departure, departure[:1]])
        if len(known) == 1:
            return np.repeat(departure, len(own), axis=0)
        right = np.clip(np.searchsorted(known, own, side="right"), 1, len(known) - 1)
        start, end = known[right - 1], known[right]
        alpha = np.clip((own - start) / (end - start), 0.0, 1.0)[:, None]
        blended: NDArray[np.float64] = departure[right - 1] * (1 - alpha) + departure[right] * alpha
        return blended

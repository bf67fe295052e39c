"""What keyframed curves mean: layers of keys over time, each moving some action units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from retarget.model import action_units

from ..records import Target
from .driver import After, Driver
from .ramps import fade, smoothstep

Ease = Literal["hold", "linear", "smooth", "cubic"]
"""How a key leads to the next: jump there when its time comes; straight; slow-fast-slow; or a monotone cubic
through the neighbouring keys (PCHIP), which flows through its keys and never overshoots them."""

Blend = Literal["set", "add"]
"""set: the action unit takes this value, measured from the face's neutral. add: this much more or less."""

LIPS_TOGETHER = action_units.COUNT
"""Where lips that touch stand among the entries of a layer, behind the action units."""

SAME_TIME_SECONDS = 1e-6
"""Times closer than this are the same: a key at frame 36 belongs to the frame whose pts rounds to it."""


@dataclass(frozen=True)
class Range:
    """Where something applies: weight 0 outside, ramps inside its ends."""

    start_seconds: float
    end_seconds: float
    ramp_in_seconds: float = 0.0
    ramp_out_seconds: float = 0.0

    def weight(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) in [0, 1]. Without ramps the start belongs to the range and the end does not."""
        since = seconds - self.start_seconds + SAME_TIME_SECONDS
        left = self.end_seconds - seconds - SAME_TIME_SECONDS
        ends = fade(since, self.ramp_in_seconds) * fade(left, self.ramp_out_seconds)
        return np.where((since >= 0) & (left > 0), ends, 0.0)


def _weight(ranges: Sequence[Range], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,): the strongest of the ranges; 1 without any."""
    if not ranges:
        return np.ones_like(seconds)
    return np.asarray(np.max([r.weight(seconds) for r in ranges], axis=0), np.float64)


@dataclass(frozen=True, eq=False)
class Layer:
    """Keyed values of some action units."""

    indices: tuple[int, ...]
    """Entries of the action-unit vector, m of them, and LIPS_TOGETHER."""
    seconds: NDArray[np.float64]
    """(k,) times of the keys, increasing."""
    values: NDArray[np.float64]
    """(k, m) in unit range."""
    eases: tuple[Ease, ...]
    """Per key, how it leads to the next."""
    blend: Blend
    ranges: tuple[Range, ...] = ()

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, m): the values at N moments, held before the first and after the last key."""
        keys, values = self.seconds, self.values
        if len(keys) == 1:
            return np.repeat(values, len(seconds), axis=0)
        left = np.clip(np.searchsorted(keys - SAME_TIME_SECONDS, seconds, side="right") - 1, 0, len(keys) - 2)
        inside = np.clip(seconds, keys[0], keys[-1])
        alpha = np.clip((inside - keys[left]) / (keys[left + 1] - keys[left]), 0.0, 1.0)
        eases = np.array(self.eases)[left]
        alpha = np.where(eases == "smooth", smoothstep(alpha), alpha)
        alpha = np.where(eases == "hold", seconds >= keys[-1] - SAME_TIME_SECONDS, alpha)[:, None]
        eased = values[left] * (1 - alpha) + values[left + 1] * alpha
        is_cubic = eases == "cubic"
        if is_cubic.any():
            eased[is_cubic] = PchipInterpolator(keys, values, axis=0)(inside[is_cubic])
        return np.asarray(eased, np.float64)

    @property
    def end_seconds(self) -> float:
        """Of the last key; 0 for a constant."""
        return float(self.seconds[-1])


@dataclass(frozen=True)
class Performance:
    """What is wanted of one face: a driver's expression, then expressions, then curves on top."""

    layers: tuple[Layer, ...]
    driver: Driver | None = None
    offset_seconds: float = 0.0
    """Of the layers; the driver has its own."""
    after: After = "hold"
    release_seconds: float = 0.5
    ranges: tuple[Range, ...] = ()

    @property
    def length_seconds(self) -> float:
        """From its own time 0 to its last key or, if it has ranges, to the end of the last range."""
        own = [r.end_seconds for layer in self.layers for r in layer.ranges]
        ranged = [r.end_seconds for r in self.ranges]
        return max(ranged or [*own, *(layer.end_seconds for layer in self.layers)], default=0.0)

    @property
    def end_seconds(self) -> float:
        """Second of the source where it is over; inf for a constant or a still."""
        ends = [self.offset_seconds + self.length_seconds] if self.length_seconds > 0 else []
        if self.driver is not None:
            ends.append(self.driver.duration_seconds)
        finite = [end for end in ends if math.isfinite(end)]
        return max(finite, default=math.inf)

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:
        """See `Driver`."""
        mix = _Mix.empty(len(seconds))
        if self.driver is not None:
            mix.start_with(self.driver.target(seconds, face))
        own = seconds - self.offset_seconds
        presence = np.ones_like(own)
        if self.length_seconds <= 0:
            pass  # a constant has no end
        elif self.after == "release":
            presence = fade(self.length_seconds + self.release_seconds - own, self.release_seconds)
        elif self.after == "loop":
            own = np.where(own >= 0, own % self.length_seconds, own)
        for layer in self.layers:
            mix.add(layer, layer.at(own), presence * _weight(layer.ranges, own))
        mix.scale(_weight(self.ranges, own))
        return mix.target()


_LEAST_PULL = 0.02
"""Below this share of pulling towards a value, a mixture counts as purely additive: the value that would
express it exactly grows beyond bounds, and the difference is invisible."""


@dataclass(frozen=True, eq=False)
class _Mix:
    """A stack of layers per moment and action unit: the performance is moved by `push - pull * own`.

    Setting is a pull with a push to the value, adding a push alone, and any stack of both stays of that form.
    """

    push: NDArray[np.float64]
    pull: NDArray[np.float64]
    presence: NDArray[np.float64]
    """[0, 1]: how much of anything there is."""

    @classmethod
    def empty(cls, count: int) -> _Mix:
        return cls(*(np.zeros((count, action_units.COUNT + 1)) for _ in range(3)))

    def start_with(self, target: Target) -> None:
        weight = target.weight.astype(np.float64)
        self.push[:, :LIPS_TOGETHER] = weight * target.values
        self.pull[:, :LIPS_TOGETHER] = np.where(target.additive, 0.0, weight)
        self.presence[:, :LIPS_TOGETHER] = weight
        if target.lips_together is not None:
            self.push[:, LIPS_TOGETHER] = target.lips_together

    def add(self, layer: Layer, values: NDArray[np.float64], weight: NDArray[np.float64]) -> None:
        """Puts a layer's values (N, m) on top with a weight (N,)."""
        at, share = list(layer.indices), weight[:, None]
        if layer.blend == "set":
            self.push[:, at] = (1 - share) * self.push[:, at] + share * values
            self.pull[:, at] = (1 - share) * self.pull[:, at] + share
        else:
            self.push[:, at] += share * values
        self.presence[:, at] = 1 - (1 - self.presence[:, at]) * (1 - share)

    def scale(self, weight: NDArray[np.float64]) -> None:
        for array in (self.push, self.pull, self.presence):
            array *= weight[:, None]

    def target(self) -> Target:
        is_in_range = (self.pull > 0) & (np.abs(self.push) <= self.pull * (1 + 1e-9))
        additive = (self.pull < _LEAST_PULL) & ~is_in_range
        weight = np.where(additive, self.presence, self.pull)
        values = np.divide(self.push, weight, out=np.zeros_like(weight), where=weight > 0)
        together = np.clip(self.push[:, LIPS_TOGETHER], 0, 1).astype(np.float32)
        values, weight, additive = (array[:, :LIPS_TOGETHER] for array in (values, weight, additive))
        return Target(values.astype(np.float32), weight.astype(np.float32), additive, together)


class CurveDriver:
    """Keyframed expressions, the same for every face or one performance each."""

    def __init__(self, everyone: Performance | None, *, faces: Mapping[int, Performance] | None = None) -> None:
        """`faces` are those with a performance of their own, by position; `everyone` is for the others."""
        self.everyone = everyone
        self.faces = dict(faces or {})

    @property
    def _performances(self) -> list[Performance]:
        return [*([self.everyone] if self.everyone else []), *self.faces.values()]

    @property
    def duration_seconds(self) -> float:
        """Second of the source of the last key, the last range's end or a driver's end; inf if none moves."""
        ends = [p.end_seconds for p in self._performances]
        return max((end for end in ends if math.isfinite(end)), default=math.inf)

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the clips and captures it plays."""
        return tuple(dict.fromkeys(note for p in self._performances if p.driver for note in p.driver.notes))

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:
        """See `Driver`."""
        performance = self.faces.get(face, self.everyone) or Performance(())
        return performance.target(np.asarray(seconds, np.float64), face)

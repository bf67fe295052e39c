from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.records import Target
from retarget.pipeline.review.request_bars import BAR, draw_bars


def target_of(units: dict[str, float], *, additive: bool = False, weight: float = 1.0) -> Target:
    values, weights = (np.zeros((1, action_units.COUNT), np.float32) for _ in range(2))
    for name, value in units.items():
        values[0, list(action_units.resolve(name))] = value
        weights[0, list(action_units.resolve(name))] = weight
    return Target(values, weights, np.full(values.shape, additive))


def test_bars_are_as_long_as_the_request() -> None:
    bars = draw_bars(target_of({"AU12": 0.5}), None, (320, 240))
    lengths = (bars == BAR).all(-1).sum(axis=1)
    track = 320 - 60 - 76
    assert lengths.max() == pytest.approx(track / 2, abs=2)


def test_bars_list_the_strongest_that_fit() -> None:
    units = {unit.name: 0.1 for unit in action_units.ACTION_UNITS} | {"AU04": 0.9}
    bars = (draw_bars(target_of(units), None, (320, 64)) == BAR).all(-1)
    starts = np.flatnonzero(np.diff(bars.any(axis=1).astype(int)) == 1)
    assert len(starts) == 2
    assert bars[starts[0] + 1].sum() > 5 * bars[starts[1] + 1].sum()


def test_relaxing_to_zero_is_listed(has_color: Any) -> None:
    delta = np.zeros(action_units.COUNT, np.float32)
    delta[list(action_units.resolve("AU12"))] = -0.6
    nothing = draw_bars(target_of({}), delta, (320, 240))  # the change is not this driver's wish
    relaxing = draw_bars(target_of({"AU12": 0.0}), delta, (320, 240))
    assert (nothing != relaxing).any()
    assert not has_color(relaxing, BAR)

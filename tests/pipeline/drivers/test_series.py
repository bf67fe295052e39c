"""Drivers against hand-made series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.driver import DriverOptions
from retarget.pipeline.drivers.series import SeriesDriver
from retarget.pipeline.errors import NoFaceError
from retarget.pipeline.records import ExpressionSeries

COUNT = action_units.COUNT
ZERO = np.zeros(COUNT, np.float32)


def index(name: str) -> int:
    return action_units.NAMES.index(name)


def played(
    series: ExpressionSeries, seconds: Sequence[float], **options: object
) -> tuple[list[float], list[float], bool]:
    """(values, weights, additive) of AU12L."""
    driver = SeriesDriver(series, ZERO, options=DriverOptions(**options))  # type: ignore[arg-type]
    target = driver.target(np.array(seconds), 0)
    column = index("AU12L")
    flags = set(target.additive.ravel().tolist())
    assert len(flags) == 1
    return target.values[:, column].tolist(), target.weight[:, column].tolist(), flags.pop()


class TestSeriesDriver:
    def test_interpolates_by_time_and_subtracts_the_neutral(self, series_of: Any) -> None:
        neutral = ZERO.copy()
        neutral[index("AU12L")] = 0.1
        driver = SeriesDriver(series_of([0, 1, 2], [0.2, 0.6, 0.4]), neutral)
        target = driver.target(np.array([0.0, 0.25, 1.0, 1.5]), 3)
        np.testing.assert_allclose(target.values[:, index("AU12L")], [0.1, 0.2, 0.5, 0.4], atol=1e-6)
        assert not target.additive.any()
        assert driver.duration_seconds == pytest.approx(3)  # three samples of a second each

    def test_lips_that_touch_are_told_whatever_the_neutral_is(self, series_of: Any) -> None:
        series = series_of([0, 1, 2], [0, 0, 0])
        part = index("AU25")
        series.values[:, part], series.filled[part] = (0.0, 0.015, 0.5), True
        neutral = ZERO.copy()
        neutral[part] = 0.3
        seen = SeriesDriver(series, neutral, sees_lips=True).target(np.array([0.0, 1.0, 2.0]), 0)
        assert seen.lips_together is not None
        assert seen.lips_together.tolist() == pytest.approx([1, 0.5, 0])
        assert SeriesDriver(series, neutral).target(np.zeros(1), 0).lips_together is None
        adding = SeriesDriver(series, neutral, options=DriverOptions(mode="add"), sees_lips=True)
        assert adding.target(np.zeros(1), 0).lips_together is None

    def test_unfilled_units_have_no_weight(self, series_of: Any) -> None:
        target = SeriesDriver(series_of([0, 1], [0, 1]), ZERO).target(np.array([0.5]), 0)
        assert target.weight[0, index("AU23")] == 0
        assert target.weight[0, index("AU12L")] == 1

    def test_add_is_additive(self, series_of: Any) -> None:
        assert played(series_of([0, 1], [0, 1]), [0.5], mode="add") == ([0.5], [1.0], True)

    def test_still_lasts_for_ever(self, series_of: Any) -> None:
        still = series_of([0], [0.7])
        assert SeriesDriver(still, ZERO).duration_seconds == math.inf
        values, weights, _ = played(still, [0, 1, 1e6])
        assert values == pytest.approx([0.7] * 3)
        assert weights == [1, 1, 1]

    def test_releases_smoothly_after_its_end(self, series_of: Any) -> None:
        values, weights, _ = played(series_of([0, 1], [0, 1]), [2.0, 2.25, 2.5, 9], release_seconds=0.5)
        assert weights == pytest.approx([1, 0.5, 0, 0])
        assert values == pytest.approx([1, 1, 1, 1])

    def test_release_of_zero_is_a_cut(self, series_of: Any) -> None:
        assert played(series_of([0, 1], [0, 1]), [1.99, 2.0], release_seconds=0)[1] == [1, 0]

    def test_ramps_in_before_a_late_start(self, series_of: Any) -> None:
        values, weights, _ = played(series_of([0, 1], [0.4, 1]), [0, 1.5, 1.75, 2, 3], offset_seconds=2)
        assert weights == pytest.approx([0, 0, 0.5, 1, 1])
        assert values == pytest.approx([0.4, 0.4, 0.4, 0.4, 1.0])

    def test_negative_offset_starts_inside_the_driver(self, series_of: Any) -> None:
        assert played(series_of([0, 1], [0, 1]), [0], offset_seconds=-0.5)[0] == pytest.approx([0.5])

    def test_holds(self, series_of: Any) -> None:
        assert played(series_of([0, 1], [0, 0.8]), [50], after="hold")[:2] == (pytest.approx([0.8]), [1])

    def test_loops_with_a_seam_of_one_step(self, series_of: Any) -> None:
        values, weights, _ = played(series_of([0, 1], [0, 0.8]), [0.5, 1, 1.5, 2, 2.5], after="loop")
        assert values == pytest.approx([0.4, 0.8, 0.4, 0, 0.4])
        assert weights == [1] * 5

    def test_short_loss_is_interpolated_and_long_loss_let_go(self, series_of: Any) -> None:
        seconds = np.arange(0, 4, 0.1)
        lost = ((seconds > 0.35) & (seconds < 0.65)) | ((seconds > 1.05) & (seconds < 2.95))
        smile = np.where(lost, 0.0, 0.5)  # what the tracker says while lost must not matter
        series = series_of(seconds, smile, confidence=np.where(lost, 0.0, 1.0))
        values, weights, _ = played(series, [0.5, 1.0, 1.125, 1.25, 2.0, 2.875, 3.0])
        assert values == pytest.approx([0.5] * 7, abs=1e-6)
        assert weights == pytest.approx([1, 1, 0.5, 0, 0, 0.5, 1], abs=1e-6)

    def test_missing_rows_are_a_loss_too(self, series_of: Any) -> None:
        seconds = [*np.arange(0, 1, 0.04), *np.arange(4, 5, 0.04)]
        assert played(series_of(seconds, [0.5] * 50), [2.5])[1] == [0]

    def test_sparse_samples_are_not_a_loss(self, series_of: Any) -> None:
        assert played(series_of([0, 2, 4, 6], [0, 1, 0, 1]), [1.0, 3.0])[1] == [1, 1]

    def test_late_first_face_comes_in_smoothly(self, series_of: Any) -> None:
        series = series_of(np.arange(30) / 10, [0.5] * 30, confidence=[0] * 20 + [1] * 10)
        assert played(series, [0, 1.75, 1.875, 2.0])[1] == pytest.approx([0, 0, 0.5, 1])

    def test_refuses_a_driver_without_a_face(self, series_of: Any) -> None:
        with pytest.raises(NoFaceError, match="no usable face"):
            SeriesDriver(series_of([0, 1], [0, 1], confidence=[0, 0]), ZERO)

    def test_refuses_a_neutral_of_another_shape(self, series_of: Any) -> None:
        with pytest.raises(ValueError, match=r"expected \(46,\)"):
            SeriesDriver(series_of([0], [0]), np.zeros(17, np.float32))

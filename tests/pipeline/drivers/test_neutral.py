"""The resting expression of hand-made series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.neutral import RESTING_CAPS, estimate_neutral, neutral_at, neutral_of
from retarget.pipeline.errors import DriverError


def index(name: str) -> int:
    return action_units.NAMES.index(name)


def test_finds_the_calm_frames_among_smiles(series_of: Any) -> None:
    smile = np.array([0.05] * 20 + [0.8] * 80)
    assert estimate_neutral(series_of(np.arange(100) / 25, smile))[index("AU12L")] == pytest.approx(0.05)


def test_a_clip_that_is_all_smile_does_not_make_it_neutral(series_of: Any) -> None:
    neutral = estimate_neutral(series_of(np.arange(50) / 25, [0.8] * 50))
    assert neutral[index("AU12L")] == pytest.approx(RESTING_CAPS["AU12"])


def test_gaze_rests_at_zero_and_shut_eyes_are_no_rest(series_of: Any) -> None:
    series = series_of(np.arange(20) / 25, [0.0] * 10 + [0.06] * 10)
    shut = slice(0, 10)  # the calmest frames, but the eyes are shut
    series.values[shut, index("AU45L")] = series.values[shut, index("AU45R")] = 0.9
    series.values[:, index("AU61")] = 0.7
    neutral = estimate_neutral(series)
    assert neutral[index("AU61")] == 0
    assert neutral[index("AU45L")] == 0
    assert neutral[index("AU12L")] == pytest.approx(0.06)


def test_unreliable_and_unknown_values_do_not_count(series_of: Any) -> None:
    series = series_of([0, 1, 2], [0, 0.07, 0.07], confidence=[0.1, 0.9, 0.9])
    series.values[:, index("AU23")] = 0.1
    neutral = estimate_neutral(series)
    assert neutral[index("AU12L")] == pytest.approx(0.07)
    assert neutral[index("AU23")] == 0


def test_caps_cover_the_schema() -> None:
    assert set(RESTING_CAPS) == {unit.name for unit in action_units.ACTION_UNITS}


def test_at_a_time_is_the_mean_around_it(series_of: Any) -> None:
    series = series_of(np.arange(0, 1, 0.05), np.arange(0, 1, 0.05))
    assert neutral_at(series, 0.5)[index("AU12L")] == pytest.approx(0.5)
    assert neutral_of(series, 0.3)[index("AU12L")] == pytest.approx(0.3)
    assert not neutral_of(series, "none").any()


def test_at_a_time_without_a_face(series_of: Any) -> None:
    with pytest.raises(DriverError, match=r"no usable face around 9 s .* 0 to 2 s"):
        neutral_at(series_of([0, 1, 2], [0, 0, 0]), 9)

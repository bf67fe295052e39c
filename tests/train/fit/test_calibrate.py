"""The correction finds what was missing, and an edit then does what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.geometry import GeometryModel
from retarget.train.fit.calibrate import LARGEST_STEP, Responses, calibrated, corrected, correction

C = action_units.COUNT
JAW = action_units.resolve("AU26")[0]


@pytest.fixture
def free(jaw_geometry: GeometryModel) -> GeometryModel:
    """Almost nothing but the jaw moves, so almost nothing costs motion."""
    return jaw_geometry


def test_a_unit_that_moves_far_is_corrected_less(jaw_geometry: GeometryModel) -> None:
    requested = np.random.default_rng(0).uniform(-1, 1, (4000, C))
    change = correction(Responses(requested, 0.7 * requested), jaw_geometry)
    # the jaw alone has all the motion: its price is the mean unit's, times 46
    assert change[JAW, JAW] == pytest.approx(0.3 / (1 + C), abs=0.01)
    other = action_units.resolve("AU12L")[0]
    assert change[other, other] == pytest.approx(0.3, abs=0.02)


def test_a_planted_response_is_undone(free: GeometryModel) -> None:
    rng = np.random.default_rng(0)
    requested = rng.uniform(-1, 1, (4000, C))
    # every unit comes out at 0.7, and a tenth of each AU12 leaks into the AU06 of its side
    response = 0.7 * np.eye(C)
    for side in "LR":
        response[action_units.resolve(f"AU12{side}")[0], action_units.resolve(f"AU06{side}")[0]] = 0.1
    found = Responses(requested, requested @ response)
    assert found.slope == pytest.approx(0.7, abs=0.02)
    change = correction(found, free)
    left, cheek = action_units.resolve("AU12L")[0], action_units.resolve("AU06L")[0]
    assert change[left, left] == pytest.approx(0.3, abs=0.02)
    assert change[left, cheek] == pytest.approx(-0.1, abs=0.02)
    after = Responses(requested, requested @ (np.eye(C) + change) @ response)
    assert after.distance_ratio < 0.6 * found.distance_ratio  # lids stay as they were


def test_no_step_is_larger_than_the_limit(free: GeometryModel) -> None:
    requested = np.random.default_rng(0).uniform(-1, 1, (500, C))
    deaf = correction(Responses(requested, np.zeros_like(requested)), free)
    assert deaf.max() == LARGEST_STEP
    gaze = action_units.resolve("AU61")[0]
    assert not deaf[gaze].any()


def test_corrected_mixes_the_rows(jaw_geometry: GeometryModel) -> None:
    change = np.zeros((C, C))
    change[0, JAW] = 0.5  # asked for the first unit, half a jaw drop is added
    mixed = corrected(jaw_geometry, change)
    np.testing.assert_allclose(mixed.weight[0], jaw_geometry.weight[0] + 0.5 * jaw_geometry.weight[JAW])
    np.testing.assert_array_equal(mixed.weight[JAW], jaw_geometry.weight[JAW])


@dataclass
class Jaw:
    action_units: np.ndarray


class DarkMeter:
    """Reads AU26 off a drawn face: how many pixels its mouth has, from shut to open."""

    def __init__(self, shut: int, opened: int) -> None:
        self.shut, self.opened = shut, opened

    def measure(self, crop: np.ndarray, near: np.ndarray) -> Jaw:  # noqa: ARG002
        values = np.zeros(C, np.float32)
        values[JAW] = (self.count(crop) - self.shut) / (self.opened - self.shut)
        return Jaw(values)

    @staticmethod
    def count(crop: np.ndarray) -> float:
        """Soft edges count in part: the skin is at least 120, the mouth at most 10, in green."""
        return float(np.clip((110 - crop[..., 1].astype(float)) / 100, 0, 1).sum())


def test_a_geometry_that_does_half_is_doubled(
    make_dataset: Callable[..., Any], jaw_geometry: GeometryModel
) -> None:
    dataset = make_dataset(people=5, frames=4, size_px=128)
    frames = [dataset.image(i) for i in range(4)]
    meter = DarkMeter(DarkMeter.count(frames[0]), DarkMeter.count(frames[3]))
    half = GeometryModel.from_fit(jaw_geometry.weight / 2, jaw_geometry.mean_shape, jaw_geometry.triangles)
    options = {"rounds": 3, "faces": 40, "motion_price": 0.0}
    found, history = calibrated(half, dataset, meter, largest_growth=9, **options)
    gain = float(found.weight[JAW].abs().max() / half.weight[JAW].abs().max())
    assert history[0].slope < 0.75
    assert 1.4 < gain < 2.6
    best = min(done.distance_ratio for done in history)
    assert best < 0.6 * history[0].distance_ratio
    # and no further than is allowed
    _, history = calibrated(half, dataset, meter, largest_growth=1.2, **options)
    assert 1.0 < max(done.growth for done in history) <= 1.2 + 1e-6


def test_lids_are_left_alone(free: GeometryModel) -> None:
    requested = np.random.default_rng(0).uniform(-1, 1, (500, C))
    change = correction(Responses(requested, 0.5 * requested), free)
    for name in ("AU05L", "AU07R", "AU45L", "AU45R"):
        assert not change[action_units.resolve(name)[0]].any()
    assert change[action_units.resolve("AU12L")[0]].any()

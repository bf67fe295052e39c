"""What is asked and what comes of it, on numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retarget.model import action_units
from retarget.train.metrics.changes import both_sides, expression_distance, leakage, relative, response


def units(**values: float) -> np.ndarray:
    out = np.zeros(action_units.COUNT, np.float32)
    for name, value in values.items():
        out[list(action_units.resolve(name))] = value
    return out


def test_expression_distance_is_the_l2_norm_of_the_last_axis() -> None:
    one, other = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[0.3, 0.4], [1.0, 1.0]])
    np.testing.assert_allclose(expression_distance(one, other), [0.5, 0.0])


def test_response_of_half_the_change_has_slope_a_half_and_r_one() -> None:
    requested = np.array([-1.0, 0.0, 0.5, 1.0])
    found = response(requested, 0.5 * requested)
    assert (found.slope, found.r, found.count) == (pytest.approx(0.5), pytest.approx(1.0), 4)


def test_response_slope_goes_through_the_origin() -> None:
    # An offset of 1 on (1, 2): (1*2 + 2*3) / (1 + 4) = 1.6; the ordinary regression line would have slope 1.
    assert response(np.array([1.0, 2.0]), np.array([2.0, 3.0])).slope == pytest.approx(1.6)


def test_response_without_variation_or_request_is_not_a_number() -> None:
    still = response(np.array([1.0, 2.0]), np.zeros(2))
    assert still.slope == 0
    assert math.isnan(still.r)
    assert math.isnan(response(np.zeros(3), np.ones(3)).slope)
    assert response(np.zeros(0), np.zeros(0)).count == 0


def test_leakage_is_stray_change_over_requested_change() -> None:
    requested = np.array([[0.3, 0.4, 0.0, 0.01]])  # norm 0.5002
    achieved = np.array([[9.0, 9.0, 0.06, 0.08]])  # of the last two: 0.1; what was asked for does not count
    assert leakage(requested, achieved) == pytest.approx(0.1 / np.linalg.norm(requested))
    assert leakage(requested, np.array([[9.0, 9.0, 0.0, 0.0]])) == 0
    assert math.isnan(leakage(np.zeros((1, 2)), np.ones((1, 2))))


def test_relative_leaves_the_gaze_alone_unless_asked() -> None:
    source, target = units(AU12=0.2, AU61=0.1), units(AU12=0.9, AU61=0.8)
    gaze = list(action_units.resolve("AU61"))
    assert relative(source, target, gaze=False)[gaze] == 0
    assert relative(source, target, gaze=True)[gaze] == pytest.approx(0.7)
    assert relative(source, target, gaze=False)[action_units.NAMES.index("AU12L")] == pytest.approx(0.7)


def test_both_sides_moves_one_unit_alone() -> None:
    delta = both_sides("AU12", -0.5)
    assert {action_units.NAMES[i] for i in np.flatnonzero(delta)} == {"AU12L", "AU12R"}
    assert delta.min() == -0.5

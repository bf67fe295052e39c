"""What bends shakes; a gap does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retarget.train.metrics.shake import second_difference


def test_second_difference_of_a_parabola_is_its_curvature() -> None:
    seconds = np.arange(6) / 25
    frames = np.arange(6.0)
    assert second_difference(3 * frames**2, seconds) == pytest.approx(6)
    assert second_difference(np.stack([frames, 5 * frames], 1), seconds) == pytest.approx(0)


def test_second_difference_passes_over_gaps() -> None:
    seconds = np.array([0, 1, 2, 10, 11, 12]) / 25
    jump = np.array([0.0, 0, 0, 50, 50, 50])
    assert second_difference(jump, seconds) == 0
    assert math.isnan(second_difference(np.zeros(2), seconds[:2]))

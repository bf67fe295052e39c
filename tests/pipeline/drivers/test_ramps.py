"""Weights that come and go, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from retarget.pipeline.drivers.ramps import fade, smoothstep


def test_smoothstep() -> None:
    assert smoothstep(np.array([-1, 0, 0.25, 0.5, 1, 2])) == pytest.approx([0, 0, 3 / 16 - 2 / 64, 0.5, 1, 1])


def test_fade() -> None:
    assert fade(np.array([-1.0, 0.0, 1.0, 2.0, 3.0]), 2.0) == pytest.approx([0, 0, 0.5, 1, 1])


def test_fade_without_a_ramp_is_a_step() -> None:
    assert fade(np.array([-0.1, 0.0, 0.1]), 0.0).tolist() == [0, 1, 1]

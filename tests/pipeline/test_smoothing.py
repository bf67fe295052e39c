"""Smoothing over time: what it keeps, what it takes, and where it stops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retarget.pipeline.smoothing import runs, smooth


def seconds(n: int, rate: float = 25) -> Any:
    return np.arange(n) / rate


def smoothed(values: Any, rate: float = 25, window: float = 0.2) -> Any:
    return smooth(np.asarray(values, float)[:, None], seconds(len(values), rate), window_seconds=window)[:, 0]


@pytest.mark.parametrize(("rate", "window"), [(25, 0.2), (60, 0.2), (25, 0.6)])
def test_a_symmetric_bump_stays_where_it_is(rate: float, window: float) -> None:
    bump = np.exp(-(((np.arange(61) - 30) / 4) ** 2))
    out = smoothed(bump, rate, window)
    assert out.argmax() == 30
    np.testing.assert_allclose(out, out[::-1], atol=1e-12)


def test_quadratics_pass_unchanged_to_the_very_ends() -> None:
    t = np.linspace(-1, 1, 40)
    values = 0.3 + 0.2 * t - 0.4 * t**2
    np.testing.assert_allclose(smoothed(values, window=0.5), values, atol=1e-12)


def test_five_frames_by_hand() -> None:
    # Savitzky & Golay's table, quadratic, five points: (-3 12 17 12 -3) / 35
    out = smoothed([0, 0, 0, 0, 1, 0, 0, 0, 0])
    assert (35 * out[2:7]).tolist() == pytest.approx([-3, 12, 17, 12, -3])


@pytest.mark.parametrize("rate", [24, 25, 30])
def test_a_blink_keeps_its_height(rate: float) -> None:
    blink = [0] * 10 + [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3] + [0] * 10
    assert smoothed(blink, rate).max() >= 0.85


def test_noise_gets_less() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 400)
    assert smoothed(noise).std() < 0.75
    assert smoothed(noise, window=0.6).std() < 0.45


def test_nothing_crosses_a_gap() -> None:
    time = np.r_[seconds(20), 5 + seconds(20)]
    values = np.r_[np.zeros(20), np.ones(20)][:, None]
    np.testing.assert_allclose(smooth(values, time, window_seconds=1.0), values, atol=1e-12)


def test_one_frame_missing_is_no_gap_but_two_are() -> None:
    assert runs(np.array([0, 1, 2, 4, 5.0]), 1.0) == [(0, 5)]
    assert runs(np.array([0, 1, 2, 5, 6.0]), 1.0) == [(0, 3), (3, 5)]
    assert runs(np.array([0.0]), 1.0) == [(0, 1)]


@pytest.mark.parametrize("count", range(7))
def test_short_series(count: int) -> None:
    values = np.random.default_rng(0).random((count, 3))
    out = smooth(values, seconds(count), window_seconds=0.2)
    assert out.shape == (count, 3)
    if count < 5:
        np.testing.assert_array_equal(out, values)


def test_a_window_of_nothing_or_of_three_frames_changes_nothing() -> None:
    values = np.random.default_rng(0).random(30)
    np.testing.assert_array_equal(smoothed(values, window=0), values)
    np.testing.assert_array_equal(smoothed(values, window=0.12), values)


def test_the_input_is_not_written_to() -> None:
    values = np.random.default_rng(0).random((30, 2))
    before = values.copy()
    smooth(values, seconds(30), window_seconds=0.5)
    np.testing.assert_array_equal(values, before)

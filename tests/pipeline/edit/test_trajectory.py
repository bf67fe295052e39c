from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.model import action_units
from retarget.pipeline.edit.trajectory import (
    MAX_INTENSITY,
    edge_ramp,
    envelope,
    relative,
    runs,
    smooth,
)
from retarget.pipeline.records import Target

C = action_units.COUNT


def seconds(n: int, rate: float = 25) -> Any:
    return np.arange(n) / rate


def smoothed(values: Any, rate: float = 25, window: float = 0.2) -> Any:
    return smooth(np.asarray(values, float)[:, None], seconds(len(values), rate), window_seconds=window)[:, 0]


# smooth


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


# relative


def target(value: float, *, weight: float = 1.0, additive: bool = False, n: int = 1) -> Target:
    shape = (n, C)
    return Target(
        np.full(shape, value, np.float32), np.full(shape, weight, np.float32), np.full(shape, additive, bool)
    )


def vrel(own: float, neutral: float, wanted: Target, gain: float = 1.0) -> float:
    n = len(wanted.values)
    out = relative(np.full((n, C), own), np.full(C, neutral), wanted, gain=np.full(C, gain))
    assert out.dtype == np.float32
    assert np.ptp(out) == 0
    return float(out[0, 0])


def test_equation_one_by_hand() -> None:
    # v_rel = v_target - v_source, both from their own neutral: 0.8 - (0.5 - 0.2)
    assert vrel(0.5, 0.2, target(0.8)) == pytest.approx(0.5)
    # the source at rest, the driver at rest: nothing, whatever either's resting face is
    assert vrel(0.2, 0.2, target(0.0)) == 0
    # a performance of 0.6 over its neutral, asked to rest: back to neutral
    assert vrel(0.7, 0.1, target(0.0)) == pytest.approx(-0.6)


def test_adding_ignores_the_performance() -> None:
    assert vrel(0.5, 0.2, target(0.3, additive=True)) == pytest.approx(0.3)
    assert vrel(0.5, 0.2, target(-0.3, additive=True)) == pytest.approx(-0.3)


def test_gain_and_weight_scale_the_change() -> None:
    assert vrel(0.5, 0.2, target(0.8), gain=0.5) == pytest.approx(0.25)
    assert vrel(0.5, 0.2, target(0.8, weight=0.5), gain=0.5) == pytest.approx(0.125)
    assert vrel(0.5, 0.2, target(0.8, weight=0)) == 0
    assert vrel(0.5, 0.2, target(0.8), gain=0) == 0


def test_the_edited_expression_stays_within_bounds() -> None:
    assert vrel(0.5, 0.0, target(1.0), gain=5) == pytest.approx(MAX_INTENSITY - 0.5)
    assert vrel(0.3, 0.0, target(-1.0, additive=True)) == pytest.approx(-0.3)
    assert vrel(-0.02, 0.0, target(-1.0, additive=True)) == 0, "smoothing's undershoot is not made worse"


def test_units_and_moments_are_independent() -> None:
    wanted = target(0.5, n=2)
    wanted.additive[1] = True
    own = np.zeros((2, C))
    own[:, 3] = 0.4
    gain = np.ones((2, C))
    gain[1] = 2
    out = relative(own, np.zeros(C), wanted, gain=gain)
    assert out[0, 3] == pytest.approx(0.1)
    assert out[1, 3] == pytest.approx(MAX_INTENSITY - 0.4)  # 0.4 + 2 * 0.5 is beyond
    assert out[0, 4] == pytest.approx(0.5)


@given(
    own=st.floats(0, 1), neutral=st.floats(0, 1), value=st.floats(-1, 1), gain=st.floats(-3, 3), add=st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_more_asked_is_never_less_done(own: float, neutral: float, value: float, gain: float, add: bool) -> None:
    less, more = (vrel(own, neutral, target(v, additive=add), gain=abs(gain)) for v in (value, value + 0.1))
    assert more >= less - 1e-6
    assert -1e-6 <= own + vrel(own, neutral, target(value, additive=add), gain=gain) <= MAX_INTENSITY + 1e-6


# envelope and ramps


def test_envelope_by_hand() -> None:
    one = np.ones(1)
    assert envelope(0 * one, 0 * one, one)[0] == 1
    assert envelope(35 * one, 25 * one, 0.5 * one)[0] == 1
    assert envelope(-45 * one, 0 * one, one)[0] == pytest.approx(0.5)
    assert envelope(45 * one, -35 * one, 0.3 * one)[0] == pytest.approx(0.125)
    assert envelope(55 * one, 0 * one, one)[0] == 0
    assert envelope(0 * one, 0 * one, 0.1 * one)[0] == 0


def test_envelope_never_rises_as_things_get_worse() -> None:
    angles, zero, one = np.linspace(0, 90, 200), np.zeros(200), np.ones(200)
    assert (np.diff(envelope(angles, zero, one)) <= 0).all()
    assert (np.diff(envelope(zero, -angles, one)) <= 0).all()
    assert (np.diff(envelope(zero, zero, np.linspace(0, 1, 200))) >= 0).all()


def test_edge_ramp_by_hand() -> None:
    time = np.array([1.0, 1.1, 1.2, 1.5, 1.9, 2.0])
    assert edge_ramp(time, 1.0, None, 0.2).tolist() == pytest.approx([0, 0.5, 1, 1, 1, 1])
    assert edge_ramp(time, None, 2.0, 0.2).tolist() == pytest.approx([1, 1, 1, 1, 0.5, 0])
    assert edge_ramp(time, None, None, 0.2).tolist() == [1] * 6

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.model import action_units
from retarget.pipeline.edit.trajectory import (
    MAX_INTENSITY,
    NORM_KNEE,
    NORM_MOST,
    facing,
    relative,
    softened,
)
from retarget.pipeline.records import Target

C = action_units.COUNT


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


# what the pose allows


def test_what_a_pose_allows_by_hand() -> None:
    one, straight = np.ones(1), np.zeros(1)
    assert facing(straight, straight, straight)[0] == 1
    assert facing(28 * one, 0 * one, straight)[0] == pytest.approx(1)
    assert facing(0 * one, -25 * one, straight)[0] == pytest.approx(1)
    assert facing(-37 * one, straight, straight)[0] == pytest.approx(0.5)
    assert facing(straight, 35 * one, straight)[0] == pytest.approx(0.5)
    assert facing(46 * one, straight, straight)[0] == 0


def test_more_turned_is_never_more_allowed() -> None:
    angles, zero = np.linspace(0, 90, 200), np.zeros(200)
    assert (np.diff(facing(angles, zero, zero)) <= 1e-12).all()
    assert (np.diff(facing(zero, -angles, zero)) <= 1e-12).all()


def test_what_can_be_shown_is_done_as_asked() -> None:
    delta = np.zeros((3, 46), np.float32)
    delta[:, :4] = [[0.0], [0.5], [NORM_KNEE / 2]]
    np.testing.assert_array_equal(softened(delta), delta)


def test_more_grows_ever_more_slowly_in_its_own_direction() -> None:
    direction = np.random.default_rng(0).normal(size=46)
    direction /= np.linalg.norm(direction)
    lengths = np.array([2.0, 2.2, 2.6, 3.5, 6.0])
    out = softened((lengths[:, None] * direction).astype(np.float32))
    done = np.linalg.norm(out, axis=1)
    assert done[0] == pytest.approx(2.0, abs=1e-5)
    assert (np.diff(done) > 0).all()
    assert (np.diff(done) < np.diff(lengths)).all()
    assert done[-1] < NORM_MOST
    np.testing.assert_allclose(out / done[:, None], np.tile(direction, (5, 1)), atol=1e-5)


@pytest.mark.parametrize("roll", [-90.0, 35.0, 90.0, 180.0])
def test_a_lying_face_is_judged_by_its_own_axes(rotation_of: Any, make_face: Any, roll: float) -> None:
    for yaw, pitch in ((32.0, 0.0), (0.0, 32.0), (-33.0, 12.0)):
        weights = []
        for turn in (np.eye(3), rotation_of(0, 0, roll)):
            face = dataclasses.replace(make_face(), rotation=(turn @ rotation_of(yaw, pitch)).astype(np.float32))
            own_roll = np.arctan2(face.rotation[1, 0], face.rotation[0, 0])
            nose = (np.array([face.yaw_degrees]), np.array([face.pitch_degrees]))
            weights.append(facing(*nose, np.array([own_roll]))[0])
        assert weights[0] == pytest.approx(weights[1], abs=1e-3)
        assert 0.05 < weights[0] < 0.95

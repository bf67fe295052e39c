"""Requests corrected by what was missed: by hand, within bounds, and only what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.edit.correct import (
    MOST_EXTRA,
    MOST_SHARE,
    corrected,
    judged_units,
    missed,
    rms_of_asked,
    sampled,
    spread,
)
from retarget.pipeline.edit.options import PlanOptions
from retarget.pipeline.edit.plan import FacePlan, plan_faces
from retarget.pipeline.edit.trajectory import NORM_KNEE, NORM_MOST

C = action_units.COUNT
JAW, SMILE = action_units.resolve("AU26")[0], action_units.resolve("AU12L")[0]
CHEEK = action_units.resolve("AU06L")[0]

Make = Callable[..., FacePlan]


@pytest.fixture
def make_plan(analysed: Any, make_face: Any, fixed_driver: Any) -> Make:
    """`make_plan(delta)`: the plan of a face at rest that is asked for `delta` (n, C)."""

    def make(delta: Any, lost: tuple[int, ...] = ()) -> FacePlan:
        frames = [() if i in lost else (make_face(0, (128, 100), 80),) for i in range(len(delta))]
        (plan,) = plan_faces(analysed(frames), fixed_driver({"AU26": 0.0}), PlanOptions(neutral="none")).faces
        kept = np.array([i for i in range(len(delta)) if i not in lost])
        return replace(plan, own=np.zeros((len(kept), C), np.float32), delta_au=np.float32(delta)[kept])

    return make


def asking(frames: int, **wishes: Any) -> Any:
    delta = np.zeros((frames, C), np.float32)
    for name, value in wishes.items():
        delta[:, list(action_units.resolve(name))] = np.reshape(value, (-1, 1))
    return delta


def shown(plan: FacePlan, share: float) -> tuple[Any, Any]:
    """The sampled moments, and what is measured where that share of what is asked comes out."""
    moments = sampled(plan)
    return moments, (plan.own + share * plan.delta_au)[moments]


# Where it is looked at


def test_four_moments_a_second_each_the_strongest_of_its_time(make_plan: Make) -> None:
    jaw = np.linspace(0.2, 0.6, 50)
    jaw[31] = 0.9
    plan = make_plan(asking(50, AU26=jaw))
    moments = sampled(plan)
    assert len(moments) == 8
    assert 31 in moments
    assert moments.tolist() == sorted(moments.tolist())
    assert set(sampled(plan, 1.0)) <= set(moments), "those a second are among them"


def test_moments_with_nothing_to_do_are_not_looked_at(make_plan: Make) -> None:
    jaw = np.where(np.arange(50) < 25, 0.0, 0.5)
    assert sampled(make_plan(asking(50, AU26=jaw))).min() >= 25
    assert len(sampled(make_plan(asking(50)))) == 0


# What it lacks


def test_a_miss_is_what_was_asked_less_what_came(make_plan: Make) -> None:
    plan = make_plan(asking(50, AU26=0.5))
    moments, measured = shown(plan, 0.6)
    miss = missed(plan, moments, measured)
    np.testing.assert_allclose(miss[:, JAW], 0.2, atol=1e-6)
    assert rms_of_asked([plan], [miss]) == pytest.approx(0.2)
    assert not miss[:, SMILE].any()


def test_what_was_not_asked_or_cannot_be_judged_or_was_lost_is_no_miss(make_plan: Make) -> None:
    plan = make_plan(asking(50, AU26=0.5, AU06=0.5))
    moments, measured = shown(plan, 0.6)
    measured[:, SMILE] = 0.7
    measured[2] = np.nan
    miss = missed(plan, moments, measured)
    assert not miss[:, SMILE].any()
    assert not miss[:, CHEEK].any()
    assert not judged_units()[CHEEK]
    assert not miss[2].any()
    assert miss[1, JAW] == pytest.approx(0.2)


def test_more_than_can_be_measured_is_not_missed(make_plan: Make) -> None:
    plan = make_plan(asking(50, AU26=1.2))
    moments = sampled(plan)
    assert not missed(plan, moments, np.ones((len(moments), C), np.float32)).any()


def test_nothing_asked_misses_nothing(make_plan: Make) -> None:
    plan = make_plan(asking(10))
    assert rms_of_asked([plan], [missed(plan, sampled(plan), np.zeros((0, C), np.float32))]) == 0
    assert rms_of_asked([], []) == 0


# What is done about it


def test_the_correction_by_hand(make_plan: Make) -> None:
    plan = make_plan(asking(50, AU26=0.5))
    moments, measured = shown(plan, 0.6)
    fixed = corrected(plan, moments, missed(plan, moments, measured))
    # k = 0.5 * 0.2 / (0.5^2 + 0.14^2) = 0.371; 0.5 * (1 + 0.7 k) = 0.630
    np.testing.assert_allclose(fixed.delta_au[:, JAW], 0.62982, atol=1e-4)
    np.testing.assert_array_equal(fixed.goal, plan.delta_au)


def test_a_second_round_adds_to_the_first(make_plan: Make) -> None:
    plan = make_plan(asking(50, AU26=0.5))
    for _ in range(2):
        moments, measured = shown(plan, 0.6)
        plan = corrected(plan, moments, missed(plan, moments, measured))
    # the first leaves 0.5 - 0.6 * 0.62982 = 0.12211; 0.62982 + 0.7 * 0.5^2 * 0.12211 / (0.5^2 + 0.14^2)
    np.testing.assert_allclose(plan.delta_au[:, JAW], 0.70909, atol=1e-4)
    np.testing.assert_allclose(plan.goal[:, JAW], 0.5)


@pytest.mark.parametrize("sign", [1, -1])
def test_too_much_is_taken_back(make_plan: Make, sign: int) -> None:
    plan = make_plan(asking(50, AU26=sign * 0.4))
    plan = replace(plan, own=np.full_like(plan.own, 0.5))
    moments, measured = shown(plan, 1.25)
    fixed = corrected(plan, moments, missed(plan, moments, measured))
    assert np.abs(fixed.delta_au[:, JAW]).max() < 0.36


def test_what_comes_out_needs_no_correction(make_plan: Make) -> None:
    plan = make_plan(asking(50, AU26=0.4, AU12=-0.2))
    moments, measured = shown(plan, 1.0)
    plan = replace(plan, own=np.full_like(plan.own, 0.5))
    miss = missed(plan, moments, measured + 0.5)
    np.testing.assert_allclose(corrected(plan, moments, miss).delta_au, plan.delta_au, atol=1e-6)


def test_what_was_not_asked_stays_as_it_is(make_plan: Make) -> None:
    jaw = np.where(np.arange(50) < 25, 0.0, 0.5)
    plan = make_plan(asking(50, AU26=jaw))
    moments, measured = shown(plan, 0.0)
    fixed = corrected(plan, moments, missed(plan, moments, measured))
    assert not fixed.delta_au[:25].any()
    np.testing.assert_array_equal(np.flatnonzero(fixed.delta_au.any(0)), [JAW])
    assert (fixed.delta_au[25:, JAW] > 0.5).all()


@pytest.mark.parametrize(("yaw", "share"), [(0, 1.0), (-28, 1.0), (35, 0.5), (50, 0.0)])
def test_a_face_that_is_turned_is_corrected_less(make_plan: Make, yaw: float, share: float) -> None:
    plan = make_plan(asking(50, AU26=0.5))
    plan = replace(plan, track=replace(plan.track, yaw_degrees=np.full(50, yaw)))
    moments, measured = shown(plan, 0.6)
    fixed = corrected(plan, moments, missed(plan, moments, measured))
    np.testing.assert_allclose(fixed.delta_au[:, JAW], 0.5 + 0.12982 * share, atol=1e-4)


def test_the_bounds(make_plan: Make) -> None:
    rng = np.random.default_rng(0)
    delta = rng.uniform(-1.2, 1.2, (60, C)).astype(np.float32) * 0.2
    plan = make_plan(delta)
    moments = sampled(plan)
    for _ in range(4):
        miss = np.sign(delta[moments]) * rng.uniform(-3, 3, (len(moments), C))
        plan = corrected(plan, moments, miss)
        most = MOST_SHARE * np.abs(delta) + MOST_EXTRA + 1e-6
        assert (np.abs(plan.delta_au - delta) <= most).all()
        assert (plan.delta_au * delta >= 0).all(), "a request is not turned round"
        assert np.abs(plan.delta_au).max() <= 1.25


def test_a_long_request_stays_within_what_can_be_shown(make_plan: Make) -> None:
    plan = make_plan(asking(50, AU26=1.0, AU12=0.8, AU25=1.0, AU04=0.5))
    moments = sampled(plan)
    fixed = corrected(plan, moments, plan.goal[moments])
    before, after = (np.linalg.norm(delta, axis=1) for delta in (plan.delta_au, fixed.delta_au))
    assert (before > NORM_KNEE - 0.1).all()
    assert (after > before).all()
    assert (after < NORM_MOST).all()
    unchanged = corrected(plan, moments, np.zeros((len(moments), C)))
    np.testing.assert_allclose(unchanged.delta_au, plan.delta_au, atol=1e-6)


def test_a_miss_does_not_pass_a_gap(make_plan: Make) -> None:
    plan = make_plan(asking(60, AU26=0.5), lost=tuple(range(28, 32)))
    moments = sampled(plan)
    miss = np.where(plan.track.frames[moments] < 30, 0.2, 0.0)[:, None] * np.eye(C)[JAW]
    over_time = spread(miss, moments, plan)[:, JAW]
    np.testing.assert_allclose(over_time, np.where(plan.track.frames < 30, 0.2, 0.0), atol=1e-9)


def test_the_correction_changes_slowly(make_plan: Make) -> None:
    plan = make_plan(asking(75, AU26=0.5))
    moments = sampled(plan)
    miss = np.random.default_rng(1).uniform(-0.3, 0.3, (len(moments), 1)) * np.eye(C)[JAW]
    fixed = corrected(plan, moments, miss)
    assert np.abs(np.diff(fixed.delta_au[:, JAW], 2)).max() < 0.004

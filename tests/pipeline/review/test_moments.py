"""Which moments are shown: on planted plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.pipeline.edit import FacePlan
from retarget.pipeline.faces import FaceTrack
from retarget.pipeline.review.moments import choose_moments, faces_at, strongest


@pytest.fixture
def plan_of(make_track: Callable[..., FaceTrack]) -> Callable[..., FacePlan]:
    """`plan_of(strength, first_frame=0)`: one action unit in consecutive frames."""

    def make(strength: NDArray[np.floating], first_frame: int = 0) -> FacePlan:
        n = len(strength)
        delta = np.zeros((n, action_units.COUNT), np.float32)
        delta[:, 10] = strength
        track = make_track(np.arange(first_frame, first_frame + n))
        return FacePlan(track, 0, np.abs(delta), delta, np.ones(n), (), np.zeros((n, 4)))

    return make


def test_moments_of_an_even_edit_are_spread_evenly(plan_of: Any) -> None:
    assert choose_moments([plan_of(np.ones(60))], 60, 6) == [0, 10, 20, 30, 40, 50]


def test_moments_are_the_peaks_in_order_of_time(plan_of: Any) -> None:
    strength = np.full(100, 0.05)
    strength[[80, 20, 50]] = 1.0, -0.9, 0.8  # relaxing counts as much as tensing
    assert choose_moments([plan_of(strength)], 100, 3) == [20, 50, 80]


def test_moments_lie_where_something_is_edited(plan_of: Any) -> None:
    chosen = choose_moments([plan_of(np.ones(20), first_frame=70)], 200, 4)
    assert chosen == [70, 75, 80, 85]


def test_moments_beyond_the_edited_frames_are_far_from_them(plan_of: Any) -> None:
    assert choose_moments([plan_of(np.ones(2), first_frame=10)], 100, 3) == [10, 11, 99]


def test_moments_without_any_edit_are_spread_over_the_clip(plan_of: Any) -> None:
    assert choose_moments([plan_of(np.zeros(31))], 31, 4) == [0, 10, 20, 30]


def test_a_clip_of_fewer_frames_gives_fewer_moments(plan_of: Any) -> None:
    assert choose_moments([plan_of(np.ones(3))], 3, 6) == [0, 1, 2]


def test_strongest_merges_sides_that_agree() -> None:
    values = np.zeros(action_units.COUNT)
    for name, value in {"AU12L": 0.5, "AU12R": 0.52, "AU04L": -0.9, "AU17": 0.001}.items():
        values[action_units.NAMES.index(name)] = value
    assert strongest(values, 4) == [("AU04L", -0.9), ("AU12", pytest.approx(0.51))]


def test_the_most_edited_face_of_a_frame_comes_first(plan_of: Any) -> None:
    weak, strong, later = plan_of(np.full(5, 0.2)), plan_of(np.full(5, -0.6)), plan_of(np.ones(5), first_frame=9)
    assert [face.plan for face in faces_at([weak, strong, later], 3)] == [strong, weak]
    assert [(face.plan, face.at) for face in faces_at([weak, strong, later], 10)] == [(later, 1)]
    assert faces_at([weak], 5) == []

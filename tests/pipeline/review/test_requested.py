"""What a run's report asked, and of whom: on tracks made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.faces import FaceSelection
from retarget.pipeline.report import Report, report_of
from retarget.pipeline.review.requested import planned_faces, requests_of, rows_at


def report(*faces: dict[str, Any]) -> Report:
    return report_of({"details": {"faces": list(faces)}})


def face(place: int = 0, size_px: float = 100.0, own: float = 0.2) -> dict[str, Any]:
    return {
        "shot": 0,
        "face": place,
        "size_px": size_px,
        "seconds": [0.0, 0.1],
        "allowed": [1.0, 1.0],
        "own": {"AU12L": [own, own]},
        "v_rel": {"AU12L": [0.5, 0.4]},
    }


def test_a_request_in_arrays() -> None:
    (request,) = requests_of(report(face())) or []
    assert (request.shot, request.face, request.units) == (0, 0, ("AU12L",))
    np.testing.assert_array_equal(request.v_rel, [[0.5], [0.4]])
    np.testing.assert_array_equal(request.own, [[0.2], [0.2]])


@pytest.mark.parametrize("lost", [None, Report(), report()])
def test_a_report_that_says_nothing(lost: Any) -> None:
    assert requests_of(lost) is None


def test_each_request_finds_the_track_that_is_like_it(make_track: Any) -> None:
    small, large = make_track([0, 1], size_px=40), make_track([0, 1], size_px=100)
    analysis: Any = SimpleNamespace(tracks=[small, large])
    requests = requests_of(report(face(0, size_px=100), face(1, size_px=40)))
    assert [(plan.face, plan.track) for plan in planned_faces(analysis, requests)] == [(0, large), (1, small)]


def test_of_two_faces_of_a_size_the_expression_tells_which(make_track: Any) -> None:
    calm, glad = make_track([0, 1], units=0.1), make_track([0, 1], units=0.8)
    analysis: Any = SimpleNamespace(tracks=[calm, glad])
    (plan,) = planned_faces(analysis, requests_of(report(face(own=0.7))))
    assert plan.track is glad


def test_a_face_that_is_no_longer_there_is_left_out(make_track: Any) -> None:
    analysis: Any = SimpleNamespace(tracks=[make_track([0, 1])])
    assert len(planned_faces(analysis, requests_of(report(face(0), face(1))))) == 1


def test_without_a_report_the_largest_face_of_each_shot_is_meant(make_track: Any) -> None:
    track = make_track([0, 1])
    analysis: Any = SimpleNamespace(select=lambda how: [(track, 0)] if how == FaceSelection() else [])
    (plan,) = planned_faces(analysis, None)
    assert (plan.track, plan.face, plan.request) == (track, 0, None)


def test_moments_are_matched_by_the_nearest_time() -> None:
    at, there = rows_at(np.array([0.0, 0.0417, 0.0833]), np.array([0.04171, 0.0833, 0.2]))
    assert at.tolist() == [1, 2, 2]
    assert there.tolist() == [True, True, False]
    at, there = rows_at(np.array([0.5]), np.array([0.5]))
    assert (at.tolist(), there.tolist()) == ([0], [True])

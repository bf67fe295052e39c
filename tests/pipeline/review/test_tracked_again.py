"""Faces found again in the output: on tracks made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.faces import canonical_face
from retarget.pipeline.review.judges import Pictures
from retarget.pipeline.review.look import LookSeries
from retarget.pipeline.review.requested import PlannedFace, Request
from retarget.pipeline.review.series import FaceSeries
from retarget.pipeline.review.tracked_again import face_series

AU12L = action_units.NAMES.index("AU12L")


def analysis_of(*tracks: Any) -> Any:
    """Of one shot, frames 0 to 5; every face rests, 60 px between the eyes."""
    return SimpleNamespace(
        shots=[SimpleNamespace(number=0, first_frame=0, last_frame=5)],
        seconds=np.arange(6) / 10,
        tracks=tracks,
        landmarks=lambda *_: (60 * canonical_face()).astype(np.float32),
    )


def pictures_of(track: Any) -> Pictures:
    """Moment i has i ‰ of new edges."""
    n = len(track.frames)
    return Pictures(np.zeros((n, 4)), np.zeros((n, 4, 2)), np.zeros((n, 3, 2)), np.arange(n) * 1.0)


def series_of(source: Any, *output: Any) -> FaceSeries:
    seconds = source.frames / 10
    table = np.full((len(seconds), 1), 0.5)
    request = Request(0, 0, 100.0, seconds, ("AU12L",), table, table)
    plan = PlannedFace(source, 0, request)
    looks = LookSeries(source.frames)
    analyses = analysis_of(source), analysis_of(*output)
    return face_series(plan, *analyses, looks, pictures_of(source), smooth_seconds=0.0)


def test_a_face_is_measured_where_it_is_found_again(make_track: Any) -> None:
    made = series_of(make_track([1, 2, 3]), make_track([2, 3, 4], center=(30, 0), units=0.7))
    assert made.frames.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(made.in_source, [0, 1, 1, 1, 0, 0])
    np.testing.assert_array_equal(made.in_output, [0, 0, 1, 1, 0, 0])
    np.testing.assert_allclose(made.measured[:, 0], [np.nan, np.nan, 0.7, 0.7, np.nan, np.nan], atol=1e-6)
    np.testing.assert_allclose(made.requested[:, 0], [np.nan, 0.5, 0.5, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(made.new_edges, [np.nan, 0, 1, 2, np.nan, np.nan])


def test_a_face_farther_than_half_its_size_is_another(make_track: Any) -> None:
    assert not series_of(make_track([1, 2, 3]), make_track([1, 2, 3], center=(51, 0))).in_output.any()


def test_of_two_faces_the_nearer_is_it(make_track: Any) -> None:
    far, near = (make_track([1, 2, 3], center=(x, 0), units=x / 100) for x in (40, 10))
    made = series_of(make_track([1, 2, 3]), far, near)
    np.testing.assert_allclose(made.measured[1:4, 0], 0.1, atol=1e-6)


def test_a_still_face_does_not_jump(make_track: Any) -> None:
    made = series_of(make_track([1, 2, 3]), make_track([1, 2, 3]))
    np.testing.assert_allclose(made.jitter[2], 0, atol=1e-6)
    assert np.isnan(made.jitter[[1, 3]]).all(), "a neighbour is missing"


def test_a_face_of_which_nothing_was_asked(make_track: Any) -> None:
    track = make_track([1, 2, 3])
    plan = PlannedFace(track, 2, None)
    seen = LookSeries(track.frames), pictures_of(track)
    made = face_series(plan, analysis_of(track), analysis_of(track), *seen, smooth_seconds=0.2)
    assert (made.face, made.units, made.requested.shape) == (2, (), (6, 0))
    assert made.edit[2] == pytest.approx(0)

"""The plans by frame: crop, landmarks and units of each request."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.edit.options import PlanOptions
from retarget.pipeline.edit.plan import EDIT_FLOOR, Plans, plan_faces
from retarget.pipeline.edit.schedule import EditSchedule
from retarget.pipeline.faces import alignment, apply, crop_matrix

CROP = CropSpec(size_px=64)


@pytest.fixture
def planned(fixed_driver: Any) -> Any:
    """The plans of an analysis for a wish."""

    def run(analysis: Any, wish: dict[str, float], **options: Any) -> Plans:
        return plan_faces(analysis, fixed_driver(wish), PlanOptions(neutral="none", **options))

    return run


def test_zero_strength_leaves_nothing_to_do(planned: Any, analysed: Any, make_face: Any) -> None:
    analysis = analysed([(make_face(units={"AU12": 0.3}),)] * 8)
    assert len(EditSchedule(planned(analysis, {"AU12": 1.0}, strength=0), CROP)) == 0


def test_requests_carry_crop_landmarks_and_units(planned: Any, analysed: Any, make_face: Any) -> None:
    face = make_face(0, (300, 200), 50)
    analysis = analysed([(face,)] * 8)
    plans = planned(analysis, {"AU12": 0.5})
    schedule = EditSchedule(plans, CROP)
    assert len(schedule) == 8
    request = schedule.faces(4)[0]
    matrix = crop_matrix(alignment(face.landmarks), CROP)
    np.testing.assert_allclose(request.crop_from_display, matrix, atol=1e-4)
    np.testing.assert_allclose(request.landmarks, apply(matrix, face.landmarks), atol=1e-3)
    assert request.landmarks.dtype == np.float32
    np.testing.assert_array_equal(request.delta_au, plans.faces[0].delta_au[4])
    assert schedule.faces(99) == []


def test_moments_below_the_floor_pass_through(planned: Any, analysed: Any, make_face: Any) -> None:
    analysis = analysed([(make_face(),)] * 8)
    assert len(EditSchedule(planned(analysis, {"AU12": 0.9 * EDIT_FLOOR}), CROP)) == 0
    assert len(EditSchedule(planned(analysis, {"AU12": 1.1 * EDIT_FLOOR}), CROP)) == 8


def test_jittering_landmarks_are_steadied_but_not_across_a_missing_frame(
    planned: Any, analysed: Any, make_face: Any
) -> None:
    def face(dy: float) -> Any:
        points = make_face().landmarks.copy()
        points[13, 1] += dy  # the upper lip; no stable landmark, so the crop stays
        return (dataclasses.replace(make_face(), landmarks=points),)

    spike = [face(0)] * 5 + [face(10)] + [face(0)] * 5
    heights = []
    for faces in (spike, [*spike[:3], (), *spike[4:]]):  # frame 3 is too near to 5 for five in a row
        analysis = analysed(faces)
        schedule = EditSchedule(planned(analysis, {"AU12": 0.5}), CROP)
        request = schedule.faces(5)[0]
        scale = np.hypot(*request.crop_from_display[:, 0])
        rest = apply(request.crop_from_display, make_face().landmarks)[13, 1]
        heights.append(float(request.landmarks[13, 1] - rest) / scale)
    assert heights[0] == pytest.approx(10 * 17 / 35, abs=0.05)
    assert heights[1] == pytest.approx(10, abs=0.05)

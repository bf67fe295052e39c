from typing import Any

import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.faces.crop import alignment, apply, chain, crop_matrix

SPEC = CropSpec(size_px=200, eye_distance_fraction=0.3, eyes_y_fraction=0.35)
OUTER_EYES = [33, 263]


def in_crop(landmarks: Any, spec: CropSpec = SPEC) -> Any:
    return apply(crop_matrix(alignment(landmarks), spec), landmarks)


@pytest.mark.parametrize("roll", [0, 25, -90, 170])
@pytest.mark.parametrize("scale", [7.0, 300.0])
def test_eyes_land_where_the_spec_says(place_face: Any, roll: float, scale: float) -> None:
    right, left = in_crop(place_face((640, 360), scale, roll=roll))[OUTER_EYES]
    # 200 px: the eyes' middle at (100, 70), 60 px between the corners, level; the subject's right is on the left
    assert right[:2].tolist() == pytest.approx([70, 70], abs=0.05)
    assert left[:2].tolist() == pytest.approx([130, 70], abs=0.05)


def test_a_turned_head_keeps_its_size(place_face: Any) -> None:
    straight = crop_matrix(alignment(place_face((300, 200), 90)), SPEC)
    turned = crop_matrix(alignment(place_face((300, 200), 90, yaw=40)), SPEC)
    np.testing.assert_allclose(np.hypot(*turned[:, 0]), np.hypot(*straight[:, 0]), rtol=1e-3)


def test_a_rolled_face_is_upright_in_its_crop(place_face: Any) -> None:
    points = in_crop(place_face((100, 100), 50, roll=60, pitch=10))
    down = points[152, :2] - points[10, :2]  # forehead to chin
    assert down[1] > 0
    assert abs(down[0]) < 0.02 * down[1]


def test_the_matrix_is_a_similarity_and_can_be_undone(place_face: Any) -> None:
    matrix = crop_matrix(alignment(place_face((300, 200), 90, roll=33)), SPEC)
    turn = matrix[:, :2]
    scale = np.hypot(*turn[:, 0])
    np.testing.assert_allclose(turn @ turn.T, scale**2 * np.eye(2), atol=1e-12)
    assert np.linalg.det(turn) > 0
    inverse = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2]
    np.testing.assert_allclose(chain(inverse, matrix), np.eye(2, 3), atol=1e-9)


def test_alignment_by_hand(place_face: Any) -> None:
    x, y, log_scale, roll = alignment(place_face((31, 47), 12.5, roll=20))
    assert (x, y) == pytest.approx((31, 47), abs=1e-6)
    assert np.exp(log_scale) == pytest.approx(12.5)
    assert np.degrees(roll) == pytest.approx(20)


def test_alignment_does_not_follow_expression(place_face: Any) -> None:
    still, shouting = place_face(), place_face()
    shouting[[13, 14, 17, 152, 159, 386, 55, 285]] += (0, 9, 0)  # lips, chin, lids, brows
    np.testing.assert_array_equal(alignment(still), alignment(shouting))


def test_alignment_of_a_collapsed_face_is_finite() -> None:
    assert np.isfinite(alignment(np.zeros((478, 3)))).all()


def test_apply_scales_depth_with_the_rest() -> None:
    matrix = np.array([[0, -3, 5], [3, 0, 7]], float)  # a quarter turn, three times larger
    moved = apply(matrix, np.tile([1.0, 2.0, 4.0], (478, 1)))
    assert moved[0].tolist() == pytest.approx([-1, 10, 12])


def test_chain_applies_the_inner_first() -> None:
    double = np.array([[2, 0, 0], [0, 2, 0]], float)
    right = np.array([[1, 0, 5], [0, 1, 0]], float)
    assert (chain(double, right) @ (1, 1, 1)).tolist() == [12, 2]
    assert (chain(right, double) @ (1, 1, 1)).tolist() == [7, 2]

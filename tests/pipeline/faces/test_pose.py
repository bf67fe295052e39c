"""The mean face and the head's pose: planted poses come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from retarget.model.mesh import STABLE
from retarget.pipeline.faces.pose import canonical_face, head_pose

# The canonical face


def test_canonical_face_is_symmetric_and_one_wide_between_the_eyes() -> None:
    face = canonical_face()
    assert face.shape == (478, 3)
    distance, partner = cKDTree(face).query(face * (-1, 1, 1))
    assert distance.max() < 1e-6
    assert sorted(partner) == list(range(478))
    assert np.linalg.norm(face[33] - face[263]) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(face[list(STABLE)].mean(0), 0, atol=1e-6)


def test_canonical_axes() -> None:
    face = canonical_face()
    assert face[152, 1] > face[10, 1], "y runs from the forehead down to the chin"
    assert face[1, 2] < face[[234, 454], 2].min(), "z runs away from the camera: the nose is nearest"
    assert face[263, 0] > face[33, 0], "the subject's left eye is on the picture's right"


# Pose


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (35, 0, 0), (-20, 15, 30), (5, -10, 175)])
def test_head_pose_is_the_planted_one(
    place_face: Any, rotation_of: Any, yaw: float, pitch: float, roll: float
) -> None:
    pose = head_pose(place_face((500, 300), 64, yaw=yaw, pitch=pitch, roll=roll))
    assert pose.scale_px == pytest.approx(64)
    assert pose.center.tolist() == pytest.approx([500, 300, 0], abs=1e-6)
    assert pose.residual < 1e-6
    np.testing.assert_allclose(pose.rotation, rotation_of(yaw, pitch, roll), atol=1e-7)


def test_roll_is_clockwise_in_the_picture(place_face: Any) -> None:
    pose = head_pose(place_face(roll=30))
    assert np.degrees(pose.roll_radians) == pytest.approx(30)
    right, left = place_face(roll=30)[[33, 263]]
    assert left[1] > right[1], "clockwise: what is on the picture's right comes down"


def test_canonical_undoes_the_pose(place_face: Any) -> None:
    landmarks = place_face((500, 300), 64, yaw=25, pitch=10, roll=-40)
    np.testing.assert_allclose(head_pose(landmarks).canonical(landmarks), canonical_face(), atol=1e-7)


def test_residual_is_the_misfit_in_canonical_units(place_face: Any) -> None:
    # Noise on 12 stable points: 36 numbers less the 7 of the pose stay, so 0.05 shows as 0.05 * sqrt(29 / 36 * 3).
    rng = np.random.default_rng(0)
    found = [head_pose(place_face(scale_px=50) + rng.normal(0, 2.5, (478, 3))).residual for _ in range(200)]
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(0.05 * np.sqrt(3 * 29 / 36), rel=0.05)


def test_a_reflected_mesh_does_not_give_a_reflection(place_face: Any) -> None:
    assert np.linalg.det(head_pose(place_face() * (-1, 1, 1)).rotation) == pytest.approx(1)


def test_pose_of_a_collapsed_mesh_is_finite() -> None:
    pose = head_pose(np.zeros((478, 3)))
    assert np.isfinite(pose.rotation).all()
    assert np.isfinite(pose.residual)

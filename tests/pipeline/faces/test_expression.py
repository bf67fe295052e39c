from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from retarget.model import action_units
from retarget.model.geometry import LEFT_EYE, RIGHT_EYE, STABLE
from retarget.pipeline.faces.expression import (
    AU_SOURCE,
    LIP_GAP_RANGE,
    canonical_face,
    head_pose,
    measure,
)

NAMES = ("eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "jawOpen")


def unit(landmarks: Any, name: str, **scores: float) -> float:
    values = measure(landmarks, NAMES, np.array([scores.get(shape, 0.0) for shape in NAMES], np.float32))
    assert values.shape == (action_units.COUNT,)
    assert values.dtype == np.float32
    assert (values >= 0).all()
    assert (values <= 1).all()
    return float(values[list(action_units.resolve(name))].mean())


def with_lids(eye: Any, factor: float) -> Any:
    """The mean face with the lids of an eye apart `factor` times as far as they are."""
    points = canonical_face().copy()
    upper, lower = (list(chain) for chain in eye)
    middle = (points[upper] + points[lower]) / 2
    points[upper], points[lower] = (middle + factor * (points[c] - middle) for c in (upper, lower))
    return points


def with_lips_apart(gap: float) -> Any:
    points = canonical_face().copy()
    for upper, lower in ((13, 14), (82, 87), (312, 317)):
        middle = (points[upper] + points[lower]) / 2
        half = np.array([0, gap / 2, 0])
        points[upper], points[lower] = middle - half, middle + half
    return points


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


# Action units


def test_blendshapes_go_to_their_side() -> None:
    values = measure(canonical_face(), NAMES, np.array([0.8, 0, 0, 0.6, 0, 0.5], np.float32))
    found = dict(zip(action_units.NAMES, values.tolist(), strict=True))
    assert (found["AU45L"], found["AU45R"]) == (pytest.approx(0.8), 0)
    assert (found["AU12L"], found["AU12R"]) == (0, pytest.approx(0.6))
    assert found["AU26"] == pytest.approx(0.5)


@pytest.mark.parametrize(("eye", "side", "other"), [(LEFT_EYE, "L", "R"), (RIGHT_EYE, "R", "L")])
def test_wide_lids_are_the_lid_raiser_of_that_side(eye: Any, side: str, other: str) -> None:
    values = [unit(with_lids(eye, factor), f"AU05{side}") for factor in (0.0, 0.8, 1.2, 1.5, 2.0, 4.0)]
    assert values == sorted(values)
    assert values[0] == 0
    assert values[-1] == 1
    assert unit(with_lids(eye, 2.0), f"AU05{other}") == unit(canonical_face(), f"AU05{other}")


def test_the_left_eye_is_the_subjects_left() -> None:
    eyes = canonical_face()[list(LEFT_EYE[0])], canonical_face()[list(RIGHT_EYE[0])]
    assert eyes[0][:, 0].mean() > 0 > eyes[1][:, 0].mean()  # facing us, on the picture's right


def test_lips_apart_by_hand() -> None:
    shut, wide = LIP_GAP_RANGE
    assert unit(with_lips_apart(0.0), "AU25") == 0
    assert unit(with_lips_apart((shut + wide) / 2), "AU25") == pytest.approx(0.5)
    assert unit(with_lips_apart(0.5), "AU25") == 1


def test_a_raised_cheek_and_a_wrinkled_nose_go_up() -> None:
    cheek, nose = canonical_face().copy(), canonical_face().copy()
    cheek[[280, 425, 266]] -= (0, 0.05, 0)
    nose[[49, 129, 64]] -= (0, 0.05, 0)
    rest = canonical_face()
    assert unit(cheek, "AU06L") > unit(rest, "AU06L") + 0.3
    assert unit(cheek, "AU06R") == unit(rest, "AU06R")
    assert unit(nose, "AU09R") > unit(rest, "AU09R") + 0.3
    assert unit(nose, "AU09L") == unit(rest, "AU09L")


def test_thin_lips_are_tightened() -> None:
    thin = canonical_face().copy()
    thin[0], thin[17] = thin[13] - (0, 0.05, 0), thin[14] + (0, 0.05, 0)
    assert unit(thin, "AU23") == 1


def test_the_higher_inner_brow_gets_more_of_the_one_blendshape() -> None:
    uneven = canonical_face().copy()
    uneven[[285, 336]] -= (0, 0.04, 0)  # the subject's left one
    assert unit(canonical_face(), "AU01L", browInnerUp=0.4) == pytest.approx(0.4)
    assert unit(uneven, "AU01L", browInnerUp=0.4) == pytest.approx(0.4 + 6.5 * 0.02)
    assert unit(uneven, "AU01R", browInnerUp=0.4) == pytest.approx(0.4 - 6.5 * 0.02)
    assert unit(uneven, "AU01L") == 0, "without the blendshape it is how the brows are"


def test_any_mesh_stays_in_range() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        unit(rng.normal(0, 1, (478, 3)), "AU25", jawOpen=1.0, browInnerUp=1.0)


def test_the_source_of_units_is_named() -> None:
    assert "mediapipe" in AU_SOURCE

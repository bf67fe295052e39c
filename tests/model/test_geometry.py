"""The head's pose, and how action units move its landmarks."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from retarget.model import action_units
from retarget.model.geometry import GeometryModel
from retarget.model.mesh import LANDMARKS, MOUTH
from retarget.model.response import FaceResponse, ResponseConfig

from .conftest import CENTER, SCALE, SIZE, Make, tensor, units


def varied(place_face: Any) -> tuple[Tensor, Tensor]:
    """Three faces of several poses and their displacements."""
    rng = np.random.default_rng(3)
    poses = [(0, 0, 0), (30, 5, 10), (-20, -10, -35)]
    faces = np.stack([place_face(CENTER, SCALE, yaw=y, pitch=p, roll=r) for y, p, r in poses])
    return tensor(faces), tensor(rng.normal(0, 1.5, (3, LANDMARKS, 2)))


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-25, 15, 40), (10, -20, -170)])
def test_pose_recovers_what_was_planted(
    make_geometry: Make, place_face: Any, rotation_of: Any, yaw: float, pitch: float, roll: float
) -> None:
    landmarks = tensor(place_face((70, 40), 33, yaw=yaw, pitch=pitch, roll=roll))[None]
    pose = make_geometry().pose(landmarks)
    assert pose.scale.item() == pytest.approx(33, rel=1e-4)
    assert pose.center[0].tolist() == pytest.approx([70, 40, 0], abs=1e-2)
    np.testing.assert_allclose(pose.rotation[0], rotation_of(yaw, pitch, roll), atol=1e-4)


def test_pose_looks_at_stable_landmarks_only(make_geometry: Make, face: Tensor) -> None:
    moved = face.clone()
    moved[0, list(MOUTH[0] + MOUTH[1])] += 20
    assert torch.equal(make_geometry().pose(moved).rotation, make_geometry().pose(face).rotation)


@pytest.mark.parametrize("yaw", [0, 30])
def test_displacement_is_scaled_and_turned_with_the_head(make_geometry: Make, place_face: Any, yaw: float) -> None:
    # A nose that grows by 0.1 right and 0.2 towards the camera per unit; the nose is no opening.
    def row(canonical: Any) -> Any:
        out = np.zeros_like(canonical)
        out[1] = (0.1, 0, -0.2)
        return out

    model = make_geometry({"AU09L": row})
    landmarks = tensor(place_face(CENTER, SCALE, yaw=yaw))[None]
    moved = model.displacement(units(AU09L=0.5), landmarks)[0]
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    by_hand = SCALE * 0.5 * (0.1 * c + 0.2 * s)  # first row of the yaw matrix is (c, 0, -s)
    assert moved[1].tolist() == pytest.approx([by_hand, 0], abs=1e-3)
    moved[1] = 0
    assert moved.abs().max() < 1e-5


def test_displacement_adds_units_up(make_geometry: Make, face: Tensor) -> None:
    model = make_geometry({"AU01L": lambda p: p * 0 + (0.1, 0, 0), "AU02L": lambda p: p * 0 + (0, 0.04, 0)})
    moved = model.displacement(units(AU01L=1, AU02L=-0.5), face)
    np.testing.assert_allclose(moved[0], np.broadcast_to((5.0, -1.0), (478, 2)), atol=1e-3)


def test_a_batch_is_its_singles(make_geometry: Make, place_face: Any) -> None:
    model = make_geometry({"AU12": lambda p: np.sin(9 * p) * 0.1})
    faces, shifts = varied(place_face)
    delta = torch.rand(3, action_units.COUNT, generator=torch.Generator().manual_seed(0))
    batch = model.displacement(delta, faces)
    flows, holes = model.flow(faces, shifts, SIZE), model.holes(faces, shifts, SIZE)
    for i in range(3):
        one = slice(i, i + 1)
        torch.testing.assert_close(model.displacement(delta[one], faces[one]), batch[one], atol=1e-4, rtol=1e-4)
        assert torch.equal(model.flow(faces[one], shifts[one], SIZE), flows[one])
        assert torch.equal(model.holes(faces[one], shifts[one], SIZE), holes[one])


def test_from_fit_keeps_the_tensors_and_has_nothing_to_learn(make_geometry: Make, drop_jaw: Any) -> None:
    model = make_geometry({"AU26": drop_jaw})
    assert list(model.parameters()) == []
    assert set(model.state_dict()) == {"weight", "mean_shape", "triangles"}
    assert model.config.au_count == action_units.COUNT
    assert model.weight[action_units.resolve("AU26")[0], 14].tolist() == pytest.approx([0, 0.2, 0])


def test_a_response_adds_to_the_linear_motion_and_can_be_left_out(make_geometry: Make, drop_jaw: Any) -> None:
    torch.manual_seed(0)
    response = FaceResponse(ResponseConfig(au_count=action_units.COUNT))
    for part in (*response.parameters(), response.motion_basis):
        torch.nn.init.normal_(part, std=0.02)
    linear = make_geometry({"AU26": drop_jaw})
    model = GeometryModel.from_fit(linear.weight, linear.mean_shape, linear.triangles, response)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    face = 80 * linear.mean_shape[None] + 128
    delta = torch.zeros(1, action_units.COUNT)
    assert not model.displacement(delta, face).any()
    delta[0, action_units.resolve("AU26")[0]] = 1
    plain = linear.displacement(delta, face)
    assert (model.displacement(delta, face) - plain).abs().max() > 0.5
    assert torch.equal(model.linear.displacement(delta, face), plain)
    # In canonical units, whatever the size and place of the face in its picture.
    double = model.displacement(delta, 2 * face + 17)
    torch.testing.assert_close(double, 2 * model.displacement(delta, face), rtol=1e-3, atol=1e-3)

"""The flow that displaced landmarks make: affine within, nothing beyond the ring, the same every time."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull
from torch import Tensor

from retarget.model.images import warp
from retarget.model.mesh import FACE_OVAL, LANDMARKS, LEFT_EYE, MOUTH, RIGHT_EYE
from retarget.model.raster import RING_SCALE
from retarget.pipeline.faces import canonical_face

from .conftest import CENTER, SCALE, SIZE, Make, grid, tensor, units


def varied(place_face: Any) -> tuple[Tensor, Tensor]:
    """Three faces of several poses and their displacements."""
    rng = np.random.default_rng(3)
    poses = [(0, 0, 0), (30, 5, 10), (-20, -10, -35)]
    faces = np.stack([place_face(CENTER, SCALE, yaw=y, pitch=p, roll=r) for y, p, r in poses])
    return tensor(faces), tensor(rng.normal(0, 1.5, (3, LANDMARKS, 2)))


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.1, 0.4])
def test_no_displacement_is_no_flow_at_all(
    make_geometry: Make, place_face: Any, gap: float, shape_with_gap: Any
) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(gap)))[None]
    flow = make_geometry().flow(landmarks, torch.zeros(1, LANDMARKS, 2), SIZE)
    assert flow.shape == (1, 2, SIZE, SIZE)
    assert flow.abs().max() == 0


def test_an_affine_displacement_gives_an_affine_flow(
    make_geometry: Make, face: Tensor, inside: Any, away_from: Any
) -> None:
    # q = p + A (p - m) is shown at q; seen backwards, p - q = -A (I + A)^-1 (q - m).
    a = torch.tensor([[0.04, -0.03], [0.02, -0.05]])
    middle = torch.tensor(CENTER)
    points = face[..., :2]
    flow = make_geometry().flow(face, (points - middle) @ a.T, SIZE)[0]
    backward = -a @ torch.linalg.inv(torch.eye(2) + a)
    expected = torch.einsum("ij,jyx->iyx", backward, grid() - middle[:, None, None])
    target = (points + (points - middle) @ a.T)[0]
    skin = torch.tensor(inside(target[list(FACE_OVAL)].numpy()))
    # A closing opening shows the eyeball instead, and an opening one the seam: left out here.
    for upper, lower in (MOUTH, RIGHT_EYE, LEFT_EYE):
        outline = target[[*upper, *reversed(lower[1:-1])]]
        skin &= away_from(torch.tensor(inside(outline.numpy())))
    assert skin.sum() > 4000
    assert (flow - expected)[:, skin].abs().max() < 0.02


def test_flow_ends_at_the_ring(make_geometry: Make, face: Tensor, inside: Any) -> None:
    shift = torch.zeros(1, LANDMARKS, 2) + torch.tensor([3.0, -2.0])
    flow = make_geometry().flow(face, shift, SIZE)[0]
    oval = face[0, list(FACE_OVAL), :2].numpy()
    middle = (oval.min(0) + oval.max(0)) / 2
    ring = inside(middle + (oval - middle) * RING_SCALE)
    assert flow[:, ~torch.tensor(ring)].abs().max() == 0
    assert flow[:, 55, 64].tolist() == pytest.approx([-3, 2], abs=1e-4)
    # Between outline and ring it dies out: somewhere it is between nothing and all.
    between = flow[0, torch.tensor(ring & ~inside(oval + np.array([3, -2])))]
    assert between.min() >= -3.001
    assert between.max() <= 0.001
    assert ((between < -0.5) & (between > -2.5)).sum() > 200


def test_backward_convention_moves_a_dot_the_way_the_landmarks_go(make_geometry: Make, face: Tensor) -> None:
    x, y = grid()
    at = face[0, 50, :2]  # on the cheek
    dot = torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 8)[None, None]
    shift = torch.zeros(1, LANDMARKS, 2) + torch.tensor([6.0, -4.0])
    moved = warp(dot, make_geometry().flow(face, shift, SIZE))[0, 0]
    center = torch.stack([(moved * x).sum(), (moved * y).sum()]) / moved.sum()
    assert (center - at).tolist() == pytest.approx([6, -4], abs=0.1)


def test_holes_cover_an_opened_mouth_and_not_a_shut_one(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, open_mouth: Any, inside: Any
) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.0)))[None]
    model = make_geometry()
    shut = model.holes(landmarks, torch.zeros(1, LANDMARKS, 2), SIZE)[0]
    shift = open_mouth(landmarks, 8)
    opened = model.holes(landmarks, shift, SIZE)[0]
    target = landmarks[0, :, :2] + shift[0]
    outline = torch.tensor(inside(target[[*MOUTH[0], *reversed(MOUTH[1][1:-1])]].numpy()))
    assert shut[0].sum() == 0
    assert set(opened.unique().tolist()) == {0.0, 1.0}
    assert (opened[0].bool() ^ outline).sum() <= 0.1 * outline.sum()
    eyes = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    for upper, lower in (RIGHT_EYE, LEFT_EYE):
        eyes |= torch.tensor(inside(target[[*upper, *reversed(lower[1:-1])]].numpy()))
    assert (opened[1].bool() ^ eyes).sum() <= 0.1 * eyes.sum()


def test_the_same_in_gives_the_same_out(make_geometry: Make, place_face: Any) -> None:
    faces, shifts = varied(place_face)
    model = make_geometry()
    assert torch.equal(model.flow(faces, shifts, SIZE), model.flow(faces, shifts, SIZE))


def test_flow_stays_within_what_the_vertices_move(make_geometry: Make, place_face: Any) -> None:
    # A convex combination of corner values can not exceed them, however thin or folded the triangles are.
    faces, shifts = varied(place_face)
    limit = 3 * shifts.abs().max()  # openings may show a neighbour's content
    assert make_geometry().flow(faces, shifts, SIZE).abs().max() <= limit


@pytest.mark.parametrize("collapse", ["point", "line", "flat", "beyond"])
def test_degenerate_meshes_give_no_nan(make_geometry: Make, face: Tensor, collapse: str) -> None:
    squeezed = face.clone()
    if collapse == "point":
        squeezed[:] = 60
    if collapse == "line":
        squeezed[..., 0] = 64
    if collapse == "flat":
        squeezed[..., 2] = 0
    if collapse == "beyond":
        squeezed[..., :2] += 5000
    model = make_geometry({"AU12": lambda p: np.sin(9 * p) * 0.1})
    shift = model.displacement(units(AU12=1), squeezed)
    assert torch.isfinite(shift).all()
    assert torch.isfinite(model.flow(squeezed, shift, SIZE)).all()
    assert torch.isfinite(model.holes(squeezed, shift, SIZE)).all()


def test_a_face_partly_beyond_the_crop_is_drawn_where_it_is(make_geometry: Make, place_face: Any) -> None:
    landmarks = tensor(place_face((10, 20), SCALE))[None]
    shift = torch.zeros(1, LANDMARKS, 2) + torch.tensor([2.0, 0.0])
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    assert flow[0, 25, 12].item() == pytest.approx(-2, abs=1e-4)
    assert flow[:, :, 100:].abs().max() == 0


# What is seen


def areas(corners: Tensor) -> Tensor:
    a, b, c = corners.unbind(-2)
    return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (c[..., 0] - a[..., 0]) * (b[..., 1] - a[..., 1])


@pytest.mark.parametrize("yaw", [-40, 25, 40])
def test_skin_that_turns_its_back_owns_no_pixel(make_geometry: Make, place_face: Any, yaw: float) -> None:
    model = make_geometry()
    landmarks = tensor(place_face(CENTER, SCALE, yaw=yaw, pitch=5))[None]
    shift = 1.5 * torch.tensor(np.random.default_rng(0).normal(size=(1, LANDMARKS, 2)), dtype=torch.float32)
    drawn = model.drawn(landmarks, shift, SIZE)
    triangle = drawn._owners[1] - drawn.skin_start
    owners = triangle[(triangle >= 0) & (triangle < len(model.triangles))].unique()
    front = areas(model.mean_shape[model.triangles][..., :2]).sign()
    for seen in (landmarks[0, :, :2], (landmarks[..., :2] + shift)[0]):
        turned = areas(seen[model.triangles]) * front < 0
        assert turned.sum() > 30, "the test's face has its share of them"
        assert not turned[owners].any()


def test_the_face_is_what_lies_within_its_outline(make_geometry: Make, face: Tensor, inside: Any) -> None:
    shift = torch.zeros(1, LANDMARKS, 2) + torch.tensor([4.0, -3.0])
    drawn = make_geometry().drawn(face, shift, SIZE).face
    assert drawn.shape == (1, 1, SIZE, SIZE)
    oval = (face[..., :2] + shift)[0, list(FACE_OVAL)].numpy()
    within = torch.tensor(inside(oval))
    assert (drawn[0, 0].bool() == within).float().mean() > 0.99
    assert drawn[0, 0][within].mean() > 0.98


@pytest.mark.parametrize("yaw", [-45, -25, 0, 25, 45])
def test_a_face_that_shifts_takes_all_of_itself_along(
    make_geometry: Make, place_face: Any, inside: Any, yaw: float
) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, yaw=yaw))[None]
    shift = torch.zeros(1, LANDMARKS, 2) + torch.tensor([3.0, -2.0])
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    target = (landmarks[..., :2] + shift)[0].numpy()
    hull = target[ConvexHull(target).vertices]
    shrunk = hull.mean(0) + 0.96 * (hull - hull.mean(0))
    seen = torch.tensor(inside(shrunk))
    assert (flow[:, seen] - torch.tensor([[-3.0], [2.0]])).abs().max() < 0.6
    assert (flow[:, seen] - torch.tensor([[-3.0], [2.0]])).abs().mean() < 0.01


@pytest.mark.parametrize("yaw", [-40, 40])
def test_beside_the_outline_of_a_turned_head_there_are_no_dots(
    make_geometry: Make, place_face: Any, yaw: float
) -> None:
    # What is behind the cheek moves otherwise than the cheek: none of it may be seen.
    landmarks = tensor(place_face(CENTER, SCALE, yaw=yaw))[None]
    canonical = tensor(canonical_face())
    shift = torch.zeros(1, LANDMARKS, 2)
    shift[0, :, 1] = 10 * canonical[:, 2]  # by depth: smooth over the mesh, torn where it hides itself
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    speckle = flow - torch.nn.functional.avg_pool2d(flow[None], 3, 1, 1)[0]
    assert (speckle.abs() > 1.0).sum() < 30


@pytest.mark.parametrize("nearest", ["nose", "cheek"])
def test_nearer_skin_hides_farther_skin(make_geometry: Make, face: Tensor, nearest: str) -> None:
    canonical = tensor(canonical_face())
    nose = (canonical[:, 2] < canonical[:, 2].min() + 0.08).nonzero()[:, 0]
    landmarks = face.clone()
    if nearest == "cheek":
        landmarks[..., 2] *= -1
    shift = torch.zeros(1, LANDMARKS, 2)
    shift[:, nose, 0] = 14
    tip = (face[0, 1, :2] + torch.tensor([14.0, 0.0])).long()
    flow = make_geometry().flow(landmarks, shift, SIZE)[0, 0, tip[1], tip[0]].item()
    assert flow == pytest.approx(-14 if nearest == "nose" else 0, abs=2.5)


@pytest.mark.parametrize("yaw", [0, 25, -35])
def test_shut_lids_leave_nothing_to_be_seen_of_the_eyes(
    make_geometry: Make, place_face: Any, inside: Any, yaw: float
) -> None:
    def shut(canonical: Any) -> Any:
        out = np.zeros_like(canonical)
        for upper, _ in (RIGHT_EYE, LEFT_EYE):
            out[list(upper)] += (0, 0.2, 0)
        return out

    model = make_geometry({"AU45L": shut})
    landmarks = tensor(place_face(CENTER, SCALE, yaw=yaw))[None]
    shift = model.displacement(units(AU45L=1), landmarks)
    eyes = torch.zeros(SIZE, SIZE)
    for upper, lower in (RIGHT_EYE, LEFT_EYE):
        eyes += torch.tensor(inside(landmarks[0, [*upper, *reversed(lower[1:-1])], :2].numpy()))
    drawn = model.drawn(landmarks, shift, SIZE)
    assert drawn.holes[:, 1].sum() == 0
    shown = nearest(eyes, drawn.flow[0])
    assert eyes.sum() > 70
    assert shown.sum() < 0.04 * eyes.sum()
    assert drawn.joints.max() > 0.9
    assert model.drawn(landmarks, torch.zeros_like(shift), SIZE).joints.max() == 0


def nearest(image: Tensor, flow: Tensor) -> Tensor:
    """(S, S) what the image (S, S) shows after the flow (2, S, S), without interpolation."""
    x, y = (grid() + flow).floor().long().clamp(0, SIZE - 1)
    return image[y, x]


def test_the_flow_can_be_learned_from(make_geometry: Make, place_face: Any) -> None:
    faces, shifts = varied(place_face)
    shifts.requires_grad_()
    make_geometry().flow(faces, shifts, SIZE).square().sum().backward()
    assert shifts.grad is not None
    assert shifts.grad.isfinite().all()
    assert (shifts.grad.abs().sum(-1) > 0).float().mean() > 0.5

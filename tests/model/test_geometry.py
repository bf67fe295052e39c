from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from retarget.model import action_units
from retarget.model.geometry import (
    FACE_OVAL,
    LANDMARKS,
    LEFT_EYE,
    LEFT_IRIS,
    MOUTH,
    RIGHT_EYE,
    RING_SCALE,
    GeometryModel,
)
from retarget.model.images import warp
from retarget.model.response import FaceResponse, ResponseConfig
from retarget.pipeline.faces import canonical_face

SIZE = 128
CENTER = (64.0, 55.0)
SCALE = 50.0

Make = Callable[..., GeometryModel]


def tensor(array: Any) -> Tensor:
    return torch.tensor(np.asarray(array), dtype=torch.float32)


def units(**values: float) -> Tensor:
    out = torch.zeros(1, action_units.COUNT)
    for name, value in values.items():
        out[0, list(action_units.resolve(name))] = value
    return out


@pytest.fixture
def face(place_face: Any) -> Tensor:
    """(1, 478, 3) front-facing, 50 px between the eyes, in a 128 px crop."""
    return tensor(place_face(CENTER, SCALE))[None]


def shape_with_gap(gap: float) -> Any:
    """The mean face with inner lips parallel and `gap` canonical units apart in the middle."""
    shape = canonical_face().copy()
    (upper, lower) = (list(chain) for chain in MOUTH)
    seam = (shape[upper] + shape[lower]) / 2
    arch = np.sin(np.linspace(0, np.pi, len(upper)))[:, None] * (0, gap / 2, 0)
    shape[upper], shape[lower] = seam - arch, seam + arch
    return shape


def inside(polygon: np.ndarray, size: int = SIZE) -> np.ndarray:
    """(S, S) bool, by ray casting: which pixel centres lie in a polygon (n, 2)."""
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    out = np.zeros((size, size), bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            out ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return out


def away_from(mask: Tensor, px: int = 2) -> Tensor:
    """(S, S) bool: pixels that far from any of the mask's."""
    near = torch.nn.functional.max_pool2d(mask.float()[None], 2 * px + 1, stride=1, padding=px)[0]
    return near == 0


# Pose and displacement


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


def gaps(points: Tensor) -> Tensor:
    """Lower minus upper, of all interior pairs of the three openings (faces upright)."""
    return torch.cat(
        [points[:, list(low[1:-1]), 1] - points[:, list(up[1:-1]), 1] for up, low in (MOUTH, RIGHT_EYE, LEFT_EYE)],
        1,
    )


def test_lids_and_lips_meet_but_never_cross(make_geometry: Make, face: Tensor) -> None:
    def shut(canonical: Any) -> Any:
        out = np.zeros_like(canonical)
        for upper, lower in (MOUTH, RIGHT_EYE, LEFT_EYE):
            out[list(upper)] += (0, 0.3, 0)
            out[list(lower)] -= (0, 0.3, 0)
        return out

    model = make_geometry({"AU45L": shut})
    target = face[..., :2] + model.displacement(units(AU45L=1), face)
    assert gaps(face).min() > 0.5, "the test's face is open"
    assert gaps(target).max() < 0, "they meet"
    assert gaps(target).min() > -0.015 * SCALE, "and overlap by a fiftieth of the opening's width, no more"
    half = face[..., :2] + model.displacement(units(AU45L=0.05), face)
    assert (gaps(half) > -0.015 * SCALE).all()
    assert gaps(half).max() > 0.5


def test_lids_meet_where_the_lower_one_is_and_lips_half_way(make_geometry: Make, face: Tensor) -> None:
    def drop(canonical: Any) -> Any:
        out = np.zeros_like(canonical)
        out[[159, 13]] = (0, 1, 0)  # middle of the right upper lid, and of the upper lip
        return out

    model = make_geometry({"AU45L": drop})
    moved = model.displacement(units(AU45L=1), face)[0]
    assert moved[145].tolist() == pytest.approx([0, 0], abs=1e-4)
    gap = float(face[0, 14, 1] - face[0, 13, 1])
    overlap = 0.02 * float((face[0, 308, :2] - face[0, 78, :2]).norm())
    assert float(moved[14, 1]) == pytest.approx((SCALE - gap - overlap) / 2, abs=1e-3)


def test_an_overlap_that_was_there_is_left(make_geometry: Make, place_face: Any) -> None:
    shape = shape_with_gap(-0.02)
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape))[None]
    model = make_geometry({"AU01L": lambda p: p * 0 + (0, 0.1, 0)})
    moved = model.displacement(units(AU01L=1), landmarks)
    np.testing.assert_allclose(moved[0], np.broadcast_to((0, 5.0), (478, 2)), atol=1e-2)


def jaw_weights(points: Any) -> Any:
    """(478,) how far each point of a front-facing face goes with the jaw: an arch between the mouth's corners."""
    upper, lower = (list(chain) for chain in MOUTH)
    corner = points[upper[0]], points[upper[-1]]
    along = np.clip((points[:, 0] - corner[0][0]) / (corner[1][0] - corner[0][0]), 0, 1)
    seam = (points[upper] + points[lower]) / 2
    below = points[:, 1] > np.interp(points[:, 0], seam[:, 0], seam[:, 1])
    below[upper], below[lower] = False, True
    return below * np.sin(np.pi * along)


def drop_jaw(canonical: Any) -> Any:
    """The lower lip and all below it go down by up to 0.2."""
    return jaw_weights(canonical)[:, None] * (0, 0.2, 0)


def test_shut_lips_stay_shut_where_nothing_may_be_revealed(make_geometry: Make, place_face: Any) -> None:
    model = make_geometry({"AU26": drop_jaw})
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.0)))[None]
    free = landmarks[..., :2] + model.displacement(units(AU26=1), landmarks)
    kept = landmarks[..., :2] + model.displacement(units(AU26=1), landmarks, may_reveal=False)
    assert float(gaps(free)[0, :9].max()) == pytest.approx(0.2 * SCALE, rel=0.01)
    assert float(gaps(kept)[0, :9].max()) < 0.15 * 0.2 * SCALE
    wide = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.3)))[None]
    parted = model.displacement(units(AU26=1), wide, may_reveal=False)
    np.testing.assert_allclose(parted, model.displacement(units(AU26=1), wide), atol=0.05)


def test_only_what_was_not_seen_has_to_be_made_up(make_geometry: Make, place_face: Any) -> None:
    model = make_geometry({"AU26": drop_jaw})

    def revealed(gap: float, au: float) -> list[float]:
        landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(gap)))[None]
        return model.reveal(landmarks, model.displacement(units(AU26=au), landmarks))[0].tolist()

    assert revealed(0.0, 1.0) == [1.0, 0.0]  # a shut mouth opens; the eyes keep still
    assert revealed(0.3, 0.2)[0] == 0.0  # an open one opens a little further
    assert 0 < revealed(0.3, 0.7)[0] < 1
    assert revealed(0.3, -0.5)[0] == 0.0  # or closes


# Flow


def grid(size: int = SIZE) -> Tensor:
    """(2, S, S) pixel centres, x then y."""
    axis = torch.arange(size) + 0.5
    return torch.stack([axis[None].expand(size, size), axis[:, None].expand(size, size)])


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.1, 0.4])
def test_no_displacement_is_no_flow_at_all(make_geometry: Make, place_face: Any, gap: float) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(gap)))[None]
    flow = make_geometry().flow(landmarks, torch.zeros(1, LANDMARKS, 2), SIZE)
    assert flow.shape == (1, 2, SIZE, SIZE)
    assert flow.abs().max() == 0


def test_an_affine_displacement_gives_an_affine_flow(make_geometry: Make, face: Tensor) -> None:
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


def test_flow_ends_at_the_ring(make_geometry: Make, face: Tensor) -> None:
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


def test_a_closing_lid_slides_over_a_still_eyeball(make_geometry: Make, face: Tensor) -> None:
    # The lid goes half way down; the iris does not move, so what is still seen of the eye must not either.
    upper, lower = (list(chain) for chain in LEFT_EYE)
    size, face = 2 * SIZE, 2 * face
    shift = torch.zeros(1, LANDMARKS, 2)
    shift[0, upper] = (face[0, lower, :2] - face[0, upper, :2]) / 2
    model = make_geometry()
    flow = model.flow(face, shift, size)[0]
    target = face[0, :, :2] + shift[0]
    seen = torch.tensor(inside(target[[*upper, *reversed(lower[1:-1])]].numpy(), size))
    seen = away_from(~seen, 1)  # the edge is soft
    assert seen.sum() > 5
    assert flow[:, seen].abs().max() < 1e-4
    shift[0, list(LEFT_IRIS)] = torch.tensor([1.5, 0.0])  # and with a gaze, all of it goes with the gaze
    flow = model.flow(face, shift, size)[0]
    np.testing.assert_allclose(flow[:, seen], np.broadcast_to([[-1.5], [0.0]], (2, int(seen.sum()))), atol=1e-3)


def open_mouth(face: Tensor, by_px: float) -> Tensor:
    """Displacement: the lower lip and the chin down, in an arch."""
    shift = torch.zeros(1, LANDMARKS, 2)
    shift[0, :, 1] = by_px * tensor(jaw_weights(face[0].double().numpy()))
    return shift


def test_a_mouth_that_opens_from_shut_is_filled_with_its_seam(make_geometry: Make, place_face: Any) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.02)))[None]  # 1 px apart, barely
    shift = open_mouth(landmarks, 8)
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    target = landmarks[0, :, :2] + shift[0]
    hole = torch.tensor(inside(target[[*MOUTH[0], *reversed(MOUTH[1][1:-1])]].numpy()))
    middle = away_from(~hole, 1) & (grid()[0] - CENTER[0]).abs().lt(3)
    source_y = (grid()[1] + flow[1])[middle]
    seam_y = float((landmarks[0, 13, 1] + landmarks[0, 14, 1]) / 2)
    assert (source_y - seam_y).abs().max() < 0.3


def test_the_seam_takes_over_without_a_jump(make_geometry: Make, place_face: Any) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.03)))[None]
    model = make_geometry()
    flows = torch.cat([model.flow(landmarks, open_mouth(landmarks, px), SIZE) for px in np.arange(0, 1, 0.05)])
    assert flows[0].abs().max() == 0
    # 0.05 px more opening never moves what is seen by more than a third of a pixel.
    assert (flows[1:, :, :, 60:68] - flows[:-1, :, :, 60:68]).abs().max() < 0.35


def mouth_hole(landmarks: Tensor, shift: Tensor) -> Tensor:
    target = landmarks[0, :, :2] + shift[0]
    return torch.tensor(inside(target[[*MOUTH[0], *reversed(MOUTH[1][1:-1])]].numpy()))


def test_teeth_hang_from_the_skull_while_the_jaw_drops(make_geometry: Make, place_face: Any) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.2)))[None]  # 10 px of teeth
    shift = open_mouth(landmarks, 10)
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    hole = mouth_hole(landmarks, shift) & (grid()[0] - CENTER[0]).abs().lt(4)
    depth = grid()[1] - landmarks[0, 13, 1]  # below the upper lip, which stays
    assert flow[:, hole & (depth < 8)].abs().max() < 0.5
    shown = (grid()[1] + flow[1])[hole & (depth > 11)]  # and the rest is what was at the lower lip
    assert (shown - landmarks[0, 14, 1]).abs().max() < 2


def test_lips_close_over_teeth_and_do_not_squeeze_them(make_geometry: Make, place_face: Any) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.3)))[None]
    shift = open_mouth(landmarks, -6)
    half = landmarks[0, 13, 1] + 5  # of 9 px; further down, this test's mesh has skin
    hole = mouth_hole(landmarks, shift) & (grid()[0] - CENTER[0]).abs().lt(4) & (grid()[1] < half)
    assert hole.sum() > 20
    assert make_geometry().flow(landmarks, shift, SIZE)[0][:, hole].abs().max() < 0.5


def test_teeth_go_with_the_head(make_geometry: Make, place_face: Any) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.2)))[None]
    turned = tensor(place_face(CENTER, SCALE * 1.05, roll=8, shape=shape_with_gap(0.2)))[None]
    shift = turned[..., :2] - landmarks[..., :2] + torch.tensor([3.0, -2.0])
    middle = (landmarks[0, 13, :2] + landmarks[0, 14, :2]) / 2
    at = (middle + shift[0, [13, 14]].mean(0)).round().long()
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    seen = at + 0.5 + flow[:, at[1], at[0]]
    wanted = middle + (at + 0.5 - middle - shift[0, [13, 14]].mean(0)) / 1.05  # to first order
    torch.testing.assert_close(seen, wanted, atol=0.2, rtol=0)


def test_holes_cover_an_opened_mouth_and_not_a_shut_one(make_geometry: Make, place_face: Any) -> None:
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


def varied(place_face: Any) -> tuple[Tensor, Tensor]:
    """Three faces of several poses and their displacements."""
    rng = np.random.default_rng(3)
    poses = [(0, 0, 0), (30, 5, 10), (-20, -10, -35)]
    faces = np.stack([place_face(CENTER, SCALE, yaw=y, pitch=p, roll=r) for y, p, r in poses])
    return tensor(faces), tensor(rng.normal(0, 1.5, (3, LANDMARKS, 2)))


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


def test_from_fit_keeps_the_tensors_and_has_nothing_to_learn(make_geometry: Make) -> None:
    model = make_geometry({"AU26": drop_jaw})
    assert list(model.parameters()) == []
    assert set(model.state_dict()) == {"weight", "mean_shape", "triangles"}
    assert model.config.au_count == action_units.COUNT
    assert model.weight[action_units.resolve("AU26")[0], 14].tolist() == pytest.approx([0, 0.2, 0])


def test_a_response_adds_to_the_linear_motion_and_can_be_left_out(make_geometry: Make) -> None:
    torch.manual_seed(0)
    response = FaceResponse(ResponseConfig(au_count=action_units.COUNT))
    for tensor in (*response.parameters(), response.motion_basis):
        torch.nn.init.normal_(tensor, std=0.02)
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

"""What is seen through mouth and eyes: teeth keep their place, a shut mouth opens onto its seam."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from retarget.model.mesh import LANDMARKS, LEFT_EYE, LEFT_IRIS, MOUTH

from .conftest import CENTER, SCALE, SIZE, Make, grid, tensor, units


def mouth_hole(inside: Any, landmarks: Tensor, shift: Tensor) -> Tensor:
    target = landmarks[0, :, :2] + shift[0]
    return torch.tensor(inside(target[[*MOUTH[0], *reversed(MOUTH[1][1:-1])]].numpy()))


def test_only_what_was_not_seen_has_to_be_made_up(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, drop_jaw: Any
) -> None:
    model = make_geometry({"AU26": drop_jaw})

    def revealed(gap: float, au: float) -> list[float]:
        landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(gap)))[None]
        return model.reveal(landmarks, model.displacement(units(AU26=au), landmarks))[0].tolist()

    assert revealed(0.0, 1.0) == [1.0, 0.0]  # a shut mouth opens; the eyes keep still
    assert revealed(0.3, 0.2)[0] == 0.0  # an open one opens a little further
    assert 0 < revealed(0.3, 0.7)[0] < 1
    assert revealed(0.3, -0.5)[0] == 0.0  # or closes


def test_a_closing_lid_slides_over_a_still_eyeball(
    make_geometry: Make, face: Tensor, inside: Any, away_from: Any
) -> None:
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


def test_a_mouth_that_opens_from_shut_is_filled_with_its_seam(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, open_mouth: Any, inside: Any, away_from: Any
) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.02)))[None]  # 1 px apart, barely
    shift = open_mouth(landmarks, 8)
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    target = landmarks[0, :, :2] + shift[0]
    hole = torch.tensor(inside(target[[*MOUTH[0], *reversed(MOUTH[1][1:-1])]].numpy()))
    middle = away_from(~hole, 1) & (grid()[0] - CENTER[0]).abs().lt(3)
    source_y = (grid()[1] + flow[1])[middle]
    seam_y = float((landmarks[0, 13, 1] + landmarks[0, 14, 1]) / 2)
    assert (source_y - seam_y).abs().max() < 0.3


def test_the_seam_takes_over_without_a_jump(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, open_mouth: Any
) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.03)))[None]
    model = make_geometry()
    flows = torch.cat([model.flow(landmarks, open_mouth(landmarks, px), SIZE) for px in np.arange(0, 1, 0.05)])
    assert flows[0].abs().max() == 0
    # 0.05 px more opening never moves what is seen by more than a third of a pixel.
    assert (flows[1:, :, :, 60:68] - flows[:-1, :, :, 60:68]).abs().max() < 0.35


def test_teeth_hang_from_the_skull_while_the_jaw_drops(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, open_mouth: Any, inside: Any
) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.2)))[None]  # 10 px of teeth
    shift = open_mouth(landmarks, 10)
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    hole = mouth_hole(inside, landmarks, shift) & (grid()[0] - CENTER[0]).abs().lt(4)
    depth = grid()[1] - landmarks[0, 13, 1]  # below the upper lip, which stays
    assert flow[:, hole & (depth < 8)].abs().max() < 0.5
    shown = (grid()[1] + flow[1])[hole & (depth > 11)]  # and the rest is what was at the lower lip
    assert (shown - landmarks[0, 14, 1]).abs().max() < 2


def test_lips_close_over_teeth_and_do_not_squeeze_them(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, open_mouth: Any, inside: Any
) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.3)))[None]
    shift = open_mouth(landmarks, -6)
    half = landmarks[0, 13, 1] + 5  # of 9 px; further down, this test's mesh has skin
    hole = mouth_hole(inside, landmarks, shift) & (grid()[0] - CENTER[0]).abs().lt(4) & (grid()[1] < half)
    assert hole.sum() > 20
    assert make_geometry().flow(landmarks, shift, SIZE)[0][:, hole].abs().max() < 0.5


def test_teeth_go_with_the_head(make_geometry: Make, place_face: Any, shape_with_gap: Any) -> None:
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.2)))[None]
    turned = tensor(place_face(CENTER, SCALE * 1.05, roll=8, shape=shape_with_gap(0.2)))[None]
    shift = turned[..., :2] - landmarks[..., :2] + torch.tensor([3.0, -2.0])
    middle = (landmarks[0, 13, :2] + landmarks[0, 14, :2]) / 2
    at = (middle + shift[0, [13, 14]].mean(0)).round().long()
    flow = make_geometry().flow(landmarks, shift, SIZE)[0]
    seen = at + 0.5 + flow[:, at[1], at[0]]
    wanted = middle + (at + 0.5 - middle - shift[0, [13, 14]].mean(0)) / 1.05  # to first order
    torch.testing.assert_close(seen, wanted, atol=0.2, rtol=0)


def test_what_is_carried_goes_with_the_lips(make_geometry: Make, place_face: Any, shape_with_gap: Any) -> None:
    # From one open mouth to another: the head 3 px lower, the lower lip 1 px further than that.
    model = make_geometry({})
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.15)))[None]
    shift = torch.zeros(1, LANDMARKS, 2)
    shift[..., 1] = 3.0
    shift[:, list(MOUTH[1][1:-1]), 1] = 4.0
    flow = model.drawn(landmarks, shift, SIZE, carried=True).flow[0, 1]
    target = (landmarks[0, :, :2] + shift[0]).numpy()
    x, top, bottom = target[13, 0], target[13, 1], target[14, 1]
    column = flow[:, int(x)]
    for share, wanted in ((0.25, -3.25), (0.5, -3.5), (0.75, -3.75)):
        assert abs(float(column[int(top + share * (bottom - top))]) - wanted) < 0.2

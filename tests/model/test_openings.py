"""Lips and lids meet where they should, never cross, and stay shut where nothing may be seen."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from retarget.model.mesh import LEFT_EYE, MOUTH, RIGHT_EYE
from retarget.model.openings import shutting

from .conftest import CENTER, SCALE, Make, tensor, units


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


def test_an_overlap_that_was_there_is_left(make_geometry: Make, place_face: Any, shape_with_gap: Any) -> None:
    shape = shape_with_gap(-0.02)
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape))[None]
    model = make_geometry({"AU01L": lambda p: p * 0 + (0, 0.1, 0)})
    moved = model.displacement(units(AU01L=1), landmarks)
    np.testing.assert_allclose(moved[0], np.broadcast_to((0, 5.0), (478, 2)), atol=1e-2)


def test_shut_lips_stay_shut_where_nothing_may_be_revealed(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, drop_jaw: Any
) -> None:
    model = make_geometry({"AU26": drop_jaw})
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.0)))[None]
    free = landmarks[..., :2] + model.displacement(units(AU26=1), landmarks)
    kept = landmarks[..., :2] + model.displacement(units(AU26=1), landmarks, may_reveal=False)
    assert float(gaps(free)[0, :9].max()) == pytest.approx(0.2 * SCALE, rel=0.01)
    assert float(gaps(kept)[0, :9].max()) < 0.15 * 0.2 * SCALE
    wide = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.3)))[None]
    parted = model.displacement(units(AU26=1), wide, may_reveal=False)
    np.testing.assert_allclose(parted, model.displacement(units(AU26=1), wide), atol=0.05)


@pytest.mark.parametrize(("left", "touch"), [(0.2, True), (0.3, True), (0.6, False), (0.9, False)])
def test_lips_that_lose_most_of_their_gap_touch(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, left: float, *, touch: bool
) -> None:
    # Upper and lower lip come together by so much; models of motion fall short of what is asked.
    def closer(canonical: Any) -> Any:
        out = np.zeros_like(canonical)
        upper, lower = (list(chain) for chain in MOUTH)
        out[lower] = (1 - left) * (canonical[upper] - canonical[lower])
        return out

    shape = shape_with_gap(0.1)
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape))[None]
    model = make_geometry({"AU24L": lambda _: closer(shape)})
    moved = landmarks[..., :2] + model.displacement(units(AU24L=1), landmarks)
    widest = float(gaps(moved)[0, :9].max())
    if touch:
        assert widest < 0
    else:
        assert widest == pytest.approx(left * 0.1 * SCALE, rel=0.02)


def test_what_shuts_is_known_by_opening(face: Tensor) -> None:
    still = torch.zeros(1, 478, 2)
    assert shutting(face[..., :2], still).tolist() == [[0, 0, 0]]
    shift = still.clone()
    upper, lower = (list(chain) for chain in LEFT_EYE)
    shift[:, upper] = face[:, lower, :2] - face[:, upper, :2]
    mouth, right, left = shutting(face[..., :2], shift)[0].tolist()
    assert (mouth, right) == (0, 0)
    assert left == pytest.approx(1, abs=0.01)
    half = shutting(face[..., :2], 0.3 * shift)[0, 2].item()
    assert 0 <= half < 0.7


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("jaw", [0.0, 0.6])
def test_lips_come_together_whatever_the_jaw_does(
    make_geometry: Make, place_face: Any, shape_with_gap: Any, drop_jaw: Any, share: float, jaw: float
) -> None:
    model = make_geometry({"AU26": drop_jaw})
    landmarks = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(0.2)))[None]
    asked = units(AU26=jaw)
    free = gaps(landmarks[..., :2] + model.displacement(asked, landmarks))[0, :9]
    together = model.displacement(asked, landmarks, lips_together=torch.tensor([share]))
    left = gaps(landmarks[..., :2] + together)[0, :9]
    if share == 1:
        assert float(left.max()) <= 0
    else:
        np.testing.assert_allclose(left, (1 - share) * free, atol=0.02 * SCALE)
    below_lip, chin = together[0, [17, 152], 1]
    assert (float(below_lip) < 0) == (share > 0 and jaw == 0), "the lip's skin goes along"
    assert abs(float(chin)) <= abs(float(model.displacement(asked, landmarks)[0, 152, 1])) + 0.3

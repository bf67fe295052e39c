"""Lips that meet have a line between them."""

from typing import Any

import torch

from retarget.model.mesh import LANDMARKS, MOUTH
from retarget.model.seam import DEPTH, lip_seam

from .conftest import CENTER, SCALE, SIZE, tensor


def shut_by(share: float, place_face: Any, shape_with_gap: Any, gap: float = 0.15) -> tuple[Any, Any]:
    """Lips that part by a gap, and what takes so much of it."""
    points = tensor(place_face(CENTER, SCALE, shape=shape_with_gap(gap)))[None, :, :2]
    upper, lower = (list(chain) for chain in MOUTH)
    shift = torch.zeros(1, LANDMARKS, 2)
    apart = points[:, lower] - points[:, upper]
    shift[:, upper] += share * apart / 2
    shift[:, lower] -= share * apart / 2
    return points, shift


def test_lips_that_meet_are_dark_between_and_nowhere_else(place_face: Any, shape_with_gap: Any) -> None:
    points, shift = shut_by(1.0, place_face, shape_with_gap)
    seam = lip_seam(points, shift, SIZE)
    assert seam is not None
    x, y = (points + shift)[0, [13, 14]].mean(0).tolist()
    for color, depth in enumerate(DEPTH):
        assert abs(float(seam[0, color, int(y), int(x)]) - depth) < 0.1
    assert float(seam[0, 0, int(y) + 6, int(x)]) < 0.01
    assert float(seam[0, 0, int(y), 5]) < 0.01
    assert 0 <= float(seam.min()) <= float(seam.max()) <= max(DEPTH)


def test_lips_that_stay_apart_or_still_have_none(place_face: Any, shape_with_gap: Any) -> None:
    assert lip_seam(*shut_by(0.0, place_face, shape_with_gap), SIZE) is None
    assert lip_seam(*shut_by(0.2, place_face, shape_with_gap), SIZE) is None


def test_lips_that_were_shut_keep_their_own(place_face: Any, shape_with_gap: Any) -> None:
    points, _ = shut_by(0.0, place_face, shape_with_gap, gap=0.0)
    assert lip_seam(points, torch.zeros(1, LANDMARKS, 2), SIZE) is None

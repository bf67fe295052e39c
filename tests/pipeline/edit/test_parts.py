"""Mouth and eyes: how they are shaped, and where they lie."""

from typing import Any

import numpy as np
import pytest

from retarget.model.mesh import OUTER_LIPS
from retarget.pipeline.edit.parts import EYES_PART, MOUTH_PART, PARTS, Window
from retarget.pipeline.faces import canonical_face

(MOUTH_PIECE,) = MOUTH_PART.pieces


def test_a_gap_is_measured_over_the_width_whatever_the_scale(open_mouth: Any) -> None:
    width = np.linalg.norm(canonical_face()[78, :2] - canonical_face()[308, :2])
    at_rest = MOUTH_PIECE.gap(open_mouth(0.0).landmarks[None])[0]
    for scale_px in (40.0, 160.0):
        gap = MOUTH_PIECE.gap(open_mouth(0.2, scale_px=scale_px).landmarks[None])[0]
        assert gap - at_rest == pytest.approx(0.2 / width, abs=0.02)


def test_a_shape_does_not_depend_on_where_the_head_is() -> None:
    moved = canonical_face() + np.array([3.0, -2.0, 0.0])
    for part in PARTS:
        for piece in part.pieces:
            np.testing.assert_allclose(piece.shape(moved[None]), piece.shape(canonical_face()[None]), atol=1e-6)


def test_eyes_have_their_gaze_in_their_shape() -> None:
    looking = canonical_face().copy()
    looking[468, 0] += 0.03
    right, left = EYES_PART.pieces
    assert np.abs(right.shape(looking[None]) - right.shape(canonical_face()[None])).max() == pytest.approx(0.03)
    np.testing.assert_array_equal(left.shape(looking[None]), left.shape(canonical_face()[None]))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_window_holds_all_of_its_masks(part: Any, place_face: Any) -> None:
    landmarks = place_face((128, 120), 87)
    window = part.window(landmarks, 256)
    for piece in part.pieces:
        mask = piece.mask(landmarks, window, 256)
        assert mask.shape == (window.side, window.side)
        assert mask.max() == pytest.approx(1, abs=1e-3)
        rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert rim.max() < 0.01


def test_a_mask_lies_on_the_lips_and_not_on_the_chin(place_face: Any) -> None:
    landmarks = place_face((128, 120), 87)
    window = MOUTH_PART.window(landmarks, 256)
    mask = MOUTH_PIECE.mask(landmarks, window, 256)
    lips = np.floor(landmarks[list(OUTER_LIPS), :2] - (window.left, window.top)).astype(int)
    assert mask[lips[:, 1], lips[:, 0]].min() > 0.5
    x, y = np.floor(landmarks[152, :2] - (window.left, window.top)).astype(int)
    assert y >= window.side or mask[y, x] == 0


def test_a_window_stays_inside_the_crop(place_face: Any) -> None:
    for center in ((10, 10), (250, 250), (128, 400)):
        window = EYES_PART.window(place_face(center, 87), 256)
        assert 0 <= window.left <= 256 - window.side
        assert 0 <= window.top <= 256 - window.side


def test_windows_are_values() -> None:
    assert Window(1, 2, 3) == Window(1, 2, 3)

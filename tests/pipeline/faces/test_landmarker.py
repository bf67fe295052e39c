"""What one landmark call sees: upright windows, confidence, and whether it is the same face."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retarget.model.mesh import STABLE
from retarget.pipeline.faces.landmarker import SeenFace, Window, is_same
from retarget.pipeline.faces.pose import head_pose


def test_a_window_is_upright_on_a_rolled_face_and_can_be_undone() -> None:
    window = Window.around(np.array([300.0, 200.0]), 128, np.radians(90))
    # leaning clockwise by 90 degrees, the forehead points to the right: it is up in the window
    assert (window.matrix @ (300, 200, 1)).tolist() == pytest.approx([128, 128])
    assert (window.matrix @ (310, 200, 1)).tolist() == pytest.approx([128, 108])
    points = np.random.default_rng(0).random((478, 3)) * 200
    placed = np.c_[points[:, :2] @ window.matrix[:, :2].T + window.matrix[:, 2], points[:, 2] * 2]
    np.testing.assert_allclose(window.to_display(placed), points, atol=1e-9)


def seen_at(place_face: Any, center: tuple[float, float], scale_px: float = 40) -> SeenFace:
    landmarks = place_face(center, scale_px)
    return SeenFace(landmarks, head_pose(landmarks), np.zeros(0, np.float32), ())


def test_a_face_does_not_jump_nor_swell_within_a_frame(place_face: Any) -> None:
    last = seen_at(place_face, (200, 200))
    assert is_same(seen_at(place_face, (210, 200)), last)
    assert not is_same(seen_at(place_face, (200 + 0.6 * last.size_px, 200)), last)
    assert not is_same(seen_at(place_face, (200, 200), 80), last)
    assert not is_same(seen_at(place_face, (200, 200), 20), last)


def test_confidence_falls_with_the_misfit(place_face: Any) -> None:
    rng = np.random.default_rng(0)
    found = []
    for noise in (0, 2, 3, 4, 8):  # px, of 40 a unit
        landmarks = place_face((200, 200), 40)
        landmarks[list(STABLE)] += rng.normal(0, noise, (len(STABLE), 3))
        found.append(SeenFace(landmarks, head_pose(landmarks), np.zeros(0, np.float32), ()).confidence)
    assert found[0] == 1
    assert found[-1] == 0
    assert found == sorted(found, reverse=True)

"""Anchors, scores and merging, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from retarget.pipeline.faces.detections import Detection, anchors, decoded, detection_of, merged, moved


def test_anchors_stand_in_the_middle_of_their_cells() -> None:
    places = anchors()
    assert places.shape == (896, 2)
    np.testing.assert_allclose(places[:4] * 32, [[1, 1], [1, 1], [3, 1], [3, 1]])
    np.testing.assert_allclose(places[512 : 512 + 7] * 16, [[1, 1]] * 6 + [[3, 1]])
    np.testing.assert_allclose(places[-1], [15 / 16, 15 / 16])


def test_only_sure_anchors_are_decoded_best_first() -> None:
    raw, logits = np.zeros((896, 16), np.float32), np.full(896, -1000, np.float32)
    logits[[3, 520]] = [0.1, 3.0]
    raw[3, :4] = [12.8, -12.8, 25.6, 51.2]  # the box's middle off the anchor, its sides
    raw[3, 4:6] = [-12.8, 0]  # the right eye
    scores, places = decoded(raw, logits)
    assert scores == pytest.approx([1 / (1 + np.exp(-3.0)), 1 / (1 + np.exp(-0.1))], abs=1e-6)
    x, y = anchors()[3]
    np.testing.assert_allclose(places[1, :3], [[x, y - 0.3], [x + 0.2, y + 0.1], [x - 0.1, y]], atol=1e-6)


def place(left: float, top: float, side: float) -> np.ndarray:
    return np.array([[left, top], [left + side, top + side], *[[left + side / 2, top + side / 2]] * 6])


def test_boxes_of_one_face_are_averaged_by_their_scores() -> None:
    scores = np.array([0.9, 0.8, 0.6])
    places = np.stack([place(0.2, 0.2, 0.2), place(0.7, 0.7, 0.2), place(0.23, 0.2, 0.2)])
    found = merged(scores, places)
    assert [score for score, _ in found] == [0.9, 0.8]
    np.testing.assert_allclose(found[0][1][0], [(0.9 * 0.2 + 0.6 * 0.23) / 1.5, 0.2])
    np.testing.assert_allclose(found[1][1], places[1])
    assert merged(np.zeros(0), np.zeros((0, 8, 2))) == []


def test_a_turned_face_knows_its_turn() -> None:
    eyes = place(0, 0, 10)
    eyes[2], eyes[3] = (4, 4), (6, 6)
    face = detection_of(0.7, eyes)
    assert np.degrees(face.roll_radians) == pytest.approx(45), "clockwise in the picture"
    assert (face.center.tolist(), face.size_px) == ([5, 5], 10)


def test_a_tiles_face_moves_to_the_picture() -> None:
    face = moved(Detection(0.8, np.array([1.0, 2.0]), np.array([3.0, 4.0]), 0.1), (10, 20), 2)
    assert (face.low.tolist(), face.high.tolist()) == ([22, 44], [26, 48])
    assert (face.score, face.roll_radians) == (0.8, 0.1)

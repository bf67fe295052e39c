"""Edges that an edit leaves on skin: on a smooth face with seams, dots and moved lines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.pipeline.faces import alignment, canonical_face
from retarget.pipeline.review.face_view import VIEW, view_points
from retarget.pipeline.review.seams import REACH_PX, new_edges

POINTS = view_points(canonical_face() * 90, alignment(canonical_face() * 90))
SKIN = np.full((VIEW.size_px, VIEW.size_px, 3), 150, np.uint8)
CHEEK = np.s_[80:100, 38:54]
Picture = NDArray[np.uint8]


def changed(place: tuple[slice, slice], levels: int) -> Picture:
    picture = SKIN.copy()
    picture[place] += np.uint8(levels)
    return picture


def edges(source: Picture, output: Picture) -> float:
    return new_edges(source, output, POINTS, POINTS)


def test_a_seam_is_seen_and_a_change_that_fades_out_is_not() -> None:
    seam = changed(CHEEK, 14)
    assert edges(SKIN, SKIN) == 0
    assert edges(SKIN, seam) > 2
    assert edges(SKIN, cv2.GaussianBlur(seam, (0, 0), 6).astype(np.uint8)) == 0


def test_an_edge_that_was_moved_is_the_plates_own() -> None:
    lines = [changed(np.s_[80 + by : 82 + by, 36:60], 40) for by in (0, REACH_PX - 2, 4 * REACH_PX)]
    assert edges(lines[0], lines[1]) == 0
    assert edges(lines[0], lines[2]) > 0.5


@pytest.mark.parametrize("landmark", [13, 159])
def test_lips_and_lids_may_open(landmark: int) -> None:
    x, y = POINTS[landmark].astype(int)
    assert edges(SKIN, changed(np.s_[y - 1 : y + 2, x - 3 : x + 4], 60)) == 0

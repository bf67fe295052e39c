"""Detail in openings: on the canonical face with its mouth opened, painted over."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.model.mesh import MOUTH
from retarget.pipeline.faces import alignment, canonical_face
from retarget.pipeline.review.detail import opening_detail
from retarget.pipeline.review.face_view import VIEW, view_points


@pytest.fixture
def points() -> NDArray[np.float64]:
    """`view_points` of a mouth that is a quarter of the eyes' distance open."""
    face = canonical_face() * 90 + (300, 200, 0)
    placed = alignment(face)
    face[list(MOUTH[1][1:-1]), 1] += 22
    return view_points(face, placed)


def striped(levels: int) -> NDArray[np.uint8]:
    picture = np.full((VIEW.size_px, VIEW.size_px, 3), 100, np.uint8)
    picture[:, ::4] += np.uint8(levels)
    picture[:, 1::4] += np.uint8(levels)
    return picture


def test_stripes_have_detail_by_their_contrast(points: NDArray[np.float64]) -> None:
    detail = [opening_detail(striped(levels), points) for levels in (0, 20, 40)]
    np.testing.assert_allclose([d[0] for d in detail], [0, 10, 20], rtol=0.05)  # half of the step, at each pixel
    assert detail[2][1] == pytest.approx(20, rel=0.1), "so do eyes"


def test_a_shut_mouth_has_none(points: NDArray[np.float64]) -> None:
    points[list(MOUTH[1])] = points[list(MOUTH[0])]
    assert np.isnan(opening_detail(striped(20), points)[0])

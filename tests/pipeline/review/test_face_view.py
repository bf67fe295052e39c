"""The face box and its regions: on the canonical face, seen from the front."""

from __future__ import annotations

import numpy as np

from retarget.model.mesh import LEFT_EYE, MOUTH
from retarget.pipeline.faces import alignment, canonical_face
from retarget.pipeline.review.face_view import JAW_HALF_PX, VIEW, region_masks, view_points

FACE = canonical_face() * 90 + (300, 200, 0)


def test_the_box_is_placed_by_the_eyes() -> None:
    points = view_points(FACE, alignment(FACE))
    eyes = points[[33, 263]]
    np.testing.assert_allclose(eyes.mean(0), (VIEW.size_px / 2, VIEW.size_px * VIEW.eyes_y_fraction), atol=1)
    assert abs(eyes[1, 0] - eyes[0, 0] - VIEW.size_px * VIEW.eye_distance_fraction) < 1
    assert points[152, 1] < VIEW.size_px - 10, "there is room for a jaw that drops"


def test_regions_are_where_the_mesh_says() -> None:
    points = view_points(FACE, alignment(FACE))
    regions = region_masks(points)

    def at(name: str, landmark: int) -> bool:
        x, y = points[landmark].astype(int)
        return bool(regions[name][y, x])  # type: ignore[index]

    assert regions["face"].all()
    assert at("mouth", MOUTH[0][5])
    assert not at("mouth", 152)
    assert at("eyes", LEFT_EYE[0][4])
    assert not at("eyes", 4)
    assert at("jaw", 152)
    assert not at("jaw", MOUTH[1][5])
    assert regions["jaw"].any(axis=0).sum() > 60, "from ear to ear"
    assert JAW_HALF_PX <= regions["jaw"][:, 80].sum() <= 2 * JAW_HALF_PX + 2

"""What is said of a clip's pictures: on series made up."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from retarget.pipeline.review.picture_summary import picture_summary
from retarget.pipeline.review.series import FaceSeries


def test_a_clip_in_order(face: FaceSeries) -> None:
    found = picture_summary([face])
    assert found is not None
    assert (found.never_seen, found.new_edges) == (0, 0)
    assert found.boiling == {"face": 1, "mouth": 1, "eyes": 1, "jaw": 1}
    assert found.detail == {"mouth": 1, "eyes": 1}


def test_the_worst_frame_of_all_faces(face: FaceSeries) -> None:
    never, edges = face.never_seen.copy(), face.new_edges.copy()
    never[[5, 7]], edges[9] = [[1, 0, 1, 0], [3, 2, 0, 0]], 4
    other = dataclasses.replace(face, never_seen=never, new_edges=edges, frames=face.frames + 40)
    found = picture_summary([face, other])
    assert found is not None
    assert (found.never_seen, found.never_seen_frame, found.new_edges) == (3, 147, 4)
    assert found.never_seen_regions == {"mouth": 2, "eyes": 1, "jaw": 0}
    assert (found.never_seen_in("face"), found.never_seen_in("eyes")) == (3, 1)


def test_boiling_is_pooled_over_the_edited_frames(face: FaceSeries) -> None:
    boiling, requested = face.boiling.copy(), face.requested.copy()
    requested[:20] = 0
    boiling[:20, :, 1], boiling[20:30, 1, 1] = 100, 10
    found = picture_summary([dataclasses.replace(face, boiling=boiling, requested=requested)])
    assert found is not None
    assert found.boiling["face"] == 1
    assert found.boiling["mouth"] == pytest.approx(math.sqrt((62.5 + 1) / (25 + 1)), abs=1e-3)


def test_detail_is_of_the_sources_open_mouths(face: FaceSeries) -> None:
    detail = face.detail.copy()
    detail[:, 0, 1], detail[:30, 0, 0], detail[:, 1:, :] = 5, np.nan, np.nan
    found = picture_summary([dataclasses.replace(face, detail=detail)])
    assert found is not None
    assert found.detail_in("mouth") == 0.25
    assert math.isnan(found.detail_in("eyes"))
    assert math.isnan(found.detail_in("jaw"))


def test_where_nothing_was_edited_there_is_nothing_to_say(face: FaceSeries) -> None:
    assert picture_summary([]) is None
    assert picture_summary([dataclasses.replace(face, requested=0 * face.requested)]) is None

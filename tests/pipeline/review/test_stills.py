"""Single edits of the astronaut: judged by herself, and by what else is known of her."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.model.mesh import LEFT_EYE, MOUTH
from retarget.pipeline.faces import read_faces
from retarget.pipeline.media import open_video
from retarget.pipeline.review.stills import StillJudge, detail_of

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def landmarks(samples: Path) -> NDArray[np.float32]:
    with open_video(samples / "astronaut.png") as reader:
        analysis = read_faces(reader)
    return analysis.landmarks(analysis.tracks[0], 0)


@pytest.fixture
def picture(samples: Path) -> Picture:
    return np.asarray(cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB), np.uint8)


def painted(picture: Picture, points: NDArray[np.float32], color: tuple[int, int, int]) -> Picture:
    out = picture.copy()
    hull = cv2.convexHull(np.round(points[:, :2]).astype(np.int32))
    cv2.fillConvexPoly(out, hull, color)
    cv2.polylines(out, [hull], True, color, thickness=3)
    return out


def test_an_edit_of_nothing(picture: Picture, landmarks: NDArray[np.float32]) -> None:
    marks = StillJudge([]).judge(picture, landmarks, picture, landmarks)
    assert (marks.never_seen, marks.new_edges) == (0, 0)
    np.testing.assert_array_equal(marks.detail, detail_of(picture, landmarks))
    assert marks.detail[0] > 5, "teeth"


def test_a_green_eye_is_seen_unless_it_was(picture: Picture, landmarks: NDArray[np.float32]) -> None:
    green = painted(picture, landmarks[[*LEFT_EYE[0], *LEFT_EYE[1]]], (20, 200, 40))
    assert StillJudge([]).judge(picture, landmarks, green, landmarks).never_seen > 2
    assert StillJudge([(green, landmarks)]).judge(picture, landmarks, green, landmarks).never_seen == 0


def test_a_flat_mouth_has_no_detail(picture: Picture, landmarks: NDArray[np.float32]) -> None:
    flat = painted(picture, landmarks[[*MOUTH[0], *MOUTH[1]]], (110, 60, 60))
    assert StillJudge([]).judge(picture, landmarks, flat, landmarks).detail[0] < 1


def test_edits_do_not_get_used_to(picture: Picture, landmarks: NDArray[np.float32]) -> None:
    green = painted(picture, landmarks[[*LEFT_EYE[0], *LEFT_EYE[1]]], (20, 200, 40))
    judge = StillJudge([(picture, landmarks)])
    marks = [judge.judge(picture, landmarks, green, landmarks) for _ in range(2)]
    assert marks[0].never_seen == marks[1].never_seen > 2

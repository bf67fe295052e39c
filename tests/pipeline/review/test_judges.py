"""Defects planted into the frames of a real face, each of which some judge has to see and a mild edit none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.model.mesh import LEFT_EYE, MOUTH, OUTER_LIPS, RIGHT_EYE
from retarget.pipeline.faces import FaceTrack, read_faces
from retarget.pipeline.media import open_video
from retarget.pipeline.records import Face
from retarget.pipeline.review.boiling import boiling_ratio
from retarget.pipeline.review.face_view import VIEW, face_picture, filled, grown, view_points
from retarget.pipeline.review.flags import flags_of
from retarget.pipeline.review.judges import FaceJudge, Pictures
from retarget.pipeline.review.palette import PersonColors
from retarget.pipeline.review.series import FaceSeries

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]
Defect = Callable[[int, Picture, Points], Picture]
FLASH = 20


@dataclasses.dataclass
class Footage:
    """A woman who laughs, as her judge sees her."""

    track: FaceTrack
    landmarks: list[NDArray[np.float32]]
    boxes: list[Picture]

    def points(self, at: int) -> Points:
        return view_points(self.landmarks[at], self.track.alignments[at])


@pytest.fixture(scope="module")
def footage(samples: Path) -> Footage:
    with open_video(samples / "actress.mp4", trim_start=1.2, trim_end=2.8) as reader:
        analysis = read_faces(reader)
    (track,) = analysis.tracks
    with open_video(samples / "actress.mp4", trim_start=1.2, trim_end=2.8) as reader:
        frames = {frame.index: frame for frame in reader}
        boxes = [
            face_picture(frames[i], reader.info, placed)
            for i, placed in zip(track.frames.tolist(), track.alignments, strict=True)
        ]
    return Footage(track, [analysis.landmarks(track, i) for i in range(len(boxes))], boxes)


def mild(at: int, picture: Picture, points: Points) -> Picture:
    """The corners of the mouth go up and down by two pixels, and a codec leaves its noise."""
    y, x = np.indices((VIEW.size_px, VIEW.size_px), np.float32)
    lift = 2 * np.sin(at / 12)
    for corner in points[[61, 291]]:
        y = y + np.float32(lift) * np.exp(-((x - corner[0]) ** 2 + (y - corner[1]) ** 2) / (2 * 8**2))
    moved = cv2.remap(picture, x, y.astype(np.float32), cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(at).normal(0, 1, picture.shape)
    return np.clip(moved + noise, 0, 255).astype(np.uint8)


def inner_mouth(points: Points) -> NDArray[np.bool_]:
    return filled(points[list({*MOUTH[0], *MOUTH[1]})])


def mouth(points: Points) -> NDArray[np.bool_]:
    return grown(filled(points[list(OUTER_LIPS)]), 5)


def flat(_: int, picture: Picture, points: Points) -> Picture:
    picture[inner_mouth(points)] = (110, 60, 60)  # not foreign to lips in shadow
    return picture


def noise(at: int, picture: Picture, points: Points) -> Picture:
    where = inner_mouth(points)
    grain = np.random.default_rng(at).normal(0, 60, (np.count_nonzero(where), 3))
    picture[where] = np.clip(picture[where] + grain, 0, 255)
    return picture


def green(_: int, picture: Picture, points: Points) -> Picture:
    for eye in (RIGHT_EYE, LEFT_EYE):
        picture[filled(points[list({*eye[0], *eye[1]})])] = (40, 160, 60)
    return picture


def red_eye(_: int, picture: Picture, points: Points) -> Picture:
    picture[filled(points[list({*LEFT_EYE[0], *LEFT_EYE[1]})])] = (150, 40, 45)
    return picture


def flash(at: int, picture: Picture, _: Points) -> Picture:
    return np.clip(1.4 * picture.astype(np.float32), 0, 255).astype(np.uint8) if at == FLASH else picture


def dots(at: int, picture: Picture, points: Points) -> Picture:
    rng = np.random.default_rng(at)
    for x, y in points[rng.choice([58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365], 8)]:
        dx, dy = rng.integers(-5, 6, 2)
        cv2.circle(picture, (int(x + dx), int(y + dy)), 1, (40, 30, 30), -1)
    return picture


def seam(_: int, picture: Picture, points: Points) -> Picture:
    x, y = points[205].astype(int)
    picture[y - 9 : y + 9, x - 9 : x + 9] = np.clip(picture[y - 9 : y + 9, x - 9 : x + 9] * 0.8, 0, 255)
    return picture


def swapped(_: int, picture: Picture, points: Points) -> Picture:
    places = [points[list({*eye[0], *eye[1]})].mean(0).astype(int) for eye in (RIGHT_EYE, LEFT_EYE)]
    right, left = (np.s_[y - 9 : y + 9, x - 15 : x + 15] for x, y in places)
    picture[right], picture[left] = picture[left].copy(), picture[right].copy()
    return picture


class Frozen:
    """The mouth of the first frame, in every frame."""

    def __init__(self) -> None:
        self._first: tuple[Picture, Points] | None = None

    def __call__(self, _: int, picture: Picture, points: Points) -> Picture:
        if self._first is None:
            self._first = picture.copy(), points
        first, placed = self._first
        where = mouth(placed)
        picture[where] = first[where]
        return picture


def judged(footage: Footage, defect: Defect | None) -> Pictures:
    judge = FaceJudge(footage.track, PersonColors(), 0)
    for at, box in enumerate(footage.boxes):
        points = footage.points(at)
        output = mild(at, box.copy(), points)
        judge.compare(at, box, output if defect is None else defect(at, output, points), points)
        judge.find(at, (face_of(footage.landmarks[at]),))
    return judge.pictures()


def face_of(landmarks: NDArray[np.float32]) -> Face:
    return Face(0, landmarks, np.zeros(46, np.float32), np.eye(3, dtype=np.float32))


@pytest.fixture
def reasons(footage: Footage, face: FaceSeries, clip_of: Any) -> Callable[[Pictures], set[str]]:
    """`reasons(pictures)`: why a clip with these is flagged."""
    n = len(footage.boxes)
    rest = {
        item.name: value[:n]
        for item in dataclasses.fields(face)
        if isinstance(value := getattr(face, item.name), np.ndarray)
    }

    def of(pictures: Pictures) -> set[str]:
        series = dataclasses.replace(face, **(rest | dataclasses.asdict(pictures)))
        return {flag.reason for flag in flags_of(clip_of(series))}

    return of


def test_a_mild_edit_passes_every_judge(footage: Footage, reasons: Any) -> None:
    found = judged(footage, None)
    assert reasons(found) == set()
    assert found.never_seen[:, 0].max() <= 0.1
    assert np.nanmax(found.new_edges) <= 0.2
    np.testing.assert_allclose(np.nanmean(boiling_ratio(found.boiling), axis=0), 1, atol=0.1)
    assert 0.85 < np.nanmedian(found.detail[:, 0, 1] / found.detail[:, 0, 0]) < 1.15


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        (flat, "painted"), (noise, "painted"), (green, "painted"), (red_eye, "painted"), (flash, "painted"),
        (dots, "boiling"), (noise, "boiling"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_a_planted_defect_is_flagged(defect: Defect, reason: str, footage: Footage, reasons: Any) -> None:
    assert reason in reasons(judged(footage, defect))


def test_a_flash_is_flagged_where_it_is(footage: Footage) -> None:
    never = judged(footage, flash).never_seen[:, 0]
    assert np.flatnonzero(never > 0.2).tolist() == [FLASH]


def test_a_flat_mouth_has_no_detail(footage: Footage) -> None:
    detail = judged(footage, flat).detail[:, 0]
    assert np.nanmedian(detail[:, 1]) < 0.1 * np.nanmedian(detail[:, 0])


@pytest.mark.parametrize("defect", [seam, swapped, dots])
def test_a_seam_has_edges_of_its_own(defect: Defect, footage: Footage) -> None:
    assert np.nanmedian(judged(footage, defect).new_edges) > 0.5


def test_a_frozen_mouth_is_too_still(footage: Footage) -> None:
    usual, frozen = (
        np.sqrt(np.nanmean(np.square(judged(footage, defect).boiling[:, 1, 1]))) for defect in (None, Frozen())
    )
    assert frozen < 0.6 * usual


def test_a_face_that_is_not_found_has_no_detail(footage: Footage) -> None:
    judge = FaceJudge(footage.track, PersonColors(), 0)
    judge.compare(0, footage.boxes[0], footage.boxes[0], footage.points(0))
    judge.find(0, (face_of(footage.landmarks[0] + np.float32(footage.track.size_px[0])),))
    found = judge.pictures()
    assert np.isnan(found.detail[0, :, 1]).all()
    assert np.isnan(found.new_edges[0])

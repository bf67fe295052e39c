"""A few good pictures of every face: which are taken, and where a stretch of a track ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from retarget.model.face_chip import CHIP_PX
from retarget.pipeline.faces.portraits import LOOK_EVERY_SECONDS, PORTRAITS_KEPT, Portraits, Stretch, chip_of
from retarget.pipeline.records import Face, TrackedFrame

SIZE = (640, 360)


@pytest.fixture
def taken(make_info: Any, make_frame: Any) -> Callable[..., list[Stretch]]:
    """`taken([(face, ...), ...])`: the stretches of those faces, frame by frame at 25 a second."""

    def make(faces: Sequence[Sequence[Face]], shots: Sequence[int] | None = None) -> list[Stretch]:
        portraits = Portraits(make_info(*SIZE))

        def texture(x: Any, y: Any) -> Any:
            return 128 + 60 * np.cos(x / 3) * np.cos(y / 3)

        frames = [make_frame(*SIZE, draw=texture, index=i) for i in range(len(faces))]
        numbers = shots or [0] * len(faces)
        pairs = portraits.watch(zip(frames, numbers, strict=True))
        tracked = (
            TrackedFrame(frame.index, frame.pts, frame.seconds, shot, tuple(faces[frame.index]))
            for frame, shot in pairs
        )
        assert len(list(portraits.collect(tracked))) == len(faces)
        return portraits.stretches()

    return make


def test_the_best_moments_are_taken_and_not_many(taken: Any, make_face: Any) -> None:
    turned = [40.0] * 25 + [0.0] * 50 + [40.0] * 25
    (found,) = taken([[make_face(0, (320, 180), 90, yaw=yaw)] for yaw in turned])
    assert (found.first_frame, found.last_frame, found.sure_until_frame) == (0, 99, 99)
    assert len(found.frames) == PORTRAITS_KEPT
    assert all(25 <= frame < 75 for frame in found.frames)
    assert found.descriptors.shape == (PORTRAITS_KEPT, 128)
    assert (np.diff(found.qualities) <= 0).all()
    apart = np.diff(np.sort(found.frames))
    assert apart.min() >= LOOK_EVERY_SECONDS * 25 - 1e-9


def test_unsure_and_small_faces_give_poorer_portraits(taken: Any, make_face: Any) -> None:
    def quality(**how: Any) -> float:
        (found,) = taken([[make_face(0, (320, 180), how.pop("scale", 90), **how)]])
        return float(found.qualities[0])

    good = quality()
    assert quality(confidence=0.3) < 0.5 * good
    assert quality(scale=25) < 0.7 * good
    assert quality(yaw=35) < 0.3 * good


def test_a_moment_is_enough(taken: Any, make_face: Any) -> None:
    (found,) = taken([[make_face(0, (320, 180), 90, yaw=70, confidence=0.0)]])
    assert found.frames.tolist() == [0]
    assert found.qualities[0] > 0


def test_a_loss_ends_a_stretch(taken: Any, make_face: Any) -> None:
    face = make_face(0, (320, 180), 90)
    found = taken([[face]] * 10 + [[]] * 3 + [[face]] * 7)
    assert [(s.first_frame, s.last_frame) for s in found] == [(0, 9), (13, 19)]


def test_a_jump_ends_a_stretch(taken: Any, make_face: Any) -> None:
    here, there = make_face(0, (200, 180), 60), make_face(0, (280, 180), 60)
    assert [(s.first_frame, s.last_frame) for s in taken([[here]] * 5 + [[there]] * 5)] == [(0, 4), (5, 9)]
    slowly = [[make_face(0, (200 + 8 * i, 180), 60)] for i in range(10)]
    assert len(taken(slowly)) == 1


def test_a_meeting_ends_a_stretch_when_it_is_over(taken: Any, make_face: Any) -> None:
    moving = [[make_face(0, (100 + 10 * i, 180), 60), make_face(1, (400, 180), 60)] for i in range(50)]
    found = {(s.face_id, s.first_frame): s for s in taken(moving)}
    assert sorted(face_id for face_id, _ in found) == [0, 0, 1, 1]
    before = found[0, 0]
    after = next(s for (face_id, first), s in found.items() if face_id == 0 and first > 0)
    assert after.first_frame == before.last_frame + 1
    assert before.sure_until_frame < 30 < before.last_frame, "they are on one another in frame 30"
    assert all(frame <= before.sure_until_frame for frame in before.frames), "good portraits lie outside"


def test_shots_are_apart(taken: Any, make_face: Any) -> None:
    face = make_face(0, (320, 180), 90)
    found = taken([[face]] * 6, [0, 0, 0, 1, 1, 1])
    assert [(s.shot, s.first_frame, s.last_frame) for s in found] == [(0, 0, 2), (1, 3, 5)]


def test_no_frame_is_kept_that_has_passed(make_info: Any, make_frame: Any, make_face: Any) -> None:
    portraits = Portraits(make_info(*SIZE))
    frames = (make_frame(*SIZE, index=i) for i in range(1000))
    tracked = (TrackedFrame(f.index, f.pts, f.seconds, 0, ()) for f, _ in portraits.watch((f, 0) for f in frames))
    for _, _ in zip(portraits.collect(tracked), range(20), strict=False):
        assert len(portraits._frames) <= 1


def test_the_chip_shows_the_face(make_info: Any, make_frame: Any, place_face: Any, disc: Any) -> None:
    landmarks = place_face((320, 180), 90)
    x, y = landmarks[2, :2]  # the base of the nose
    frame = make_frame(*SIZE, draw=[disc(x, y, 8, 230, 30), 128, 128])
    chip = chip_of(frame, make_info(*SIZE), landmarks)
    assert chip.shape == (CHIP_PX, CHIP_PX, 3)
    assert chip[..., 0].max() > 200
    row, column = np.argwhere(chip[..., 0] > 150).mean(0)
    assert abs(column - 74) < 4
    assert abs(row - 88) < 6

"""What a part looks like in each frame."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit.looks import Seen, looks_of
from retarget.pipeline.edit.parts import MOUTH_PART
from retarget.pipeline.faces import ClipAnalysis


def seen(analysis: ClipAnalysis, clip: int = 0) -> list[Seen]:
    return [Seen(clip, analysis, track) for track in analysis.tracks]


def test_every_sure_frame_is_a_look(analysed: Any, open_mouth: Any) -> None:
    faces = [open_mouth(0.02 * i, confidence=0.2 if i == 3 else 1.0) for i in range(6)]
    analysis = analysed([(face,) for face in faces])
    looks = looks_of(seen(analysis), MOUTH_PART)
    assert looks.position.tolist() == [0, 1, 2, 4, 5]
    assert np.all(np.diff(looks.gaps[:, 0]) > 0)
    assert looks.track_of(3) == (looks.tracks[0], 4)
    assert looks.tracks[0].track is analysis.tracks[0]
    np.testing.assert_allclose(looks.sizes_px, 80, rtol=1e-3)


def test_what_moves_is_quick(analysed: Any, make_face: Any) -> None:
    places = [(100.0, 100.0), (100.0, 100.0), (108.0, 100.0), (108.0, 100.0)]
    analysis = analysed([(make_face(0, place, 80),) for place in places])
    speeds = looks_of(seen(analysis), MOUTH_PART).speeds
    # 8 px of a face of 80 px a unit, in one frame of 25; seen from either side of the step
    assert speeds.tolist() == pytest.approx([0, 0.1, 0.1, 0], abs=1e-3)


def test_a_turn_in_the_picture_is_no_turn_of_the_head(analysed: Any, place_face: Any, make_face: Any) -> None:
    tilted = [
        dataclasses.replace(make_face(), landmarks=place_face(roll=roll).astype(np.float32)) for roll in (0, 20)
    ]
    analysis = analysed([(face,) for face in tilted])
    rotations = looks_of(seen(analysis), MOUTH_PART).rotations
    np.testing.assert_allclose(rotations[0], rotations[1], atol=1e-5)


def test_only_keeps_what_is_named(analysed: Any, open_mouth: Any) -> None:
    analysis = analysed([(open_mouth(0.02 * i),) for i in range(5)])
    looks = looks_of(seen(analysis), MOUTH_PART)
    some = looks.only(np.array([1, 4]))
    assert len(some) == 2
    np.testing.assert_array_equal(some.gaps, looks.gaps[[1, 4]])
    np.testing.assert_array_equal(some.shapes[0], looks.shapes[0][[1, 4]])


def test_looks_of_several_clips_know_theirs(analysed: Any, open_mouth: Any) -> None:
    one, other = (analysed([(open_mouth(gap),)] * 3) for gap in (0.0, 0.3))
    looks = looks_of([*seen(one), *seen(other, 2)], MOUTH_PART)
    assert looks.is_foreign.tolist() == [False] * 3 + [True] * 3
    assert looks.gaps[3:].min() > looks.gaps[:3].max()
    lender, at = looks.track_of(4)
    assert (lender.clip, lender.analysis, at) == (2, other, 1)

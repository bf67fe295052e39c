import itertools
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.errors import OptionError
from retarget.pipeline.faces.analysis import FACE_ORDERS, ClipAnalysis, FaceSelection, whole_series
from retarget.pipeline.records import TrackedFrame


def tracked(index: int, shot: int, *faces: Any, start: float = 0.0) -> TrackedFrame:
    return TrackedFrame(index, index, start + index / 25, shot, faces)


@pytest.fixture
def collected() -> Iterator[Any]:
    """A function that runs records through a fresh analysis, closed at the end."""
    opened: list[ClipAnalysis] = []

    def run(frames: list[TrackedFrame]) -> ClipAnalysis:
        analysis = ClipAnalysis().__enter__()
        opened.append(analysis)
        assert list(analysis.collect(frames)) == frames
        return analysis

    yield run
    for analysis in opened:
        analysis.__exit__(None, None, None)


# FaceSelection


@pytest.mark.parametrize(
    ("text", "order", "index"),
    [
        ("large-small", "large-small", 0),
        ("2", "large-small", 2),
        ("left-right:1", "left-right", 1),
        ("all", "left-right", None),
        ("best-worst:all", "best-worst", None),
        (" Top-Bottom ", "top-bottom", 0),
    ],
)
def test_parse(text: str, order: str, index: int | None) -> None:
    assert FaceSelection.parse(text) == FaceSelection(order, index)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "biggest", "left-right:x", "-1", "2:1", "all:1", "left-right:-1", "left-right:²"]
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(OptionError, match="is unknown; use all, a number from 0, one of large-small") as refusal:
        FaceSelection.parse(text)
    assert repr(text) in str(refusal.value)


# Orders


def five_faces(make_face: Any) -> list[TrackedFrame]:
    """Ids: 0 large and right, 1 small and left, 2 low, 3 unsure. All differ in every order."""
    return [
        tracked(
            i,
            0,
            make_face(0, (500, 200), 90, confidence=0.9),
            make_face(1, (100, 250), 40, confidence=0.8),
            make_face(2, (300, 400), 60, confidence=0.7),
            make_face(3, (200, 100), 50, confidence=0.2),
        )
        for i in range(3)
    ]


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("large-small", [0, 2, 3, 1]),
        ("small-large", [1, 3, 2, 0]),
        ("left-right", [1, 3, 2, 0]),
        ("right-left", [0, 2, 3, 1]),
        ("top-bottom", [3, 0, 1, 2]),
        ("bottom-top", [2, 1, 0, 3]),
        ("best-worst", [0, 1, 2, 3]),
        ("worst-best", [3, 2, 1, 0]),
    ],
)
def test_orders(collected: Any, make_face: Any, order: Any, ids: list[int]) -> None:
    analysis = collected(five_faces(make_face))
    assert order in FACE_ORDERS
    chosen = analysis.select(FaceSelection(order, None))
    assert [track.face_id for track, _ in chosen] == ids
    assert [position for _, position in chosen] == [0, 1, 2, 3]
    for place, face_id in enumerate(ids):
        assert [(t.face_id, p) for t, p in analysis.select(FaceSelection(order, place))] == [(face_id, 0)]
    assert analysis.select(FaceSelection(order, 4)) == []


def test_best_prefers_a_face_that_is_seen_longer(collected: Any, make_face: Any) -> None:
    frames = [tracked(0, 0, make_face(0, confidence=1.0), make_face(1, (400, 100), confidence=0.8))]
    frames += [tracked(i, 0, make_face(1, (400, 100), confidence=0.8)) for i in range(1, 5)]
    assert collected(frames).select(FaceSelection("best-worst"))[0][0].face_id == 1


def test_selection_is_shot_by_shot(collected: Any, make_face: Any) -> None:
    frames = [
        tracked(0, 0, make_face(0, scale_px=40), make_face(1, (400, 100), scale_px=80)),
        tracked(1, 1, make_face(0, scale_px=50)),
        tracked(2, 2),
    ]
    chosen = collected(frames).select(FaceSelection())
    assert [(track.shot, track.face_id) for track, _ in chosen] == [(0, 1), (1, 0)]


# What is remembered


def test_shots_tracks_and_gaps(collected: Any, make_face: Any) -> None:
    smile = make_face(0, units={"AU12": 0.7}, yaw=20)
    frames = [tracked(0, 0, smile, start=3), tracked(1, 0, start=3), tracked(2, 0, smile, start=3)]
    frames += [tracked(3, 1, start=3), tracked(4, 1, smile, start=3)]
    analysis = collected(frames)
    assert (analysis.frame_count, analysis.frames_without_face, analysis.first_seconds) == (5, 2, 3)
    assert [(s.number, s.first_frame, s.last_frame) for s in analysis.shots] == [(0, 0, 2), (1, 3, 4)]
    assert analysis.shots[1].start_seconds == pytest.approx(3 / 25)
    assert analysis.shots[1].end_seconds == pytest.approx(4 / 25)
    first, second = analysis.tracks
    assert first.frames.tolist() == [0, 2]
    assert first.seconds.tolist() == pytest.approx([0, 2 / 25])
    assert second.frames.tolist() == [4]
    assert first.yaw_degrees.tolist() == pytest.approx([20, 20], abs=1e-3)
    assert first.action_units[:, list(action_units.resolve("AU12"))].tolist() == [[pytest.approx(0.7)] * 2] * 2
    assert first.alignments.shape == (2, 4)
    assert first.centers[0].tolist() == pytest.approx(smile.center)


def test_landmarks_come_back_exactly_in_any_order(collected: Any, make_face: Any) -> None:
    a = [make_face(0, (100 + i, 100), 40) for i in range(4)]
    b = [make_face(1, (300, 100 + i), 60) for i in range(4)]
    analysis = collected([tracked(i, 0, a[i], b[i]) for i in range(4)])
    one, two = analysis.tracks
    for i in (3, 0, 2, 1):
        np.testing.assert_array_equal(analysis.landmarks(one, i), a[i].landmarks)
        np.testing.assert_array_equal(analysis.landmarks(two, i), b[i].landmarks)


def test_the_file_is_closed_at_the_end(make_face: Any) -> None:
    with ClipAnalysis() as analysis:
        list(analysis.collect([tracked(0, 0, make_face())]))
        track = analysis.tracks[0]
    with pytest.raises(ValueError, match="closed file"):
        analysis.landmarks(track, 0)


def test_collect_hands_on_at_once(make_face: Any) -> None:
    face = make_face()
    with ClipAnalysis() as analysis:
        endless = (tracked(i, 0, face) for i in itertools.count())
        assert len(list(itertools.islice(analysis.collect(endless), 10))) == 10
        assert analysis.frame_count == 10


def test_landmarks_are_not_kept_in_memory(make_face: Any) -> None:
    # 5.7 kB of landmarks a frame go to disk; what stays is bounded by a third of that.
    faces = [make_face(0, (100 + i, 100)) for i in range(300)]
    with ClipAnalysis() as analysis:
        tracemalloc.start()
        for _ in analysis.collect(tracked(i, 0, face) for i, face in enumerate(faces)):
            pass
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept / 300 < 1500


# Series


def test_series_has_every_unit_filled(collected: Any, make_face: Any) -> None:
    analysis = collected([tracked(i, 0, make_face(0, units={"AU26": i / 4}, confidence=0.5)) for i in range(4)])
    series = analysis.tracks[0].series()
    assert series.filled.all()
    assert series.values[:, action_units.resolve("AU26")[0]].tolist() == [0, 0.25, 0.5, 0.75]
    assert series.confidence.tolist() == [0.5] * 4
    assert series.confidence.dtype == np.float32


def test_whole_series_joins_the_shots(collected: Any, make_face: Any) -> None:
    large, small = make_face(0, units={"AU12": 0.5}), make_face(1, (400, 100), 30, units={"AU12": 1.0})
    analysis = collected([tracked(0, 0, large, small), tracked(1, 0), tracked(2, 1, small), tracked(3, 1, small)])
    series = whole_series(analysis, FaceSelection())
    assert series is not None
    assert series.seconds.tolist() == pytest.approx([0, 2 / 25, 3 / 25])
    assert series.values[:, action_units.resolve("AU12L")[0]].tolist() == [0.5, 1, 1]


def test_whole_series_of_nobody_is_none(collected: Any, make_face: Any) -> None:
    assert whole_series(collected([tracked(0, 0)]), FaceSelection()) is None
    assert whole_series(collected([tracked(0, 0, make_face())]), FaceSelection("large-small", 3)) is None

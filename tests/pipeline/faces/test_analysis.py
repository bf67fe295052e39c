"""The analysis of a clip: whose turn it is in which order, and whole series."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.faces.analysis import whole_series
from retarget.pipeline.faces.selection import FACE_ORDERS, FaceSelection
from retarget.pipeline.records import TrackedFrame


def five_faces(tracked: Any, make_face: Any) -> list[TrackedFrame]:
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
def test_orders(tracked: Any, collected: Any, make_face: Any, order: Any, ids: list[int]) -> None:
    analysis = collected(five_faces(tracked, make_face))
    assert order in FACE_ORDERS
    chosen = analysis.select(FaceSelection(order, None))
    assert [track.face_id for track, _ in chosen] == ids
    assert [position for _, position in chosen] == [0, 1, 2, 3]
    for place, face_id in enumerate(ids):
        assert [(t.face_id, p) for t, p in analysis.select(FaceSelection(order, place))] == [(face_id, 0)]
    assert analysis.select(FaceSelection(order, 4)) == []


def test_best_prefers_a_face_that_is_seen_longer(tracked: Any, collected: Any, make_face: Any) -> None:
    frames = [tracked(0, 0, make_face(0, confidence=1.0), make_face(1, (400, 100), confidence=0.8))]
    frames += [tracked(i, 0, make_face(1, (400, 100), confidence=0.8)) for i in range(1, 5)]
    assert collected(frames).select(FaceSelection("best-worst"))[0][0].face_id == 1


def test_selection_is_shot_by_shot(tracked: Any, collected: Any, make_face: Any) -> None:
    frames = [
        tracked(0, 0, make_face(0, scale_px=40), make_face(1, (400, 100), scale_px=80)),
        tracked(1, 1, make_face(0, scale_px=50)),
        tracked(2, 2),
    ]
    chosen = collected(frames).select(FaceSelection())
    assert [(track.shot, track.face_id) for track, _ in chosen] == [(0, 1), (1, 0)]


def test_a_person_is_chosen_in_every_shot(tracked: Any, collected: Any, make_face: Any) -> None:
    frames = [
        tracked(0, 0, make_face(0, scale_px=40), make_face(1, (400, 100), scale_px=80)),
        tracked(1, 1, make_face(0, scale_px=50)),
        tracked(2, 2),
    ]
    found = collected(frames)
    assert found.persons == (), "nobody looked"
    tracks = tuple(replace(track, person=number) for track, number in zip(found.tracks, (1, 2, 1), strict=True))
    analysis = replace(found, tracks=tracks)
    assert [(t.shot, t.face_id, p) for t, p in analysis.select(FaceSelection(person=1))] == [(0, 0, 0), (1, 0, 0)]
    assert [(t.shot, t.face_id, p) for t, p in analysis.select(FaceSelection(person=2))] == [(0, 1, 0)]
    assert analysis.select(FaceSelection(person=3)) == []
    assert [(p.number, p.frame_count) for p in analysis.persons] == [(1, 2), (2, 1)]


# Series


def test_series_has_every_unit_filled(tracked: Any, collected: Any, make_face: Any) -> None:
    analysis = collected([tracked(i, 0, make_face(0, units={"AU26": i / 4}, confidence=0.5)) for i in range(4)])
    series = analysis.tracks[0].series()
    assert series.filled.all()
    assert series.values[:, action_units.resolve("AU26")[0]].tolist() == [0, 0.25, 0.5, 0.75]
    assert series.confidence.tolist() == [0.5] * 4
    assert series.confidence.dtype == np.float32


def test_whole_series_joins_the_shots(tracked: Any, collected: Any, make_face: Any) -> None:
    large, small = make_face(0, units={"AU12": 0.5}), make_face(1, (400, 100), 30, units={"AU12": 1.0})
    analysis = collected([tracked(0, 0, large, small), tracked(1, 0), tracked(2, 1, small), tracked(3, 1, small)])
    series = whole_series(analysis, FaceSelection())
    assert series is not None
    assert series.seconds.tolist() == pytest.approx([0, 2 / 25, 3 / 25])
    assert series.values[:, action_units.resolve("AU12L")[0]].tolist() == [0.5, 1, 1]


def test_whole_series_of_nobody_is_none(tracked: Any, collected: Any, make_face: Any) -> None:
    assert whole_series(collected([tracked(0, 0)]), FaceSelection()) is None
    assert whole_series(collected([tracked(0, 0, make_face())]), FaceSelection("large-small", 3)) is None

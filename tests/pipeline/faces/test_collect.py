"""What passes through a collector is handed on, and remembered without its pictures."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.faces.collect import Collector


def test_shots_tracks_and_gaps(tracked: Any, collected: Any, make_face: Any) -> None:
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


def test_landmarks_come_back_exactly_in_any_order(tracked: Any, collected: Any, make_face: Any) -> None:
    a = [make_face(0, (100 + i, 100), 40) for i in range(4)]
    b = [make_face(1, (300, 100 + i), 60) for i in range(4)]
    analysis = collected([tracked(i, 0, a[i], b[i]) for i in range(4)])
    one, two = analysis.tracks
    for i in (3, 0, 2, 1):
        np.testing.assert_array_equal(analysis.landmarks(one, i), a[i].landmarks)
        np.testing.assert_array_equal(analysis.landmarks(two, i), b[i].landmarks)


def test_the_file_goes_with_the_last_who_knows_of_it(collected: Any, tracked: Any, make_face: Any) -> None:
    analysis = collected([tracked(0, 0, make_face())])
    gc.collect()  # the collector is gone
    assert analysis.landmarks(analysis.tracks[0], 0).shape == (478, 3)
    file = weakref.ref(analysis.landmark_store._file)
    del analysis
    gc.collect()
    assert file() is None or file().closed


def test_collect_hands_on_at_once(make_info: Any, tracked: Any, make_face: Any) -> None:
    face, collector = make_face(), Collector(make_info())
    endless = (tracked(i, 0, face) for i in itertools.count())
    assert len(list(itertools.islice(collector.collect(endless), 10))) == 10
    assert collector.analysis().frame_count == 10


def test_landmarks_are_not_kept_in_memory(make_info: Any, tracked: Any, make_face: Any) -> None:
    # 5.7 kB of landmarks a frame go to disk; what stays is bounded by a third of that.
    faces, collector = [make_face(0, (100 + i, 100)) for i in range(300)], Collector(make_info())
    tracemalloc.start()
    for _ in collector.collect(tracked(i, 0, face) for i, face in enumerate(faces)):
        pass
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept / 300 < 1500

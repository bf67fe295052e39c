"""Films: the right moments are compared, and a real one goes through the main job."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.checkpoint import default_checkpoint_path
from retarget.pipeline.errors import NoFaceError
from retarget.train import film
from retarget.train.film import (
    FilmMeter,
    FilmOptions,
    FilmOutcome,
    FilmPair,
    TrackedFace,
    changes,
    film_pairs,
    film_scores,
    track_first_face,
)

C = action_units.COUNT


def _tracked(seconds: np.ndarray, **values: np.ndarray) -> TrackedFace:
    units = np.zeros((len(seconds), C), np.float32)
    for name, series in values.items():
        units[:, action_units.NAMES.index(name)] = series
    canonical = np.zeros((len(seconds), 468, 2)) + seconds[:, None, None] ** 2
    return TrackedFace(seconds, units, canonical)


def test_everyone_is_driven_by_someone_else() -> None:
    clips = [Path(f"{i}.mp4") for i in range(7)]
    pairs = film_pairs(clips, 9)
    assert len(pairs) == 7
    assert all(pair.source != pair.driver for pair in pairs)
    assert film_pairs(clips, 2) == [FilmPair(clips[0], clips[2]), FilmPair(clips[1], clips[3])]
    assert film_pairs(clips[:1], 9) == []


def test_changes_are_of_the_same_moments_and_only_where_something_is_asked() -> None:
    face = {
        "seconds": [0.0, 0.04, 0.08, 0.12],
        "v_rel": {"AU12L": [0.0, 0.5, 0.8, 0.8], "AU26": [0.0, 0.0, 0.6, 0.6]},
        "own": {"AU12L": [0.1, 0.1, 0.1, 0.1], "AU26": [0.2, 0.2, 0.2, 0.2]},
    }
    # The output's tracker lost the last frame.
    seconds = np.array([0.0, 0.04, 0.08])
    result = _tracked(seconds, AU12L=np.array([0.1, 0.35, 0.5]), AU26=np.array([0.2, 0.2, 0.5]))
    requested, achieved = changes(face, result, min_request=0.3)
    np.testing.assert_allclose(requested, [[0.5, 0.0], [0.8, 0.6]])
    np.testing.assert_allclose(achieved, [[0.25, 0.0], [0.4, 0.3]], atol=1e-6)


def test_a_face_asked_for_nothing_gives_no_frames() -> None:
    face: dict[str, object] = {"seconds": [0.0, 0.04], "v_rel": {}, "own": {}}
    requested, achieved = changes(face, _tracked(np.array([0.0, 0.04])), min_request=0.3)
    assert requested.shape == achieved.shape == (0, 0)


def test_half_of_what_is_asked_is_a_ratio_of_a_half() -> None:
    requested = np.array([[0.8, 0.6], [0.0, 0.4]])
    outcome = FilmOutcome(requested, requested / 2, temporal=1.5, temporal_source=1.1)
    assert outcome.ed_ratio == pytest.approx(0.5)
    other = FilmOutcome(requested, requested, temporal=0.5, temporal_source=0.9)
    third = FilmOutcome(requested, requested, temporal=math.nan, temporal_source=math.nan)
    scores = film_scores([outcome, other, third], ["c.mp4: no face found"])
    assert (scores.films, scores.frames, scores.skipped) == (3, 6, ("c.mp4: no face found",))
    assert scores.ed_ratio == pytest.approx(0.5 / 3)
    assert scores.response.slope == pytest.approx((0.5 + 1 + 1) / 3)
    assert (scores.temporal, scores.temporal_source) == (1.0, 1.0)


def test_no_films_is_not_a_number() -> None:
    scores = film_scores([])
    assert (scores.films, scores.frames) == (0, 0)
    assert math.isnan(scores.ed_ratio)
    assert math.isnan(scores.temporal)


def test_resampling_stays_within_the_faces_own_time() -> None:
    face = _tracked(np.array([0.0, 0.1, 0.2]), AU26=np.array([0.0, 1.0, 0.0]))
    found = face.at(np.array([0.05, 0.15, 0.3]))
    np.testing.assert_allclose(found.seconds, [0.05, 0.15])
    np.testing.assert_allclose(found.action_units[:, action_units.NAMES.index("AU26")], [0.5, 0.5])
    assert found.canonical.shape == (2, 468, 2)
    np.testing.assert_allclose(found.canonical[0], 0.005)  # midway between 0 and 0.01


def test_clips_that_cannot_be_filmed_are_named_and_not_fatal(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    meter = FilmMeter([FilmPair(tmp_path / "broken.mp4", samples / "smile.mp4")])
    scores = meter.measure(default_checkpoint_path())
    assert scores.films == 0
    assert len(scores.skipped) == 1
    assert "broken.mp4" in scores.skipped[0]


@pytest.fixture
def filmed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The faces that the main job reports, for a test to fill; every clip is tracked as 10 still frames."""
    faces: list[dict[str, Any]] = []
    monkeypatch.setattr(film, "retarget_video", lambda *_: SimpleNamespace(details={"faces": faces}))
    monkeypatch.setattr(film, "track_first_face", lambda *_, **__: _tracked(np.arange(10) / 25))
    return faces


def _asked(shot: int, smile: list[float]) -> dict[str, Any]:
    seconds = [i / 25 for i in range(len(smile))]
    return {"shot": shot, "seconds": seconds, "v_rel": {"AU12L": smile}, "own": {"AU12L": [0.0] * len(smile)}}


def test_a_film_whose_first_shot_has_no_face_is_left_out(filmed: list[dict[str, Any]]) -> None:
    filmed.append(_asked(1, [0.8] * 10))
    scores = FilmMeter([FilmPair(Path("a.mp4"), Path("b.mp4"))]).measure(Path("net.safetensors"))
    assert scores.skipped == ("a.mp4: no face in its first shot; use a clip that begins with one",)
    assert scores.films == 0


def test_a_driver_that_asks_for_next_to_nothing_is_left_out(filmed: list[dict[str, Any]]) -> None:
    filmed.append(_asked(0, [0.8] * 4 + [0.2] * 6))
    pairs = [FilmPair(Path("a.mp4"), Path("calm/b.mp4"))]
    meter = FilmMeter(pairs, FilmOptions(min_request=0.3))
    assert meter.measure(Path("net.safetensors")).skipped == (
        "a.mp4: b.mp4 asks for a change in 4 frames only; pair it with a livelier clip",
    )
    filmed[0] = _asked(0, [0.8] * 5 + [0.2] * 5)
    scores = meter.measure(Path("net.safetensors"))
    assert (scores.films, scores.frames, scores.skipped) == (1, 5, ())
    assert scores.ed_ratio == pytest.approx(1)  # nothing moved


def test_a_clip_without_a_face_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), np.full((120, 160, 3), 90, np.uint8))
    with pytest.raises(NoFaceError, match=r"wall\.png: no face found in any frame; check that a face is seen"):
        track_first_face(path, trim_end=None)


def test_the_first_shots_face_is_tracked(samples: Path) -> None:
    found = track_first_face(samples / "smile.mp4", trim_end=0.2)
    assert len(found.seconds) == 6  # 30 frames a second
    assert found.action_units.shape == (6, C)
    widths = found.canonical[:, 263, 0] - found.canonical[:, 33, 0]
    np.testing.assert_allclose(widths, 1, atol=0.1)  # canonical: the outer eye corners are 1 apart


@pytest.mark.slow
def test_a_real_film_does_about_half_of_what_is_asked(samples: Path) -> None:
    pairs = [FilmPair(samples / "smile.mp4", samples / "actress.mp4")]
    scores = FilmMeter(pairs, FilmOptions(seconds=1.2)).measure(default_checkpoint_path())
    assert scores.skipped == ()
    assert scores.frames > 10
    assert 0.2 < scores.ed_ratio < 0.9
    assert scores.response.r > 0.5
    assert 0.2 < scores.temporal < 5

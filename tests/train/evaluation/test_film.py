"""Films: the right moments are compared, and a real one goes through the main job."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.checkpoint import default_checkpoint_path
from retarget.pipeline.errors import NoFaceError
from retarget.pipeline.report import FaceReport, Report
from retarget.train.evaluation import film
from retarget.train.evaluation.film import (
    FilmMeter,
    FilmOptions,
    FilmOutcome,
    FilmPair,
    TrackedFace,
    changes,
    driven_by,
    film_pairs,
    film_scores,
    track_first_face,
)
from retarget.train.evaluation.film_judges import FilmVerdict
from retarget.train.evaluation.scores import FilmRecord

C = action_units.COUNT


def _tracked(seconds: np.ndarray, **values: np.ndarray) -> TrackedFace:
    units = np.zeros((len(seconds), C), np.float32)
    for name, series in values.items():
        units[:, action_units.NAMES.index(name)] = series
    canonical = np.zeros((len(seconds), 468, 2)) + seconds[:, None, None] ** 2
    return TrackedFace(seconds, units, canonical)


@pytest.mark.parametrize("count", [None, 2, 3, 5, 6, 7, 9])
def test_each_clip_is_once_source_and_once_driver(count: int | None) -> None:
    clips = [Path(f"{i}.mp4") for i in range(7)]
    pairs = film_pairs(clips, count)
    assert [pair.source for pair in pairs] == clips[:count]
    assert sorted(pair.driver for pair in pairs) == clips[:count]
    assert all(pair.source != pair.driver for pair in pairs)


def test_the_driver_is_a_third_of_the_list_further_on() -> None:
    clips = [Path(f"{i}.mp4") for i in range(7)]
    assert film_pairs(clips)[0] == FilmPair(clips[0], clips[2])
    assert film_pairs(clips, 2) == [FilmPair(clips[0], clips[1]), FilmPair(clips[1], clips[0])]


def test_nobody_drives_themselves() -> None:
    one, other = Path("a.mp4"), Path("b.mp4")
    assert film_pairs([]) == film_pairs([one]) == film_pairs([one, one]) == film_pairs([one, other], 1) == []
    assert film_pairs([one, one, other]) == [FilmPair(one, other), FilmPair(other, one)]


Curves = Mapping[str, tuple[float, ...]]


def _reported(seconds: tuple[float, ...], *, v_rel: Curves, own: Curves, shot: int = 0) -> FaceReport:
    return FaceReport(shot, 0, 200.0, seconds, (1.0,) * len(seconds), (), own, v_rel)


def test_changes_are_of_the_same_moments_and_only_where_something_is_asked() -> None:
    face = _reported(
        (0.0, 0.04, 0.08, 0.12),
        v_rel={"AU12L": (0.0, 0.5, 0.8, 0.8), "AU26": (0.0, 0.0, 0.6, 0.6)},
        own={"AU12L": (0.1, 0.1, 0.1, 0.1), "AU26": (0.2, 0.2, 0.2, 0.2)},
    )
    # The output's tracker lost the last frame.
    seconds = np.array([0.0, 0.04, 0.08])
    result = _tracked(seconds, AU12L=np.array([0.1, 0.35, 0.5]), AU26=np.array([0.2, 0.2, 0.5]))
    requested, achieved = changes(face, result, min_request=0.3)
    np.testing.assert_allclose(requested, [[0.5, 0.0], [0.8, 0.6]])
    np.testing.assert_allclose(achieved, [[0.25, 0.0], [0.4, 0.3]], atol=1e-6)


def test_a_face_asked_for_nothing_gives_no_frames() -> None:
    face = _reported((0.0, 0.04), v_rel={}, own={})
    requested, achieved = changes(face, _tracked(np.array([0.0, 0.04])), min_request=0.3)
    assert requested.shape == achieved.shape == (0, 0)


REQUESTED = np.array([[0.8, 0.6], [0.0, 0.4]])


def _outcome(
    done: float, *, shake: float, driver: float, source: float, own: float | None = None, name: str = "a.mp4"
) -> FilmOutcome:
    """`own`: the driver's shake at its own rate, where that is another."""
    pair = FilmPair(Path("clips") / name, Path("clips/driver.mp4"))
    return FilmOutcome(
        pair,
        REQUESTED,
        done * REQUESTED,
        shake=shake,
        driver_shake=driver,
        driver_own_shake=driver if own is None else own,
        source_shake=source,
    )


def test_half_of_what_is_asked_is_a_ratio_of_a_half() -> None:
    outcome = _outcome(0.5, shake=3.3, driver=2.2, source=3.0)
    assert outcome.ed_ratio == pytest.approx(0.5)
    other = _outcome(1, shake=0.9, driver=1.8, source=1.0)
    third = _outcome(1, shake=math.nan, driver=9.0, source=9.0)
    scores = film_scores([outcome, other, third], ["c.mp4: no face found"])
    assert (scores.films, scores.frames, scores.skipped) == (3, 6, ("c.mp4: no face found",))
    assert scores.ed_ratio == pytest.approx(0.5 / 3)
    assert scores.response.slope == pytest.approx((0.5 + 1 + 1) / 3)
    # Medians of 1.5 and 0.5, and of 1.1 and 0.9.
    assert (scores.temporal, scores.temporal_source) == (pytest.approx(1.0), pytest.approx(1.0))
    # What could not be seen in the output counts on neither side.
    assert scores.temporal_pooled == pytest.approx(math.sqrt((3.3**2 + 0.9**2) / (2.2**2 + 1.8**2)))


def test_a_cycle_of_clips_left_alone_is_pooled_to_one_however_still_a_driver_is() -> None:
    lively, still = 1.0, 0.01
    films = [
        _outcome(0.5, shake=2.0, driver=still, source=lively),
        _outcome(0.5, shake=0.02, driver=lively, source=still),
    ]
    undone = film_scores([film.unedited for film in films])
    assert undone.temporal_pooled == pytest.approx(1)
    assert undone.temporal == pytest.approx((100 + 0.01) / 2)  # why there is a pooled one
    assert (undone.ed_ratio, undone.response.slope, undone.temporal_source) == (pytest.approx(1), 0, 1)
    assert film_scores(films).temporal_pooled == pytest.approx(2, rel=1e-3)


def test_what_interpolation_takes_off_a_driver_is_not_in_the_pooled_ratio() -> None:
    film = _outcome(0.5, shake=3.0, driver=1.0, own=2.0, source=2.0)
    assert film_scores([film]).temporal == 3.0
    assert film_scores([film]).temporal_pooled == pytest.approx(1.5)


def test_a_driver_that_stands_still_has_no_ratio() -> None:
    film = _outcome(0.5, shake=2.0, driver=0.0, source=1.0)
    assert math.isnan(film.temporal)
    assert math.isnan(film_scores([film]).temporal_pooled)
    assert film_scores([film]).temporal_source == 2


def test_each_film_has_its_own_numbers() -> None:
    films = [
        _outcome(0.5, shake=3.0, driver=2.0, source=4.0),
        _outcome(0.75, shake=1.0, driver=2.0, source=1.0, name="b.mp4"),
    ]
    assert film_scores(films).per_film == (
        FilmRecord("a.mp4", "driver.mp4", pytest.approx(0.5), 1.5, 0.75),
        FilmRecord("b.mp4", "driver.mp4", pytest.approx(0.25), 0.5, 1.0),
    )


def _open(mouth: list[float], smile: list[float], *, rest: float = 0.0) -> TrackedFace:
    """Every other moment at rest, as the witness and the tracker see it."""
    moments = [value for pair in zip([rest] * len(mouth), mouth, strict=True) for value in pair]
    seconds = np.arange(len(moments)) / 25
    face = _tracked(
        seconds, AU12L=np.array([v for pair in zip([0.1] * len(smile), smile, strict=True) for v in pair])
    )
    return replace(face, openings=np.c_[moments, np.full(len(moments), 0.3)])


def test_a_film_is_measured_against_its_driver_from_rest_to_rest() -> None:
    driver = _open([0.0, 0.0, 0.2, 0.4], [0.1, 0.1, 0.5, 0.9])
    source = _open([0.1] * 4, [0.1] * 4, rest=0.1)
    result = _open([0.1, 0.1, 0.2, 0.3], [0.1, 0.1, 0.3, 0.5], rest=0.1)
    driven = driven_by(driver, source, result, ["AU12L"])
    scores = film_scores([replace(_outcome(0.5, shake=1, driver=1, source=1), driven=driven)])
    assert scores.driver is not None
    assert scores.witness_mouth is not None
    assert scores.witness_eyes is not None
    assert (scores.driver.slope, scores.driver.r) == (pytest.approx(0.5), pytest.approx(1))
    assert (scores.witness_mouth.slope, scores.witness_mouth.r) == (pytest.approx(0.5), pytest.approx(1))
    assert math.isnan(scores.witness_eyes.r), "neither moves them"
    unedited = film_scores([replace(_outcome(0.5, shake=1, driver=1, source=1), driven=driven).unedited])
    assert unedited.witness_mouth is not None
    assert unedited.witness_mouth.slope == 0
    assert unedited.pictures is None


def test_a_request_that_is_faded_gains_nothing_against_the_driver() -> None:
    driver, source = _open([0.0, 0.4, 0.4, 0.0], [0.1, 0.9, 0.9, 0.1]), _open([0.0] * 4, [0.1] * 4)
    found = film_scores(
        [replace(_outcome(1, shake=1, driver=1, source=1), driven=driven_by(driver, source, source, ["AU12L"]))]
    )
    assert (found.ed_ratio, found.driver.slope) == (0, 0)  # type: ignore[union-attr]


def test_verdicts_of_films_are_the_worst_and_the_median() -> None:
    def verdict(never: float, jaw: float, *flags: str) -> FilmVerdict:
        boiling = {"face": 1.0, "mouth": 1.0, "eyes": 1.0, "jaw": jaw}
        return FilmVerdict(never, 7, boiling, {"mouth": 0.9, "eyes": math.nan}, 2 * never, flags, ())

    films = [
        replace(_outcome(0.5, shake=1, driver=1, source=1), verdict=found)
        for found in (verdict(0, 1.0), verdict(3, 1.2, "painted", "boiling"), verdict(1, 1.7, "painted"))
    ]
    scores = film_scores(films)
    found = scores.pictures
    assert found is not None
    assert (found.never_seen, found.new_edges, found.painted, found.boiling_films) == (3, 6, 2, 1)
    assert (found.boiling["jaw"], found.detail["mouth"]) == (1.2, 0.9)
    assert (scores.per_film[1].never_seen, scores.per_film[1].never_seen_frame) == (3, 7)
    assert scores.per_film[1].flags == ("painted", "boiling")


def test_no_films_is_not_a_number() -> None:
    scores = film_scores([])
    assert (scores.films, scores.frames) == (0, 0)
    assert math.isnan(scores.ed_ratio)
    assert math.isnan(scores.temporal)
    assert math.isnan(scores.temporal_pooled)
    assert scores.per_film == ()


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
def filmed(monkeypatch: pytest.MonkeyPatch) -> list[FaceReport]:
    """The faces that the main job reports, for a test to fill; every clip is tracked as 10 still frames."""
    faces: list[FaceReport] = []
    monkeypatch.setattr(film, "retarget_video", lambda *_: Report(curves=tuple(faces)))
    monkeypatch.setattr(film, "track_first_face", lambda *_, **__: _tracked(np.arange(10) / 25))
    monkeypatch.setattr(film, "film_verdict", lambda *_: None)
    return faces


def _asked(shot: int, smile: list[float]) -> FaceReport:
    seconds = tuple(i / 25 for i in range(len(smile)))
    return _reported(seconds, v_rel={"AU12L": tuple(smile)}, own={"AU12L": (0.0,) * len(smile)}, shot=shot)


def test_a_film_whose_first_shot_has_no_face_is_left_out(filmed: list[FaceReport]) -> None:
    filmed.append(_asked(1, [0.8] * 10))
    scores = FilmMeter([FilmPair(Path("a.mp4"), Path("b.mp4"))]).measure(Path("net.safetensors"))
    assert scores.skipped == ("a.mp4: no face in its first shot; use a clip that begins with one",)
    assert scores.films == 0


def test_a_driver_that_asks_for_next_to_nothing_is_left_out(filmed: list[FaceReport]) -> None:
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


def test_doing_nothing_is_judged_on_the_films_that_were_measured(
    monkeypatch: pytest.MonkeyPatch, filmed: list[FaceReport]
) -> None:
    filmed.append(_asked(0, [0.8] * 10))
    shakes = {"a.mp4": 3.0, "b.mp4": 1.0, "film.mkv": 6.0}

    def track(path: Path, **_: Any) -> TrackedFace:
        face = _tracked(np.arange(10) / 25)
        return replace(face, canonical=shakes[path.name] * face.canonical)

    monkeypatch.setattr(film, "track_first_face", track)
    meter = FilmMeter(film_pairs([Path("a.mp4"), Path("b.mp4")]))
    assert meter.of_nothing().films == 0
    edited = meter.measure(Path("net.safetensors"))
    assert [one.temporal for one in edited.per_film] == [pytest.approx(6), pytest.approx(2)]
    nothing = meter.of_nothing()
    assert (nothing.films, nothing.frames, nothing.skipped) == (2, 20, ())
    assert [one.temporal for one in nothing.per_film] == [pytest.approx(3), pytest.approx(1 / 3)]
    assert nothing.temporal_pooled == pytest.approx(1)
    assert (nothing.ed_ratio, nothing.temporal_source) == (pytest.approx(1), pytest.approx(1))
    meter.measure(Path("other.safetensors"))
    assert meter.of_nothing().per_film == nothing.per_film  # once, however many checkpoints


def test_drivers_of_another_frame_rate_balance_the_sources(
    monkeypatch: pytest.MonkeyPatch, filmed: list[FaceReport]
) -> None:
    filmed.append(_asked(0, [0.8] * 10))
    noise = np.random.default_rng(0).standard_normal((60, 468, 2))
    rates = {"slow.mp4": 25, "fast.mp4": 30}
    sources: list[Path] = []

    def track(path: Path, **_: Any) -> TrackedFace:
        name = sources[-1].name if path.name == "film.mkv" else path.name  # the job leaves the source as it is
        return replace(_tracked(np.arange(60) / rates[name]), canonical=noise)

    def job(source: Path, *_: Any) -> Report:
        sources.append(source)
        return Report(curves=tuple(filmed))

    monkeypatch.setattr(film, "track_first_face", track)
    monkeypatch.setattr(film, "retarget_video", job)
    scores = FilmMeter(film_pairs([Path("slow.mp4"), Path("fast.mp4")])).measure(Path("net.safetensors"))
    assert scores.temporal > 1.2  # both drivers are interpolated, which smooths them
    assert scores.temporal_pooled == pytest.approx(1)
    assert scores.temporal_source == pytest.approx(1)


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

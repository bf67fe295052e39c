"""Intervals are of people: many pictures of few people say little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retarget.model import action_units
from retarget.train.evaluation import intervals
from retarget.train.evaluation.film import FilmOutcome, FilmPair, film_scores
from retarget.train.evaluation.findings import Findings
from retarget.train.evaluation.intervals import with_film_intervals, with_intervals
from retarget.train.evaluation.measurements import Outcome, PairOutcome, ZeroOutcome
from retarget.train.evaluation.methods import nothing
from retarget.train.evaluation.scores import MethodScores
from retarget.train.evaluation.trials import Trial

C = action_units.COUNT
ED = "ED ratio, all AUs (distance to the request, after / before)"


@pytest.fixture(autouse=True)
def enough_resamples(monkeypatch: pytest.MonkeyPatch, few_resamples: None) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 200)


def found_of(achieved: np.ndarray) -> Findings:
    """An edit of each row that asks for 1 of AU26 and achieves so much; the zero edit is off by as much."""
    asked, own = np.zeros(C, np.float32), np.zeros(C, np.float32)
    asked[action_units.resolve("AU26")[0]] = 1
    outcomes = [Outcome(Trial(i, 0, asked), own, own, value * asked) for i, value in enumerate(achieved)]
    zero = [ZeroOutcome(i, float(value), float(value) ** 2, 0.5) for i, value in enumerate(achieved)]
    return Findings(outcomes, [], zero, [])


def scored(found: Findings, identity: np.ndarray) -> MethodScores:
    method = nothing(64)
    return with_intervals(found.scores(method, None, real={}, seed=0), found, method, identity, seed=0)


def test_the_interval_is_that_of_a_mean_over_people() -> None:
    rng = np.random.default_rng(0)
    achieved = 1 - rng.normal(0.4, 0.1, 100).clip(0, 1)  # ED ratio 0.4, of 100 people
    scores = scored(found_of(achieved), np.arange(100))
    ed = scores.intervals[ED]
    assert ed.low < scores.unpaired.ed_ratio < ed.high
    assert ed.high - ed.low == pytest.approx(2 * 1.645 * 0.01, rel=0.25)  # 0.1 / sqrt(100)
    assert scores.intervals["L1"].low < scores.zero.l1 < scores.intervals["L1"].high
    assert scores.intervals["slope of AU26"].high - scores.intervals["slope of AU26"].low == pytest.approx(
        0.033, rel=0.25
    )
    assert "SSIM" not in scores.intervals  # the same in everybody


def test_many_pictures_of_few_people_have_a_wide_interval() -> None:
    person = np.repeat(np.arange(10), 15)
    achieved = 1 - np.random.default_rng(0).normal(0.4, 0.1, 10).clip(0, 1)[person]
    ed = scored(found_of(achieved), person).intervals[ED]
    assert ed.high - ed.low == pytest.approx(2 * 1.645 * 0.1 / np.sqrt(10), rel=0.4)  # of ten, not of 150


def test_few_people_have_none_and_what_one_of_many_has_does_not_vary() -> None:
    assert not scored(found_of(np.linspace(0.2, 0.8, 8)), np.arange(8) % 4).intervals
    found, identity = found_of(np.linspace(0.2, 0.8, 8)), np.arange(8)
    pair = PairOutcome(Trial(3, 2, np.zeros(C, np.float32)), {("mouth", "l1"): 0.1}, {("mouth", "l1"): 0.3})
    scores = scored(replace(found, paired=[pair]), identity)
    assert scores.paired is not None
    assert scores.paired.mouth.l1 == pytest.approx(1 / 3)
    assert "true frame, mouth: L1 / doing nothing" not in scores.intervals
    assert ED in scores.intervals


def test_findings_of_people_repeat_their_records() -> None:
    found, identity = found_of(np.array([0.1, 0.2, 0.3])), np.array([0, 0, 1])
    some = found.of([1, 1, 0], identity)
    assert [o.trial.source for o in some.unpaired] == [0, 1, 2, 2]
    assert [o.row for o in some.zero] == [0, 1, 2, 2]
    assert found.people(identity).tolist() == [0, 1]


def test_films_are_drawn_again_as_films(tmp_path_factory: pytest.TempPathFactory) -> None:
    pair = FilmPair(tmp_path_factory.getbasetemp() / "a", tmp_path_factory.getbasetemp() / "b")
    reached = (0.4, 0.5, 0.6, 0.7, 0.8)
    films = [FilmOutcome(pair, np.ones((9, 2)), np.full((9, 2), share), 1.0, 1.0, 1.0, 1.0) for share in reached]
    plain = scored(found_of(np.array([0.5, 0.5])), np.zeros(2, np.int64))
    scores = with_film_intervals(replace(plain, film=film_scores(films)), films, seed=0)
    found = scores.intervals["films by the main job: ED ratio"]
    assert 0.2 <= found.low < 0.4 < found.high <= 0.6
    assert with_film_intervals(plain, films[:1], seed=0) is plain

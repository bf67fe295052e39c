"""Verdicts on edits of crops: scores of verdicts made up, and planted edits of a face that is known."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.train.data import Dataset
from retarget.train.evaluation.bench import Bench, Tools
from retarget.train.evaluation.methods import Method, Plate
from retarget.train.evaluation.picture_judges import (
    JUDGES,
    PictureJudges,
    RealPatches,
    Verdict,
    Verdicts,
    crop_judge_scores,
    real_kernel_floor,
    worst_of,
)
from retarget.train.evaluation.trials import Trial
from retarget.train.metrics import Openings

TRIAL = Trial(0, 1, np.zeros(46, np.float32))
NAN = math.nan


def verdict(**values: Any) -> Verdict:
    made: dict[str, Any] = {
        "never_seen": 0.0, "new_edges": 0.0, "detail": np.array([1.0, 1.0]), "asked": np.array([0.2, 0.1]),
        "done": np.array([0.1, 0.1]), "features": {},
    }  # fmt: skip
    return Verdict(TRIAL, **({"person": 3} | made | values))


def test_scores_are_over_what_could_be_said() -> None:
    pairs = [verdict(detail=np.array([d, NAN]), never_seen=n) for d, n in ((0.0, NAN), (1.0, 1.0), (1.2, 3.0))]
    others = [verdict(done=np.array([0.2, 0.0]), detail=np.full(2, NAN), new_edges=6.0)]
    found = crop_judge_scores(Verdicts(tuple(pairs), tuple(others)), {}, seed=0)
    assert (found.never_seen_edits, found.never_seen_worst) == (3, 3)
    assert found.never_seen == pytest.approx(4 / 3)
    assert (found.new_edges, found.new_edges_worst) == (1.5, 6)
    assert (found.detail_mouth, found.detail_mouth_low) == (1, pytest.approx(0.2))
    assert math.isnan(found.detail_eyes)
    assert found.witness_mouth is not None
    assert found.witness_mouth_unpaired is not None
    assert (found.witness_mouth.slope, found.witness_mouth_unpaired.slope) == (
        pytest.approx(0.5),
        pytest.approx(1),
    )
    assert found.kernel is None


def test_edits_are_as_far_from_real_faces_as_their_patches() -> None:
    rng = np.random.default_rng(0)
    real = {
        region: RealPatches(rng.normal(0, 1, (60, 8)), np.repeat(np.arange(20), 3), np.arange(60) % 2 == 0)
        for region in ("mouth", "eyes")
    }
    edits = [
        verdict(features={"mouth": rng.normal(1, 1, (1, 8)), "eyes": rng.normal(0, 1, (2, 8))}) for _ in range(40)
    ]
    found = crop_judge_scores(Verdicts(tuple(edits), ()), real, seed=0).kernel
    floor = real_kernel_floor(real, seed=0)
    assert found is not None
    assert found.mouth is not None
    assert found.eyes is not None
    assert floor is not None
    assert floor.mouth is not None
    assert found.mouth.low > floor.mouth.high
    assert found.eyes.low <= 0.5 * found.mouth.low
    assert real_kernel_floor({}, seed=0) is None


def test_edits_of_people_without_other_pictures_have_no_distance() -> None:
    features = {"mouth": np.zeros((1, 4))}
    real = {"mouth": RealPatches(np.zeros((4, 4)), np.array([1, 1, 2, 2]), np.array([True, False, True, False]))}
    edits = (verdict(features=features, person=7), verdict(features=features, person=7))
    assert crop_judge_scores(Verdicts(edits, ()), real, seed=0).kernel is None


def test_each_judge_has_its_worst_first() -> None:
    edits = (
        verdict(never_seen=2.0), verdict(never_seen=NAN, detail=np.array([0.1, 1.0])), verdict(never_seen=5.0),
        verdict(done=np.array([0.2, 0.4])),
    )  # fmt: skip
    both = Verdicts(edits, ())

    def worst(judge: str) -> int:
        return edits.index(worst_of(both, JUDGES[judge], 24)[0][0])

    assert [bad for _, bad in worst_of(both, JUDGES["never-seen colours"], 2)] == [5, 2]
    assert worst("detail in mouths") == 1
    assert worst("eyes by the second witness") == 3


class Green:
    """An eye's mean green is how open both are; the mouth is as open as it is red."""

    def openings(self, crop: NDArray[np.uint8], _: Any) -> Openings:
        return Openings(crop[..., 0].mean() / 255, crop[..., 1].mean() / 255)


class Painter(Method):
    """Paints all of the crop's middle green."""

    def edit(self, plates: Any, delta_au: NDArray[np.floating]) -> list[NDArray[np.uint8]]:  # noqa: ARG002
        pictures = [plate.picture.copy() for plate in plates]
        for picture in pictures:
            picture[20:44, 20:44] = (0, 250, 0)
        return pictures


@pytest.fixture
def bench(dataset: Dataset, tools: Tools, quick: Any) -> Bench:
    labels = ("do nothing", "paint")
    methods = [Method(labels[0], "nothing", 64), Painter(labels[1], "network", 64)]
    return Bench(dataset, methods, dataclasses.replace(tools, witness=Green()), quick)


def test_what_is_painted_is_seen_and_what_is_not_is_not(bench: Bench, dataset: Dataset) -> None:
    rows = [row for row in range(len(dataset)) if bench.gallery.measured(row)]
    found = PictureJudges(bench).judge([Trial(rows[0], rows[1], np.zeros(46, np.float32))], [])
    (nothing,), (painted,) = found["do nothing"].unpaired, found["paint"].unpaired
    np.testing.assert_array_equal(nothing.done, 0)
    np.testing.assert_array_equal(nothing.asked, painted.asked)
    assert painted.done[1] > 0
    assert nothing.new_edges == 0
    assert math.isnan(painted.never_seen), "the person has too few pictures"
    assert np.isnan(painted.detail).all(), "there is no true frame"


def test_real_patches_are_of_the_edited_people_and_not_of_the_edited_pictures(
    bench: Bench, dataset: Dataset
) -> None:
    class Middle:
        def describe(self, patches: Any) -> NDArray[np.float64]:
            return np.array([patch.mean((0, 1)) for patch in patches])

    judges = PictureJudges(dataclasses.replace(bench, tools=dataclasses.replace(bench.tools, patches=Middle())))
    found = judges.real_patches(range(len(dataset)), [0, 2])
    assert found["mouth"].people.tolist() == dataset.identity[[1, 3]].tolist()
    assert found["eyes"].features.shape == (4, 3)
    assert found["mouth"].halves.all(), "each is its person's first"
    assert PictureJudges(bench).real_patches(range(len(dataset)), [0, 2]) == {}


def test_where_nobody_is_edited_nobody_is_compared_with(bench: Bench, dataset: Dataset) -> None:
    network: Any = object()
    judges = PictureJudges(dataclasses.replace(bench, tools=dataclasses.replace(bench.tools, patches=network)))
    assert judges.real_patches(range(len(dataset)), []) == {}


def test_a_face_that_is_lost_is_judged_by_none(
    bench: Bench, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.gallery.measured(0)
    assert bench.gallery.measured(1)
    monkeypatch.setattr(bench.tools.meter, "blind", True)
    found = PictureJudges(bench).judge([Trial(0, 1, np.zeros(46, np.float32))], [])
    assert found["paint"].all == ()
    assert isinstance(bench.gallery.plate(0), Plate)

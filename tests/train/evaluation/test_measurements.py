"""Every measurement on faces whose every number is known: the fake tracker reads what the test wrote in a row."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.editor import Editor
from retarget.model.generator import Generator, GeneratorConfig
from retarget.train.data import Dataset
from retarget.train.evaluation.bench import Bench, Tools
from retarget.train.evaluation.measurements import (
    Outcome,
    SweepOutcome,
    batches,
    inception_of,
    paired_outcomes,
    paired_scores,
    sweep_outcome,
    sweep_scores,
    sweeps,
    unpaired_outcomes,
    unpaired_scores,
    zero_outcomes,
    zero_scores,
)
from retarget.train.evaluation.methods import Method, Plate, nothing
from retarget.train.evaluation.options import EvaluateOptions
from retarget.train.evaluation.scores import PairedScores
from retarget.train.evaluation.trials import SWEEP_UNITS, SWEEP_VALUES, Trial
from retarget.train.metrics import both_sides, sharpness_ratio

C, SIZE, SCALE = action_units.COUNT, 64, 100.0


@dataclass(frozen=True)
class Seen:
    action_units: np.ndarray
    landmarks: np.ndarray


class RowMeter:
    """Reads action units from the first row, 100 levels a unit from 50 on; red 255 at its end means no face."""

    def measure(self, crop: np.ndarray, near: np.ndarray) -> Seen | None:
        if crop[0, -1, 0] == 255:
            return None
        return Seen((crop[0, :C, 1].astype(np.float32) - 50) / SCALE, np.asarray(near, np.float32))


class Describe:
    """Describes a face by one number: the red of the picture's last row."""

    def describe(self, picture: np.ndarray, _landmarks: np.ndarray) -> np.ndarray:
        return np.array([float(picture[-1, 0, 0])])


class Classify:
    """The class is the picture's blue at its end."""

    def probabilities(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        return np.eye(256)[[int(picture[-1, -1, 2]) for picture in pictures]]


class Raw(nn.Module):
    """Features that are the picture and a constant, so that all have some length."""

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        return [torch.cat([image, torch.ones_like(image[:, :1])], 1)]


@dataclass(frozen=True, eq=False)
class Planted(Method):
    """Does a known share of what is asked, and known damage besides."""

    share: float = 1.0
    stray: float = 0.0
    """Added to the last action unit, whatever is asked."""
    loses_face: bool = False
    blur: float = 1.0
    """Contrast left in the middle of the picture."""
    red: int = 0
    """Added to the last row."""

    def edit(self, plates: Sequence[Plate], delta_au: np.ndarray) -> list[np.ndarray]:
        out = []
        for plate, delta in zip(plates, delta_au, strict=True):
            picture = plate.resized(self.crop_px).picture.copy()
            units = plate.action_units + self.share * delta
            units[-1] += self.stray
            picture[0, :C, 1] = np.round(50 + SCALE * units)
            picture[0, -1, 0] = 255 if self.loses_face else 0
            middle = picture[20:40, 20:40].astype(float)
            picture[20:40, 20:40] = np.round(128 + self.blur * (middle - 128))
            picture[-1, :, 0] += np.uint8(self.red)
            out.append(picture)
        return out


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def dataset(tmp_path: Path, place_face: Callable[..., Any]) -> Dataset:
    """Four faces of two people, two clips; row i has AU12 = i / 4 and the rest at 0.1."""
    rng = np.random.default_rng(0)
    n = 4
    units = np.full((n, C), 0.1, np.float32)
    units[:, list(action_units.resolve("AU12"))] = np.arange(n)[:, None] / 4
    pictures = rng.integers(64, 192, (n, SIZE, SIZE, 3), np.uint8)
    pictures[:, 0] = 0
    pictures[:, 0, :C, 1] = np.round(50 + SCALE * units)
    pictures[:, -1] = 10
    pictures[:, -1, -1, 2] = np.arange(n)
    landmarks = np.repeat(place_face((32, 26), 22)[None].astype(np.float32), n, 0)

    class Held(Dataset):
        def image(self, row: int) -> np.ndarray:
            return pictures[row]

    two, zeros = np.array([0, 0, 1, 1]), np.zeros(n, np.float32)
    return Held(
        folder=tmp_path / "planted",
        crop=CropSpec(size_px=SIZE),
        au_source="test",
        files=tuple(f"crops/{i}.png" for i in range(n)),
        identities=("ann", "bob"),
        identity=two,
        clips=("a", "b"),
        clip=two,
        frame=np.arange(n),
        seconds=np.arange(n) / 25,
        is_eval=np.ones(n, bool),
        action_units=units,
        known=np.ones(C, bool),
        angles=np.zeros((n, 3), np.float32),
        residual=zeros,
        face_px=zeros + 200,
        sharpness=zeros,
        flags={},
        landmarks=landmarks,
    )


@pytest.fixture
def make_bench(dataset: Dataset, make_geometry: Callable[..., Any]) -> Callable[..., Bench]:
    """`make_bench(label=fields of Planted)`; "do nothing" comes first."""
    editor = Editor(Generator(GeneratorConfig(width=0, crop_px=SIZE), make_geometry()))

    def make(*, tools: Tools | None = None, batch: int = 2, **methods: dict[str, Any]) -> Bench:
        planted = [
            Planted(label=label, kind="network", crop_px=SIZE, editor=editor, **values)
            for label, values in methods.items()
        ]
        options = EvaluateOptions(batch=batch)
        return Bench(dataset, [nothing(SIZE), *planted], tools or Tools(RowMeter()), options)

    return make


def _trial(source: int, target: int, **asked: float) -> Trial:
    delta = sum((both_sides(name, value) for name, value in asked.items()), np.zeros(C, np.float32))
    return Trial(source, target, delta)


def test_half_of_what_is_asked_is_a_half_in_every_number(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(half={"share": 0.5})
    trials = [_trial(0, 3, AU12=0.6), _trial(1, 2, AU12=0.2, AU26=0.4), _trial(3, 0, AU12=-0.6)]
    outcomes = unpaired_outcomes(bench, trials)
    scores = unpaired_scores(outcomes["half"])
    norms = [math.sqrt(2) * 0.6, math.sqrt(2 * 0.04 + 0.16), math.sqrt(2) * 0.6]
    assert scores.ed == pytest.approx(np.mean(norms) / 2, rel=1e-4)
    assert scores.ed_ratio == pytest.approx(0.5, rel=1e-4)
    # Both sides are averaged for OpenFace: 0.6, sqrt(0.2^2 + 0.4^2), 0.6, halved.
    assert scores.ed_openface == pytest.approx((0.6 + math.sqrt(0.2) + 0.6) / 6, rel=1e-4)
    assert scores.ed_ratio_openface == pytest.approx(0.5, rel=1e-4)
    assert scores.response.slope == pytest.approx(0.5, rel=1e-4)
    assert scores.response.r == pytest.approx(1, rel=1e-4)
    assert scores.response.count == 3 * C
    assert scores.leakage == pytest.approx(0, abs=1e-5)
    assert (scores.edits, scores.faces_lost, scores.acd, scores.acd_max) == (3, 0, None, None)
    assert scores.per_unit == {}  # three edits are too few for a row


def test_doing_nothing_has_ratio_one_and_slope_zero(make_bench: Callable[..., Bench]) -> None:
    scores = unpaired_scores(unpaired_outcomes(make_bench(), [_trial(0, 3, AU12=0.6)])["do nothing"])
    assert scores.ed_ratio == pytest.approx(1)
    assert scores.response.slope == 0
    assert scores.leakage == 0


def test_what_strays_is_leakage(make_bench: Callable[..., Bench]) -> None:
    outcomes = unpaired_outcomes(make_bench(net={"stray": 0.3}), [_trial(0, 3, AU12=0.6)])
    scores = unpaired_scores(outcomes["net"])
    assert scores.leakage == pytest.approx(0.3 / (0.6 * math.sqrt(2)), rel=1e-3)
    assert scores.ed == pytest.approx(0.3, rel=1e-3)
    assert scores.leakage_without_gaze == pytest.approx(scores.leakage)  # the last action unit is no gaze


def test_gaze_that_is_not_asked_for_can_be_set_apart() -> None:
    own, strayed = np.full(C, 0.1, np.float32), np.zeros(C, np.float32)
    strayed[[action_units.NAMES.index("AU64"), action_units.NAMES.index("AU17")]] = 0.4, 0.3
    trial = _trial(0, 1, AU26=0.5)
    scores = unpaired_scores([Outcome(trial, own, own, own + trial.delta_au + strayed)])
    assert scores.leakage == pytest.approx(1.0)  # 0.5 of 0.5
    assert scores.leakage_without_gaze == pytest.approx(0.6)


def test_a_unit_asked_often_has_its_own_slope(make_bench: Callable[..., Bench]) -> None:
    trials = [_trial(0, 3, AU12=0.1 * i, AU26=0.3) for i in range(1, 6)]
    scores = unpaired_scores(unpaired_outcomes(make_bench(net={"share": 0.5}), trials)["net"])
    assert set(scores.per_unit) == {"AU12L", "AU12R", "AU26"}
    assert scores.per_unit["AU12L"].slope == pytest.approx(0.5, rel=1e-3)
    assert math.isnan(scores.per_unit["AU26"].r)  # always asked the same


def test_lost_faces_are_counted_and_count_in_nothing_else(make_bench: Callable[..., Bench]) -> None:
    trials = [_trial(0, 3, AU12=0.6)]
    bench = make_bench(lost={"loses_face": True}, fine={})
    outcomes = unpaired_outcomes(bench, trials)
    lost, fine = outcomes["lost"], outcomes["fine"]
    assert math.isnan(lost[0].ed)
    assert unpaired_scores(lost).faces_lost == 1
    assert math.isnan(unpaired_scores(lost).ed_ratio)
    both = unpaired_scores([*lost, *fine])
    assert (both.edits, both.faces_lost) == (2, 1)
    assert both.ed_ratio == pytest.approx(0, abs=1e-4)


def test_sharpness_is_the_contrast_left(make_bench: Callable[..., Bench]) -> None:
    bench, trial = make_bench(net={"blur": 0.5}), _trial(0, 3, AU12=0.6)
    scores = unpaired_scores(unpaired_outcomes(bench, [trial])["net"])
    plate = bench.gallery.plate(0)
    (picture,) = bench.methods[1].edit([plate], trial.delta_au[None])
    assert scores.sharpness == sharpness_ratio(plate.picture, picture)
    assert scores.sharpness < 0.8
    assert scores.sharpness_low == scores.sharpness_high == scores.sharpness


def test_identity_is_the_distance_of_descriptors(make_bench: Callable[..., Bench]) -> None:
    tools = Tools(RowMeter(), identity=Describe())
    bench = make_bench(tools=tools, net={"red": 7})
    outcomes = unpaired_outcomes(bench, [_trial(0, 3, AU12=0.6), _trial(1, 3, AU12=0.5)])
    scores = unpaired_scores(outcomes["net"])
    assert (scores.acd, scores.acd_max) == (7, 7)
    assert (scores.acd_packaged, scores.acd_packaged_max) == (None, None)
    assert unpaired_scores(outcomes["do nothing"]).acd == 0


def test_both_networks_are_asked_and_neither_for_the_other(make_bench: Callable[..., Bench]) -> None:
    class Twice(Describe):
        def describe(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
            return 2 * super().describe(picture, landmarks)

    bench = make_bench(tools=Tools(RowMeter(), identity=Describe(), packaged=Twice()), net={"red": 7})
    scores = unpaired_scores(unpaired_outcomes(bench, [_trial(0, 3, AU12=0.6)])["net"])
    assert (scores.acd, scores.acd_packaged, scores.acd_packaged_max) == (7, 14, 14)
    pair = paired_scores(paired_outcomes(bench, [_trial(0, 1, AU12=0.25)])["net"])
    assert (pair.acd, pair.acd_packaged) == (7, 14)
    assert (pair.acd_true, pair.acd_packaged_true) == (0, 0)
    alone = make_bench(tools=Tools(RowMeter(), packaged=Twice()), net={"red": 7})
    scores = unpaired_scores(unpaired_outcomes(alone, [_trial(0, 3, AU12=0.6)])["do nothing"])
    assert (scores.acd, scores.acd_packaged) == (None, 0)


def test_inception_classes_follow_the_pictures(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(tools=Tools(RowMeter(), inception=Classify()), net={})
    outcomes = unpaired_outcomes(bench, [_trial(i, 3, AU12=0.3) for i in range(3)])
    score = inception_of(outcomes["net"], seed=0)
    assert score is not None
    assert score == (pytest.approx(1), pytest.approx(0))  # as many splits as pictures: each agrees with itself
    assert inception_of([dataclasses.replace(o, classes=None) for o in outcomes["net"]], seed=0) is None


def test_every_edit_is_handed_on_under_its_number(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(half={"share": 0.5})
    bench = dataclasses.replace(bench, options=dataclasses.replace(bench.options, batch=2))
    trials = [_trial(0, 3, AU12=0.6), _trial(1, 2, AU26=0.4), _trial(3, 0, AU12=-0.6)]
    kept: dict[tuple[int, str], np.ndarray] = {}
    unpaired_outcomes(bench, trials, keep=lambda i, label, picture: kept.__setitem__((i, label), picture))
    assert set(kept) == {(i, method.label) for i in range(3) for method in bench.methods}
    for i, trial in enumerate(trials):
        plate = bench.gallery.plate(trial.source)
        np.testing.assert_array_equal(kept[i, "do nothing"], plate.picture)
        (edited,) = bench.methods[1].edit([plate], trial.delta_au[None])
        np.testing.assert_array_equal(kept[i, "half"], edited)


def test_batches_do_not_matter(make_bench: Callable[..., Bench]) -> None:
    trials = [_trial(0, 3, AU12=0.6), _trial(1, 2, AU26=0.4), _trial(3, 0, AU12=-0.6)]
    one, all_ = (
        unpaired_scores(unpaired_outcomes(make_bench(batch=size, net={"share": 0.7, "blur": 0.5}), trials)["net"])
        for size in (1, 8)
    )
    assert one == all_
    assert [list(part) for part in batches([1, 2, 3], 2)] == [[1, 2], [3]]


def _paired(bench: Bench, pairs: Sequence[Trial]) -> dict[str, PairedScores]:
    found = {label: paired_scores(outcomes) for label, outcomes in paired_outcomes(bench, pairs).items()}
    return {label: scores for label, scores in found.items() if scores is not None}


def test_the_true_frame_itself_is_at_distance_zero(make_bench: Callable[..., Bench], dataset: Dataset) -> None:
    target = dataset.image(1)

    @dataclass(frozen=True, eq=False)
    class HalfWay(Method):
        share: float = 1.0

        def edit(self, plates: Sequence[Plate], _delta_au: np.ndarray) -> list[np.ndarray]:
            return [
                np.round((1 - self.share) * plate.picture + self.share * target).astype(np.uint8)
                for plate in plates
            ]

    bench = make_bench(tools=Tools(RowMeter(), perceptual=Raw()))
    methods = [
        nothing(SIZE),
        HalfWay(label="there", kind="network", crop_px=SIZE),
        HalfWay(label="half", kind="network", crop_px=SIZE, share=0.5),
    ]
    found = _paired(dataclasses.replace(bench, methods=methods), [_trial(0, 1, AU12=0.25)])
    assert found["there"].mouth.l1 == 0
    assert found["there"].eyes.perceptual == pytest.approx(0, abs=1e-6)
    assert found["half"].mouth.l1 == pytest.approx(0.5, abs=0.01)
    assert found["half"].eyes.l1 == pytest.approx(0.5, abs=0.01)
    assert found["half"].mouth.perceptual is not None
    assert 0.1 < found["half"].mouth.perceptual < 0.6
    nothing_done = found["do nothing"]
    assert nothing_done.pairs == 1
    assert (nothing_done.mouth.l1, nothing_done.eyes.perceptual) == (1, 1)


def test_without_features_only_l1_is_measured(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(net={})
    found = _paired(bench, [_trial(0, 1, AU12=0.25)])
    assert found["net"].mouth.perceptual is None
    assert found["net"].mouth.l1 > 0
    assert (found["net"].acd, found["net"].acd_true, found["net"].acd_pairs) == (None, None, 0)
    assert paired_outcomes(bench, []) == {"do nothing": [], "net": []}
    assert paired_scores([]) is None


def test_identity_moves_beside_what_the_true_frame_moves(
    make_bench: Callable[..., Bench], dataset: Dataset
) -> None:
    # The last rows' red is 10, 10, 10, 10 and becomes 10, 30, 10, 50; the edit adds 7.
    dataset.image(1)[-1, :, 0], dataset.image(3)[-1, :, 0] = 30, 50
    bench = make_bench(tools=Tools(RowMeter(), identity=Describe()), net={"red": 7}, lost={"loses_face": True})
    found = _paired(bench, [_trial(0, 1, AU12=0.25), _trial(2, 3, AU12=0.25)])
    assert (found["net"].acd, found["net"].acd_true, found["net"].acd_pairs) == (7, 30, 2)
    still = found["do nothing"]
    assert (still.acd, still.acd_true, still.acd_pairs) == (0, 30, 2)
    assert (found["lost"].acd, found["lost"].acd_true, found["lost"].acd_pairs) == (None, None, 0)
    assert (found["net"].acd_packaged, found["net"].acd_packaged_true) == (None, None)
    assert found["lost"].mouth.l1 > 0  # what is seen without a tracker stays


def test_a_pair_whose_face_is_lost_counts_in_neither_mean(
    make_bench: Callable[..., Bench], dataset: Dataset
) -> None:
    dataset.image(1)[-1, :, 0], dataset.image(3)[-1, :, 0] = 30, 50

    class Picky(RowMeter):
        def measure(self, crop: np.ndarray, near: np.ndarray) -> Seen | None:
            return None if crop[-1, 0, 0] == 37 else super().measure(crop, near)

    bench = make_bench(tools=Tools(Picky(), identity=Describe()), net={"red": 7})
    found = _paired(bench, [_trial(1, 0, AU12=-0.25), _trial(2, 3, AU12=0.25)])["net"]
    assert (found.acd, found.acd_true, found.acd_pairs) == (7, 40, 1)


def test_a_zero_edit_is_exact_or_it_is_not(make_bench: Callable[..., Bench]) -> None:
    found = zero_outcomes(make_bench(exact={}, off={"red": 51}), [0, 1, 2])
    scores = {label: zero_scores(outcomes) for label, outcomes in found.items()}
    assert scores["exact"].is_exact
    assert (scores["exact"].l1, scores["exact"].psnr_db, scores["exact"].ssim) == (0, math.inf, 1)
    assert not scores["off"].is_exact
    assert scores["off"].l1 == pytest.approx(0.2 / (3 * SIZE))  # one channel of one row of 64
    assert scores["off"].psnr_db == pytest.approx(-10 * math.log10(0.04 / (3 * SIZE)))
    assert scores["off"].ssim < 1
    assert scores["off"].pictures == 3


def test_sweeps_give_every_picture_and_count_what_can_be_reached(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(net={"share": 0.5})
    outcomes: dict[str, list[SweepOutcome]] = {}
    (sweep,) = sweeps(bench, [0], outcomes)
    assert len(sweep.pictures) == len(SWEEP_UNITS)
    assert all(len(row) == len(SWEEP_VALUES) for row in sweep.pictures)
    scores = sweep_scores(outcomes["net"])
    assert scores is not None
    assert scores.edits == len(SWEEP_UNITS) * (len(SWEEP_VALUES) - 1)
    assert scores.leakage == pytest.approx(0, abs=1e-4)
    # AU12 is 0 in row 0: of -1, -0.5, 0.5, 1, 1.25 can be reached 0, 0, 0.5, 1, 1; done are half of all.
    x, y = np.array([0, 0, 0.5, 1, 1]), np.array([-0.5, -0.25, 0.25, 0.5, 0.625])
    y = np.maximum(y, -0.5)  # the fake tracker reads no further than 50 levels below 0
    assert scores.slopes["AU12"].slope == pytest.approx((x @ y) / (x @ x), abs=0.01)


def test_sweeps_separate_asked_from_stray() -> None:
    before, after = np.zeros(C, np.float32), both_sides("AU12", 0.5)
    after[list(action_units.resolve("AU26"))] = 0.25
    found = [sweep_outcome(0, "AU12", 1.0, before=before, after=seen) for seen in (after, None)]
    scores = sweep_scores(found)
    assert scores is not None
    assert (scores.edits, scores.faces_lost) == (2, 1)
    assert scores.slopes["AU12"].slope == pytest.approx(0.5)
    assert scores.leakage == pytest.approx(0.25 / math.sqrt(2))


def test_an_outcome_knows_its_distance() -> None:
    trial = _trial(0, 1, AU26=0.4)
    own = np.full(C, 0.1, np.float32)
    assert Outcome(trial, own, own, own).ed == pytest.approx(0.4)
    assert Outcome(trial, own, own, own + trial.delta_au).ed == pytest.approx(0, abs=1e-6)

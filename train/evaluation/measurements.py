"""The measurements of an evaluation: each runs every method over the same faces and gives typed scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retarget.model import action_units
from retarget.model.editor import projection
from retarget.model.images import to_model

from ..metrics import (
    UNASKED,
    Response,
    both_sides,
    content_distance,
    expression_distance,
    inception_score,
    leakage,
    masked_absolute,
    mean_absolute,
    mean_square,
    perceptual_distance,
    psnr,
    region_masks,
    response,
    sharpness_ratio,
    ssim,
)
from .bench import Bench, Describer, Picture, Units
from .methods import Method, Plate
from .scores import PairedScores, RegionScores, SweepScores, UnpairedScores, ZeroScores
from .trials import SWEEP_UNITS, SWEEP_VALUES, Trial

FEWEST_EDITS_A_UNIT = 5
"""An action unit asked to change in fewer edits has no row of its own."""

REGIONS = ("mouth", "eyes")

_OPENFACE = projection(action_units.OPENFACE_NAMES).numpy()
_NOT_GAZE = [i for i in range(action_units.COUNT) if i not in action_units.GAZE]

T = TypeVar("T")


def batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in runs of `size`; the last may be shorter."""
    return [items[i : i + size] for i in range(0, len(items), size)]


@dataclass(frozen=True, eq=False)
class Outcome:
    """One unpaired edit by one method."""

    trial: Trial
    own: Units
    """(C,) the face's expression at the dataset's size, which the request counts from."""
    before: Units
    """(C,) the same at the method's size."""
    after: Units | None
    """(C,) None where the tracker no longer sees the face."""
    sharpness: float | None = None
    identity: float | None = None
    """How far the face moves in the recognition network."""
    packaged: float | None = None
    """Likewise in the one of the package."""
    classes: NDArray[np.float64] | None = None
    """Probabilities of the Inception network."""
    expression: NDArray[np.float64] | None = None
    """Probabilities of the dataset's own expression classes."""

    @property
    def ed(self) -> float:
        """l2 distance to the requested expression; NaN for a lost face."""
        if self.after is None:
            return float("nan")
        return float(expression_distance(self.after, self.own + self.trial.delta_au))


def unpaired_outcomes(
    bench: Bench, trials: Sequence[Trial], *, keep: Callable[[int, str, Picture], None] | None = None
) -> dict[str, list[Outcome]]:
    """By method's label, what became of each trial, in their order. Holds a batch of pictures.

    Args:
        keep: is given each edit as (number of the trial, method's label, picture); doing nothing is one.
    """
    outcomes: dict[str, list[Outcome]] = {method.label: [] for method in bench.methods}
    parts = batches(trials, bench.options.batch)
    for number, batch in enumerate(bench.progress(parts, "unpaired edits", len(parts))):
        plates = [bench.gallery.plate(trial.source) for trial in batch]
        requests = np.stack([trial.delta_au for trial in batch])
        for method in bench.methods:
            pictures = method.edit(plates, requests)
            if keep is not None:
                for i, picture in enumerate(pictures, number * bench.options.batch):
                    keep(i, method.label, picture)
            outcomes[method.label] += _outcomes(bench, method, batch, pictures)
    return outcomes


def _outcomes(
    bench: Bench, method: Method, batch: Sequence[Trial], pictures: Sequence[Picture]
) -> Iterator[Outcome]:
    inception, networks = bench.tools.inception, (bench.tools.identity, bench.tools.packaged)
    classes = inception.probabilities(pictures) if inception else [None] * len(pictures)
    shown_classes = bench.expressions.probabilities(pictures)
    expressions = [None] * len(pictures) if shown_classes is None else shown_classes
    for trial, picture, row, expression in zip(batch, pictures, classes, expressions, strict=True):
        plate = bench.gallery.plate(trial.source)
        before = bench.gallery.before(trial.source, method.crop_px)
        outcome = Outcome(trial, plate.action_units, before, None, classes=row, expression=expression)
        if method.editor is None:
            of_one, of_other = (0.0 if network else None for network in networks)
            yield replace(outcome, after=before, identity=of_one, packaged=of_other)
            continue
        small = plate.resized(method.crop_px)
        seen = bench.tools.meter.measure(picture, small.landmarks)
        if seen is None:
            yield outcome
            continue
        shown = (trial.source, method.crop_px, picture, seen.landmarks)
        of_one, of_other = (_moved(bench, network, *shown) for network in networks)
        sharpness = sharpness_ratio(small.picture, picture)
        yield replace(outcome, after=seen.action_units, sharpness=sharpness, identity=of_one, packaged=of_other)


def _moved(
    bench: Bench,
    network: Describer | None,
    source: int,
    size_px: int,
    picture: Picture,
    landmarks: NDArray[np.floating],
) -> float | None:
    """How far the edit has moved the face in a network that tells people apart; None without it."""
    if network is None:
        return None
    return content_distance(
        bench.gallery.descriptor(network, source, size_px), network.describe(picture, landmarks)
    )


def unpaired_scores(outcomes: Sequence[Outcome]) -> UnpairedScores:
    """One method's scores over its edits. What was lost counts as lost and in nothing else."""
    kept = [(o, o.after) for o in outcomes if o.after is not None]
    shape = (len(kept), action_units.COUNT)
    after = np.array([units for _, units in kept], np.float64).reshape(shape)
    requested = np.array([o.trial.delta_au for o, _ in kept], np.float64).reshape(shape)
    own = np.array([o.own for o, _ in kept], np.float64).reshape(shape)
    achieved = after - np.array([o.before for o, _ in kept], np.float64).reshape(shape)
    missed = after - own - requested
    sharpness = [o.sharpness for o, _ in kept if o.sharpness is not None]
    distances = [o.identity for o, _ in kept if o.identity is not None]
    packaged = [o.packaged for o, _ in kept if o.packaged is not None]
    low, median, high = np.quantile(sharpness, (0.1, 0.5, 0.9)) if sharpness else (float("nan"),) * 3
    return UnpairedScores(
        edits=len(outcomes),
        faces_lost=len(outcomes) - len(kept),
        ed=_mean_norm(missed),
        ed_openface=_mean_norm(missed @ _OPENFACE),
        ed_ratio=_ratio(_mean_norm(missed), _mean_norm(requested)),
        ed_ratio_openface=_ratio(_mean_norm(missed @ _OPENFACE), _mean_norm(requested @ _OPENFACE)),
        response=response(requested, achieved),
        per_unit=_per_unit(requested, achieved),
        leakage=leakage(requested, achieved),
        leakage_without_gaze=leakage(requested[:, _NOT_GAZE], achieved[:, _NOT_GAZE]),
        acd=float(np.mean(distances)) if distances else None,
        acd_max=max(distances) if distances else None,
        sharpness=float(median),
        sharpness_low=float(low),
        sharpness_high=float(high),
        acd_packaged=float(np.mean(packaged)) if packaged else None,
        acd_packaged_max=max(packaged, default=None),
    )


def _per_unit(requested: NDArray[np.float64], achieved: NDArray[np.float64]) -> dict[str, Response]:
    out = {}
    for i, name in enumerate(action_units.NAMES):
        asked = np.abs(requested[:, i]) >= UNASKED
        if asked.sum() >= FEWEST_EDITS_A_UNIT:
            out[name] = response(requested[asked, i], achieved[asked, i])
    return out


def inception_of(outcomes: Sequence[Outcome], *, seed: int) -> tuple[float, float] | None:
    """IS of a method's edited pictures; None where the network is not there."""
    return _score_of([o.classes for o in outcomes if o.classes is not None], seed=seed)


def class_score_of(outcomes: Sequence[Outcome], *, seed: int) -> tuple[float, float] | None:
    """The same by the dataset's own expression classes."""
    return _score_of([o.expression for o in outcomes if o.expression is not None], seed=seed)


def _score_of(classes: Sequence[NDArray[np.float64]], *, seed: int) -> tuple[float, float] | None:
    if not classes:
        return None
    order = np.random.default_rng(seed).permutation(len(classes))
    return inception_score(np.stack(classes)[order])


@dataclass(frozen=True, eq=False)
class PairOutcome:
    """One paired edit by one method."""

    trial: Trial
    distances: Mapping[tuple[str, str], float]
    """(region, "l1" or "perceptual") -> distance to the true frame."""
    of_nothing: Mapping[tuple[str, str], float]
    """Likewise of the unedited source, at the method's size."""
    move: Move | None = None
    packaged: Move | None = None
    """In the network of the package."""


def paired_outcomes(bench: Bench, pairs: Sequence[Trial]) -> dict[str, list[PairOutcome]]:
    """By method's label, what became of each pair, in their order."""
    outcomes: dict[str, list[PairOutcome]] = {method.label: [] for method in bench.methods}
    for pair in bench.progress(pairs, "paired edits", len(pairs)):
        source, target = (bench.gallery.plate(row) for row in (pair.source, pair.target))
        judges: dict[int, _Judge] = {}
        for method in bench.methods:
            size_px = method.crop_px
            if size_px not in judges:
                judges[size_px] = _Judge(bench, source.resized(size_px), target.resized(size_px))
            judge = judges[size_px]
            (edited,) = method.edit([source], pair.delta_au[None])
            moves = (
                _identity_move(bench, network, method, pair, edited)
                for network in (bench.tools.identity, bench.tools.packaged)
            )
            found = PairOutcome(pair, judge.distances(edited), judge.of_nothing, *moves)
            outcomes[method.label].append(found)
    return outcomes


@dataclass(frozen=True)
class Move:
    """How far one face moves in the recognition network."""

    edited: float
    """From source to edit."""
    true: float
    """From source to true frame."""


def _identity_move(
    bench: Bench, network: Describer | None, method: Method, pair: Trial, edited: Picture
) -> Move | None:
    """None without the network, and where the tracker no longer sees the face."""
    if network is None:
        return None
    source, target = (bench.gallery.descriptor(network, row, method.crop_px) for row in (pair.source, pair.target))
    true = content_distance(source, target)
    if method.editor is None:
        return Move(0.0, true)
    seen = bench.tools.meter.measure(edited, bench.gallery.plate(pair.source).resized(method.crop_px).landmarks)
    if seen is None:
        return None
    return Move(content_distance(source, network.describe(edited, seen.landmarks)), true)


def paired_scores(outcomes: Sequence[PairOutcome]) -> PairedScores | None:
    """One method's distances to the true frames, summed and relative to doing nothing, and how far the recognition
    network's description of the face moves, by the edit and in truth; None without pairs."""
    if not outcomes:
        return None

    def relative(region: str, measure: str) -> float | None:
        key = region, measure
        if key not in outcomes[0].distances:
            return None
        return _ratio(sum(o.distances[key] for o in outcomes), sum(o.of_nothing[key] for o in outcomes))

    moves, packaged = ([getattr(o, name) for o in outcomes if getattr(o, name)] for name in ("move", "packaged"))
    mouth, eyes = (
        RegionScores(relative(region, "l1") or 0.0, relative(region, "perceptual")) for region in REGIONS
    )
    return PairedScores(
        len(outcomes),
        mouth,
        eyes,
        acd=float(np.mean([move.edited for move in moves])) if moves else None,
        acd_true=float(np.mean([move.true for move in moves])) if moves else None,
        acd_pairs=len(moves),
        acd_packaged=float(np.mean([move.edited for move in packaged])) if packaged else None,
        acd_packaged_true=float(np.mean([move.true for move in packaged])) if packaged else None,
    )


class _Judge:
    """Compares pictures with one true frame, in the regions of its face."""

    def __init__(self, bench: Bench, source: Plate, target: Plate) -> None:
        self._features = bench.tools.perceptual
        self._target = target.picture
        self._masks = region_masks(target.landmarks, target.picture.shape[0])
        self._target_features = self._seen(target.picture)
        self.of_nothing = self.distances(source.picture)
        """{(region, "l1" or "perceptual"): distance} of the unedited source."""

    def distances(self, picture: Picture) -> dict[tuple[str, str], float]:
        out = {}
        features = self._seen(picture)
        for region in REGIONS:
            mask = self._masks[region]
            out[region, "l1"] = masked_absolute(picture, self._target, mask)
            if features is not None and self._target_features is not None:
                weight = torch.from_numpy(mask)[None, None]
                out[region, "perceptual"] = perceptual_distance(features, self._target_features, weight)
        return out

    @torch.inference_mode()
    def _seen(self, picture: Picture) -> list[Tensor] | None:
        if self._features is None:
            return None
        return list(self._features(to_model(picture)[None]))


@dataclass(frozen=True)
class ZeroOutcome:
    """What an edit that asks for nothing does to one face."""

    row: int
    l1: float
    squared: float
    ssim: float


def zero_outcomes(bench: Bench, rows: Sequence[int]) -> dict[str, list[ZeroOutcome]]:
    """By method's label, what an edit that asks for nothing does to each face."""
    found: dict[str, list[ZeroOutcome]] = {method.label: [] for method in bench.methods}
    nothing = np.zeros(action_units.COUNT, np.float32)
    parts = batches(rows, bench.options.batch)
    for batch in bench.progress(parts, "zero edits", len(parts)):
        plates = [bench.gallery.plate(row) for row in batch]
        for method in bench.methods:
            pictures = method.edit(plates, np.stack([nothing] * len(batch)))
            before = [plate.resized(method.crop_px).picture for plate in plates]
            found[method.label] += [
                ZeroOutcome(row, *_reconstruction(a, b)) for row, a, b in zip(batch, before, pictures, strict=True)
            ]
    return found


def _reconstruction(before: Picture, after: Picture) -> tuple[float, float, float]:
    """(L1, mean squared error, SSIM)"""
    if np.array_equal(before, after):
        return 0.0, 0.0, 1.0
    return mean_absolute(before, after), mean_square(before, after), ssim(before, after)


def zero_scores(outcomes: Sequence[ZeroOutcome]) -> ZeroScores:
    """One method's scores over its faces."""
    columns = ([getattr(o, name) for o in outcomes] for name in ("l1", "squared", "ssim"))
    l1, squared, similar = (float(np.mean(column)) for column in columns)
    return ZeroScores(len(outcomes), squared == 0, l1, psnr(squared), similar)


@dataclass(frozen=True, eq=False)
class Sweep:
    """One face, one method: every action unit of the sweep at every value."""

    row: int
    method: Method
    pictures: list[list[Picture]]
    """By action unit, by value, in the order of SWEEP_UNITS and SWEEP_VALUES."""


@dataclass(frozen=True)
class SweepOutcome:
    """What asking one face for one action unit achieves."""

    row: int
    name: str
    requested: float
    """As far as [0, 1] reaches from where the face is; mean over both sides."""
    achieved: float | None
    """None: the tracker no longer sees the face."""
    asked: float = 0.0
    """Sum of squares over both sides."""
    stray: float = 0.0
    """Likewise of the change of all the other action units."""


def sweep_outcome(row: int, name: str, value: float, *, before: Units, after: Units | None) -> SweepOutcome:
    """Of one edit that asks for `value` of an action unit."""
    which = list(action_units.resolve(name))
    reachable = np.clip(before[which] + value, 0, 1) - before[which]
    requested = float(reachable.mean())
    if after is None:
        return SweepOutcome(row, name, requested, None)
    change = after.astype(np.float64) - before
    asked = float((reachable.astype(np.float64) ** 2).sum())
    return SweepOutcome(
        row, name, requested, float(change[which].mean()), asked, float((np.delete(change, which) ** 2).sum())
    )


def sweep_scores(outcomes: Sequence[SweepOutcome]) -> SweepScores | None:
    """One method's scores over its single-action-unit edits; None without any."""
    if not outcomes:
        return None
    kept = [o for o in outcomes if o.achieved is not None]
    slopes = {}
    for name in SWEEP_UNITS:
        own = [o for o in kept if o.name == name]
        slopes[name] = response(np.array([o.requested for o in own]), np.array([o.achieved for o in own]))
    asked, stray = (sum(getattr(o, name) for o in kept) for name in ("asked", "stray"))
    leaked = float(np.sqrt(stray / asked)) if asked > 0 else float("nan")
    return SweepScores(len(outcomes), len(outcomes) - len(kept), slopes, leaked)


def sweeps(bench: Bench, rows: Sequence[int], outcomes: dict[str, list[SweepOutcome]]) -> Iterator[Sweep]:
    """Sweeps of the faces by every method that edits, one at a time; `outcomes` (by label) gather what they do."""
    for row in bench.progress(rows, "sweeps", len(rows)):
        plate = bench.gallery.plate(row)
        for method in bench.editing:
            own = outcomes.setdefault(method.label, [])
            yield Sweep(row, method, [_swept(bench, method, plate, row, name, own) for name in SWEEP_UNITS])


def _swept(
    bench: Bench, method: Method, plate: Plate, row: int, name: str, outcomes: list[SweepOutcome]
) -> list[Picture]:
    requests = [both_sides(name, value) for value in SWEEP_VALUES]
    pictures = [
        picture
        for part in batches(requests, bench.options.batch)
        for picture in method.edit([plate] * len(part), np.stack(part))
    ]
    small, before = plate.resized(method.crop_px), bench.gallery.before(row, method.crop_px)
    for value, picture in zip(SWEEP_VALUES, pictures, strict=True):
        if value != 0:
            seen = bench.tools.meter.measure(picture, small.landmarks)
            after = None if seen is None else seen.action_units
            outcomes.append(sweep_outcome(row, name, value, before=before, after=after))
    return pictures


def _mean_norm(rows: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(rows, axis=1).mean()) if len(rows) else float("nan")


def _ratio(value: float, whole: float) -> float:
    return value / whole if whole > 0 else float("nan")

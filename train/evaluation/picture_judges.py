"""Edits on crops as judges see them that have no part in making them: colours, detail, edges, a second witness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.review import StillJudge, detail_of

from ..metrics import Response, kernel_distance, patches_of, response
from .bench import Bench, Picture
from .methods import Method, Plate
from .scores import CropJudgeScores, KernelDistances
from .trials import Trial

FEWEST_PICTURES = 8
"""Of a person whose colours are known: one picture says little of what a face can show."""
MOST_PICTURES = 24
REAL_A_PERSON = 8
"""Pictures, at most, whose mouths and eyes are compared with: who is seen how often weighs, too."""

Landmarks = NDArray[np.floating]
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the judges say of one trial by one method. NaN: cannot be said."""

    trial: Trial
    person: int
    """Who is edited, in `Dataset.identities`."""
    never_seen: float
    """Per mille of the face box in colours that none of the person's pictures has."""
    new_edges: float
    """Per mille of the face box."""
    detail: Values
    """(2,) in the open mouth and eyes, over the true frame's; only of pairs."""
    asked: Values
    """(2,) change of the openings of mouth and eyes, from the source's to the target's picture, by the witness."""
    done: Values
    """(2,) from the source's to the edit."""
    features: Mapping[str, Values]
    """Of the patches of mouth and eyes, (1 or 2, d)."""

    @property
    def missed(self) -> Values:
        """(2,)"""
        return np.abs(self.done - self.asked)


@dataclass(frozen=True, eq=False)
class RealPatches:
    """Features of n patches of real faces."""

    features: Values
    """(n, d)"""
    people: NDArray[np.int64]
    """(n,) whose they are."""
    halves: NDArray[np.bool_]
    """(n,) which half of their person's pictures they are from."""


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Of one method: pairs have a true frame, the others another person's expression."""

    pairs: tuple[Verdict, ...]
    unpaired: tuple[Verdict, ...]

    @cached_property
    def all(self) -> tuple[Verdict, ...]:
        return *self.pairs, *self.unpaired


class PictureJudges:
    """Judges trials; remembers people and what is known of real faces."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._people: dict[tuple[int, int], StillJudge | None] = {}
        dataset = bench.dataset
        self._spec = CropSpec() if dataset.crop is None else dataset.crop

    def judge(self, trials: Sequence[Trial], pairs: Sequence[Trial]) -> dict[str, Verdicts]:
        """By method's label. Every edit is made again; one is held."""
        found: dict[str, tuple[list[Verdict], list[Verdict]]] = {m.label: ([], []) for m in self._bench.methods}
        both = [*((pair, True) for pair in pairs), *((trial, False) for trial in trials)]
        for trial, is_pair in self._bench.progress(both, "judges", len(both)):
            for method in self._bench.methods:
                verdict = self._verdict(method, trial, is_pair=is_pair)
                if verdict is not None:
                    found[method.label][not is_pair].append(verdict)
        return {label: Verdicts(tuple(of_pairs), tuple(others)) for label, (of_pairs, others) in found.items()}

    def _verdict(self, method: Method, trial: Trial, *, is_pair: bool) -> Verdict | None:
        """None where the tracker sees no face in the edit any more."""
        gallery, size = self._bench.gallery, method.crop_px
        source, target = (gallery.plate(row).resized(size) for row in (trial.source, trial.target))
        (edit,) = method.edit([gallery.plate(trial.source)], trial.delta_au[None])
        seen = self._bench.tools.meter.measure(edit, source.landmarks)
        if seen is None:
            return None
        person = self._person(trial.source, size)
        judge = person or StillJudge([])
        marks = judge.judge(source.picture, source.landmarks, edit, seen.landmarks)
        own, wanted, shown = (self._openings(picture) for picture in (source.picture, target.picture, edit))
        return Verdict(
            trial,
            int(self._bench.dataset.identity[trial.source]),
            marks.never_seen if person else float("nan"),
            marks.new_edges,
            _detail_ratio(marks.detail, target) if is_pair else np.full(2, np.nan),
            wanted - own,
            shown - own,
            self._features(edit, seen.landmarks),
        )

    def real_patches(self, rows: Sequence[int], edited: Sequence[int]) -> dict[str, RealPatches]:
        """Of mouths and eyes, of the people who are edited: up to `REAL_A_PERSON` of each.

        Args:
            rows: pictures to choose from. edited: those that are edited, which are no part of it.
        """
        dataset, gallery = self._bench.dataset, self._bench.gallery
        if self._bench.tools.patches is None:
            return {}
        kept: dict[str, list[tuple[Values, int, bool]]] = {"mouth": [], "eyes": []}
        people = sorted({int(dataset.identity[row]) for row in edited})
        for person in self._bench.progress(people, "real faces", len(people)):
            own = [row for row in rows if dataset.identity[row] == person and row not in set(edited)]
            chosen = own[:: max(1, -(-len(own) // REAL_A_PERSON))]
            for number, row in enumerate(row for row in chosen if gallery.measured(row)):
                plate = gallery.plate(row)
                for region, features in self._features(plate.picture, plate.landmarks).items():
                    kept[region] += [(patch, person, number % 2 == 0) for patch in features]
        return {
            region: RealPatches(*(np.array(column) for column in zip(*patches, strict=True)))
            for region, patches in kept.items()
            if patches
        }

    def _features(self, picture: Picture, landmarks: Landmarks) -> dict[str, Values]:
        network = self._bench.tools.patches
        if network is None:
            return {}
        return {region: network.describe(patches) for region, patches in patches_of(picture, landmarks).items()}

    def _openings(self, picture: Picture) -> Values:
        witness = self._bench.tools.witness
        if witness is None:
            return np.full(2, np.nan)
        found = witness.openings(picture, self._spec)
        return np.array([found.mouth, found.eyes])

    def _person(self, row: int, size_px: int) -> StillJudge | None:
        """Who knows the person's colours at that size; None where there are too few pictures."""
        dataset = self._bench.dataset
        key = int(dataset.identity[row]), size_px
        if key not in self._people:
            rows = np.flatnonzero((dataset.identity == key[0]) & dataset.usable)
            known = [self._known(int(r), size_px) for r in rows[:: -(-len(rows) // MOST_PICTURES)]]
            self._people[key] = StillJudge(known) if len(known) >= FEWEST_PICTURES else None
        return self._people[key]

    def _known(self, row: int, size_px: int) -> tuple[Picture, Landmarks]:
        dataset = self._bench.dataset
        plate = Plate(dataset.image(row), np.array(dataset.landmarks[row], np.float32), np.zeros(0, np.float32))
        small = plate.resized(size_px)
        return small.picture, small.landmarks


def _detail_ratio(detail: Values, target: Plate) -> Values:
    true = detail_of(target.picture, target.landmarks)
    ratio = detail / np.where(true > 0, true, np.nan)
    eyes = ratio[1:][np.isfinite(ratio[1:])]
    return np.array([ratio[0], eyes.mean() if len(eyes) else np.nan])


def crop_judge_scores(verdicts: Verdicts, real: Mapping[str, RealPatches], *, seed: int) -> CropJudgeScores:
    """One method's."""
    never = _known(verdict.never_seen for verdict in verdicts.all)
    edges = _known(verdict.new_edges for verdict in verdicts.all)
    detail = [_known(verdict.detail[i] for verdict in verdicts.pairs) for i in (0, 1)]
    return CropJudgeScores(
        never_seen_edits=len(never),
        never_seen=_mean(never),
        never_seen_worst=_most(never),
        new_edges=_mean(edges),
        new_edges_worst=_most(edges),
        detail_mouth=_quantile(detail[0], 0.5),
        detail_mouth_low=_quantile(detail[0], 0.1),
        detail_eyes=_quantile(detail[1], 0.5),
        witness_mouth=_response(verdicts.pairs, 0),
        witness_eyes=_response(verdicts.pairs, 1),
        witness_mouth_unpaired=_response(verdicts.unpaired, 0),
        witness_eyes_unpaired=_response(verdicts.unpaired, 1),
        kernel=_kernel_distances(verdicts.all, real, seed=seed),
    )


def real_kernel_floor(real: Mapping[str, RealPatches], *, seed: int) -> KernelDistances | None:
    """How far real faces are from real faces: one half of each person's pictures from the other."""
    if not real:
        return None
    found = {
        region: kernel_distance(patches.features[patches.halves], patches.features[~patches.halves], seed=seed)
        for region, patches in real.items()
    }
    return KernelDistances(found.get("mouth"), found.get("eyes"))


def _kernel_distances(
    verdicts: Sequence[Verdict], real: Mapping[str, RealPatches], *, seed: int
) -> KernelDistances | None:
    """Of the edits of people of whom there are other pictures."""
    found = {}
    for region, patches in real.items():
        known = set(patches.people.tolist())
        edits = [verdict.features[region] for verdict in verdicts if verdict.person in known]
        if edits:
            found[region] = kernel_distance(np.concatenate(edits), patches.features, seed=seed)
    return KernelDistances(found.get("mouth"), found.get("eyes")) if found else None


JUDGES: Mapping[str, Callable[[Verdict], float]] = {
    "never-seen colours": lambda v: v.never_seen,
    "new edges": lambda v: v.new_edges,
    "detail in mouths": lambda v: abs(float(np.log2(max(v.detail[0], 1e-3)))),
    "mouth by the second witness": lambda v: float(v.missed[0]),
    "eyes by the second witness": lambda v: float(v.missed[1]),
}
"""What makes an edit bad to each judge: the higher, the worse; NaN where it cannot say."""


def worst_of(verdicts: Verdicts, badness: Callable[[Verdict], float], count: int) -> list[tuple[Verdict, float]]:
    """The worst edits to a judge, the worst first."""
    rated = [(verdict, badness(verdict)) for verdict in verdicts.all]
    known = [(verdict, bad) for verdict, bad in rated if np.isfinite(bad)]
    return sorted(known, key=lambda item: -item[1])[:count]


def _response(verdicts: Sequence[Verdict], column: int) -> Response | None:
    asked, done = (np.array([getattr(v, name)[column] for v in verdicts]) for name in ("asked", "done"))
    known = np.isfinite(asked) & np.isfinite(done)
    return response(asked[known], done[known]) if known.any() else None


def _known(values: Iterator[float]) -> Values:
    found = np.array([*values], np.float64)
    return found[np.isfinite(found)]


def _mean(values: Values) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _most(values: Values) -> float:
    return float(values.max()) if len(values) else float("nan")


def _quantile(values: Values, quantile: float) -> float:
    return float(np.quantile(values, quantile)) if len(values) else float("nan")

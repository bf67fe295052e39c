"""Whole clips through the main job, tracked again: what a user gets, frame by frame.

Unlike the measurements on crops, this includes tracking, smoothing, neutrals, blending and encoding.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.mesh import LEFT_IRIS, RIGHT_IRIS
from retarget.pipeline.faces import FaceSelection, head_pose, no_face, read_faces
from retarget.pipeline.media import EncodeOptions, open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.report import FaceReport
from retarget.pipeline.run import retarget_video
from retarget.pipeline.stream import Progress, no_progress

from ..metrics import Response, response, second_difference
from .bench import Witness
from .film_judges import FilmVerdict, WorstMoment, film_openings, film_verdict, worst_moments
from .scores import FilmRecord, FilmScores, PictureScores

SMALLEST_REQUEST_FRAMES = 5
"""A film with fewer frames that ask for something says nothing."""

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]

_SKIN = [i for i in range(478) if i not in (*LEFT_IRIS, *RIGHT_IRIS)]
"""Gaze jumps by nature and is not edited."""


@dataclass(frozen=True)
class FilmPair:
    """A clip to change and the clip whose expression it takes on."""

    source: Path
    driver: Path


@dataclass(frozen=True, kw_only=True)
class FilmOptions:
    """How films are made and judged."""

    seconds: float = 3.0
    """Length from the start of each clip."""
    min_request: float = 0.3
    """Frames that ask for less (l2 norm) do not count."""
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """The largest face of a clip's first shot."""

    seconds: NDArray[np.float64]
    """(n,) from the clip's first frame."""
    action_units: NDArray[np.float32]
    """(n, C)"""
    canonical: NDArray[np.float64]
    """(n, 468, 2) skin landmarks in the canonical frame: without head motion and position."""
    openings: NDArray[np.float64] | None = None
    """(n, 2) of mouth and eyes as the second witness sees them; None without one."""

    def at(self, seconds: NDArray[np.float64]) -> TrackedFace:
        """Resampled, linearly, at those of the moments that lie within its own."""
        inside = seconds[(seconds >= self.seconds[0] - 1e-6) & (seconds <= self.seconds[-1] + 1e-6)]
        return TrackedFace(
            inside,
            _resampled(self.action_units, self, inside),
            _resampled(self.canonical, self, inside),
            None if self.openings is None else _resampled(self.openings, self, inside),
        )


@dataclass(frozen=True, eq=False)
class Driven:
    """A film beside its driver, each counted from its own rest: what was to be, whatever the job asked for."""

    action_units: Pair
    """(n, k) of driver and output, those that were asked to move anywhere."""
    openings: Pair | None
    """(n, 2) of mouth and eyes as the second witness sees them."""
    unedited: Driven | None = None
    """The same of the source as it is."""


@dataclass(frozen=True, eq=False)
class FilmOutcome:
    """One film, measured."""

    pair: FilmPair
    requested: NDArray[np.float64]
    """(n, k) relative action units, frames above the threshold, units that were asked to move."""
    achieved: NDArray[np.float64]
    """(n, k) output's expression minus the performance's own."""
    shake: float
    """Second difference of the output's canonical landmarks."""
    driver_shake: float
    """The same of the driver at the output's moments."""
    driver_own_shake: float
    """The same of the driver at its own frame rate."""
    source_shake: float
    driven: Driven | None = None
    verdict: FilmVerdict | None = None

    @property
    def temporal(self) -> float:
        """The output's shake over the driver's; NaN for one that stands still."""
        return _ratio(self.shake, self.driver_shake)

    @property
    def temporal_source(self) -> float:
        """The output's shake over the source's."""
        return _ratio(self.shake, self.source_shake)

    @property
    def unedited(self) -> FilmOutcome:
        """The same film with the source as it is."""
        driven = self.driven.unedited if self.driven else None
        achieved = np.zeros_like(self.requested)
        return replace(self, achieved=achieved, shake=self.source_shake, driven=driven, verdict=None)

    @property
    def ed_ratio(self) -> float:
        """Mean distance to what was asked, over the mean of what was asked."""
        missed = np.linalg.norm(self.achieved - self.requested, axis=1).mean()
        return float(missed / np.linalg.norm(self.requested, axis=1).mean())


def film_pairs(clips: Sequence[Path], count: int | None = None) -> list[FilmPair]:
    """The first `count` clips (None: all), each driven by the one a third of them further on.

    They form a cycle, so at any `count` each clip is once source and once driver and nobody drives themselves: how
    lively a clip is weighs as much above the line of `temporal` as below. To pair first and cut then would leave
    some clips as sources alone and others as drivers alone, and `temporal` to which of them are the livelier. A
    clip that is named twice counts once.
    """
    chosen = list(dict.fromkeys(clips))[:count]
    if len(chosen) < 2:
        return []
    step = max(1, len(chosen) // 3)
    return [FilmPair(clip, chosen[(i + step) % len(chosen)]) for i, clip in enumerate(chosen)]


@dataclass
class FilmMeter:
    """Runs pairs of clips through the main job with one checkpoint after another; remembers tracked inputs."""

    pairs: Sequence[FilmPair]
    options: FilmOptions = field(default_factory=FilmOptions)
    witness: Witness | None = None
    worst: Sequence[WorstMoment] = field(default=(), init=False)
    """Of the films that were measured last."""
    outcomes: Sequence[FilmOutcome] = field(default=(), init=False)
    """Likewise."""
    _tracked: dict[Path, TrackedFace] = field(default_factory=dict, init=False)
    _unedited: dict[FilmPair, FilmOutcome] = field(default_factory=dict, init=False)

    def measure(self, checkpoint: Path, *, progress: Progress[Any] = no_progress) -> FilmScores:
        """Scores over all pairs; a pair that cannot be filmed or tracked is named in `skipped`."""
        outcomes, skipped = [], []
        with tempfile.TemporaryDirectory(prefix="retarget-films-") as folder:
            for pair in progress(self.pairs, "films", len(self.pairs)):
                try:
                    outcomes.append(self._film(pair, checkpoint, Path(folder) / "film.mkv"))
                except RetargetError as error:
                    skipped.append(str(error))
        self.worst = worst_moments([outcome.verdict for outcome in outcomes if outcome.verdict])
        self.outcomes = outcomes
        self._unedited |= {outcome.pair: outcome.unedited for outcome in outcomes}
        return film_scores(outcomes, skipped)

    @property
    def unedited(self) -> list[FilmOutcome]:
        """The sources as they are, of the films that have been measured with any checkpoint."""
        return [self._unedited[pair] for pair in self.pairs if pair in self._unedited]

    def of_nothing(self) -> FilmScores:
        """Scores of the unedited sources."""
        return film_scores(self.unedited)

    def _film(self, pair: FilmPair, checkpoint: Path, output: Path) -> FilmOutcome:
        options = RetargetOptions(
            checkpoint=checkpoint,
            trim_end=self.options.seconds,
            overwrite=True,
            device=self.options.device,
            encode=EncodeOptions(codec="h264", crf=14, preset="veryfast"),
        )
        report = retarget_video(pair.source, pair.driver, output, options)
        face = next((face for face in report.curves if face.shot == 0), None)
        if face is None:
            raise RetargetError(f"{pair.source}: no face in its first shot; use a clip that begins with one")
        result = track_first_face(output, trim_end=None, witness=self.witness)
        source, driver = (self._input(path) for path in (pair.source, pair.driver))
        requested, achieved = changes(face, result, min_request=self.options.min_request)
        if len(requested) < SMALLEST_REQUEST_FRAMES:
            raise RetargetError(
                f"{pair.source}: {pair.driver.name} asks for a change in {len(requested)} frames only; pair it "
                "with a livelier clip"
            )
        return FilmOutcome(
            pair,
            requested,
            achieved,
            shake=second_difference(result.canonical, result.seconds),
            driver_shake=_shake(driver, result.seconds),
            driver_own_shake=second_difference(driver.canonical, driver.seconds),
            source_shake=_shake(source, result.seconds),
            driven=driven_by(driver, source, result, list(face.v_rel)),
            verdict=film_verdict(pair.source, output, report, options),
        )

    def _input(self, path: Path) -> TrackedFace:
        if path not in self._tracked:
            self._tracked[path] = track_first_face(path, trim_end=self.options.seconds, witness=self.witness)
        return self._tracked[path]


def film_scores(outcomes: Sequence[FilmOutcome], skipped: Sequence[str] = ()) -> FilmScores:
    """The scores of several films together."""
    nothing = np.zeros(0)
    return FilmScores(
        films=len(outcomes),
        frames=sum(len(outcome.requested) for outcome in outcomes),
        ed_ratio=float(np.mean([outcome.ed_ratio for outcome in outcomes])) if outcomes else float("nan"),
        response=response(
            np.concatenate([nothing, *(outcome.requested.ravel() for outcome in outcomes)]),
            np.concatenate([nothing, *(outcome.achieved.ravel() for outcome in outcomes)]),
        ),
        temporal=_median([outcome.temporal for outcome in outcomes]),
        temporal_pooled=_pooled([(outcome.shake, outcome.driver_own_shake) for outcome in outcomes]),
        temporal_source=_median([outcome.temporal_source for outcome in outcomes]),
        driver=_pooled_response([o.driven.action_units for o in outcomes if o.driven]),
        witness_mouth=_witnessed(outcomes, 0),
        witness_eyes=_witnessed(outcomes, 1),
        pictures=_pictures([o.verdict for o in outcomes if o.verdict]),
        skipped=tuple(skipped),
        per_film=tuple(_record(outcome) for outcome in outcomes),
    )


def _record(outcome: FilmOutcome) -> FilmRecord:
    return FilmRecord(
        source=outcome.pair.source.name,
        driver=outcome.pair.driver.name,
        ed_ratio=outcome.ed_ratio,
        temporal=outcome.temporal,
        temporal_source=outcome.temporal_source,
        never_seen=outcome.verdict.never_seen if outcome.verdict else None,
        never_seen_frame=outcome.verdict.never_seen_frame if outcome.verdict else None,
        boiling=outcome.verdict.boiling if outcome.verdict else {},
        flags=outcome.verdict.flags if outcome.verdict else (),
    )


def _pooled_response(pairs: Sequence[Pair]) -> Response:
    nothing = np.zeros(0)
    wanted, done = (np.concatenate([nothing, *(pair[i].ravel() for pair in pairs)]) for i in (0, 1))
    known = np.isfinite(wanted) & np.isfinite(done)
    return response(wanted[known], done[known])


def _witnessed(outcomes: Sequence[FilmOutcome], column: int) -> Response | None:
    both = [outcome.driven.openings for outcome in outcomes if outcome.driven and outcome.driven.openings]
    return _pooled_response([(a[:, column], b[:, column]) for a, b in both]) if both else None


def _pictures(verdicts: Sequence[FilmVerdict]) -> PictureScores | None:
    if not verdicts:
        return None
    regions = ("face", "mouth", "eyes", "jaw")
    return PictureScores(
        never_seen=max(verdict.never_seen for verdict in verdicts),
        painted=sum("painted" in verdict.flags for verdict in verdicts),
        boiling={name: _median([verdict.boiling[name] for verdict in verdicts]) for name in regions},
        boiling_films=sum("boiling" in verdict.flags for verdict in verdicts),
        detail={name: _median([verdict.detail[name] for verdict in verdicts]) for name in ("mouth", "eyes")},
        new_edges=max(verdict.new_edges for verdict in verdicts),
    )


def changes(
    face: FaceReport, result: TrackedFace, *, min_request: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(requested, achieved), each (n, k): the frames that ask for more than `min_request`, seen before and after.

    Args:
        face: a face of the job's report.
    """
    names = list(face.v_rel)
    columns = [action_units.NAMES.index(name) for name in names]
    seconds = np.array(face.seconds, np.float64)
    asked = np.array([face.v_rel[name] for name in names], np.float64).T.reshape(len(seconds), -1)
    own = np.array([face.own[name] for name in names], np.float64).T.reshape(len(seconds), -1)
    nearest = np.abs(result.seconds[None] - seconds[:, None]).argmin(1)
    seen = np.abs(result.seconds[nearest] - seconds) < 1e-3  # the report rounds to a tenth of that
    counts = seen & (np.linalg.norm(asked, axis=1) > min_request)
    after = result.action_units[nearest][:, columns].astype(np.float64)
    return asked[counts], (after - own)[counts]


def driven_by(driver: TrackedFace, source: TrackedFace, result: TrackedFace, units: Sequence[str]) -> Driven:
    """The output, and the source, beside the driver at the output's moments; rest is each one's median."""
    inside = (result.seconds >= driver.seconds[0] - 1e-6) & (result.seconds <= driver.seconds[-1] + 1e-6)
    seconds = result.seconds[inside]
    columns = [action_units.NAMES.index(name) for name in units]

    def moved(
        face: TrackedFace, rest: TrackedFace, of: Callable[[TrackedFace], NDArray[Any]]
    ) -> NDArray[np.float64]:
        return np.asarray(_resampled(of(face), face, seconds) - np.median(of(rest), axis=0), np.float64)

    def units_of(face: TrackedFace) -> NDArray[Any]:
        return face.action_units[:, columns].astype(np.float64)

    def openings_of(face: TrackedFace) -> NDArray[Any]:
        assert face.openings is not None, "checked below"
        return face.openings

    def beside(film: TrackedFace) -> Driven:
        has_witness = all(face.openings is not None for face in (driver, source, film))
        return Driven(
            (moved(driver, driver, units_of), moved(film, source, units_of)),
            (moved(driver, driver, openings_of), moved(film, source, openings_of)) if has_witness else None,
        )

    return replace(beside(result), unedited=beside(source))


def track_first_face(path: Path, *, trim_end: float | None, witness: Witness | None = None) -> TrackedFace:
    """The largest face of the first shot, up to `trim_end` seconds.

    Raises:
        RetargetError: the clip cannot be read or shows no face there.
    """
    with open_video(path, trim_end=trim_end) as reader:
        analysis = read_faces(reader)
    tracks = [track for track, _ in analysis.select(FaceSelection()) if track.shot == 0]
    if not tracks:
        raise no_face(path, analysis.largest_rejected_px, is_trimmed=bool(trim_end))
    track = tracks[0]
    points = [analysis.landmarks(track, i) for i in range(len(track.frames))]
    canonical = np.stack([head_pose(p).canonical(p)[_SKIN, :2] for p in points])
    openings = film_openings(path, track, witness, trim_end=trim_end) if witness else None
    return TrackedFace(track.seconds, track.action_units, canonical, openings)


def _shake(face: TrackedFace, seconds: NDArray[np.float64]) -> float:
    """Its second difference at the output's moments: the same spans of time for clips of different rates, though
    what is interpolated shakes less."""
    resampled = face.at(seconds)
    return second_difference(resampled.canonical, resampled.seconds)


def _resampled(values: NDArray[Any], face: TrackedFace, seconds: NDArray[np.float64]) -> NDArray[Any]:
    flat = values.reshape(len(values), -1)
    columns = [np.interp(seconds, face.seconds, column) for column in flat.T]
    return np.stack(columns, 1).reshape(len(seconds), *values.shape[1:])


def _pooled(shakes: Sequence[tuple[float, float]]) -> float:
    """Root of the ratio of mean squares of (output's, driver's) shakes, over the films that have both."""
    both = np.array([pair for pair in shakes if np.isfinite(pair).all()]).reshape(-1, 2)
    above, below = np.square(both).sum(0)
    return float(np.sqrt(above / below)) if below > 0 else float("nan")


def _ratio(value: float, whole: float) -> float:
    return value / whole if whole > 0 else float("nan")


def _median(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")

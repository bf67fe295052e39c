"""How well a finished clip came out: measured on the output itself, and flagged where somebody should look.

The output is tracked again, with the source's shots, and compared frame by frame with the source and with what
the run asked for. What is found is a `ClipQuality`: curves, a summary per action unit, flags as frame ranges,
and a few pictures. The thresholds below were measured on real clips; each says on what.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter
from scipy.ndimage import maximum_filter1d

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec

from ..drivers import DECODE_AHEAD_FRAMES, analyse_clip
from ..edit import envelope
from ..errors import RetargetError
from ..faces import (
    ClipAnalysis,
    FaceSelection,
    FaceTrack,
    FaceTracker,
    TrackOptions,
    chain,
    crop_matrix,
    head_pose,
)
from ..files import is_there
from ..media import VideoReader, advance_timecode, open_video, proxy, sample_rgb
from ..options import RetargetOptions
from ..records import Frame, VideoInfo
from ..smoothing import smooth
from ..stream import Clock, Progress, Stage, no_progress, prefetched

Series = NDArray[np.float64]
Mask = NDArray[np.bool_]

State = Literal["done", "skipped", "failed"]
MarkerColor = Literal["RED", "ORANGE", "YELLOW", "GREEN"]
Reason = Literal[
    "failed", "no_output", "unreadable", "frame_count", "face_lost_output",
    "flicker", "residual", "softer", "decode", "face_lost_source",
    "pose", "blur", "occlusion",
    "no_face", "face_count",
]  # fmt: skip


@dataclass(frozen=True)
class ReasonInfo:
    """What a reason for a flag means."""

    color: MarkerColor
    """RED: wrong. ORANGE: probably visible. YELLOW: look if there is time. GREEN: for information."""
    title: str
    meaning: str


REASONS: Mapping[Reason, ReasonInfo] = {
    "failed": ReasonInfo("RED", "Failed", "the job ended with an error"),
    "no_output": ReasonInfo("RED", "No output", "the output is not there"),
    "unreadable": ReasonInfo("RED", "Unreadable", "source or output could not be read for this report"),
    "frame_count": ReasonInfo("RED", "Frame count", "the output has not as many frames as the source"),
    "face_lost_output": ReasonInfo(
        "RED", "Face lost in output", "tracked in the source, no longer recognised after the edit"
    ),
    "flicker": ReasonInfo("ORANGE", "Flicker", "the edit jumps from frame to frame where the source does not"),
    "residual": ReasonInfo("ORANGE", "Big residual", "the expression asked for was not reached"),
    "softer": ReasonInfo("ORANGE", "Softer", "the edited face is clearly less sharp than the source's"),
    "decode": ReasonInfo("ORANGE", "Decode failure", "a picture could not be decoded whole"),
    "face_lost_source": ReasonInfo(
        "ORANGE", "Face lost in source", "not tracked for a while; those frames pass through unedited"
    ),
    "pose": ReasonInfo("YELLOW", "Extreme pose", "turned or nodded so far that the edit is faded"),
    "blur": ReasonInfo("YELLOW", "Blur", "the source's face is out of focus or smeared by movement"),
    "occlusion": ReasonInfo("YELLOW", "Occlusion?", "the mesh fits badly: something may be before the face"),
    "no_face": ReasonInfo("GREEN", "No face", "a shot without a face to edit"),
    "face_count": ReasonInfo(
        "GREEN", "Face count", "more or fewer faces than in the output, or around it in the shot"
    ),
}


# What goes in and what comes out


@dataclass(frozen=True, kw_only=True)
class QcInput:
    """A job that has ended."""

    name: str
    source: Path
    output: Path | None
    """None: it was never made."""
    report: Mapping[str, Any] | None
    """Of the run, as `Report.as_json` gives it; None: unknown, so nothing can be said about what was asked."""
    state: State
    error: str
    """In one line; empty unless failed."""
    seconds: Mapping[str, float]
    """Busy time per stage."""
    options: RetargetOptions


@dataclass(frozen=True)
class Flag:
    """A range of frames that somebody should look at, and why."""

    reason: Reason
    first_frame: int
    """Index in the output, from 0."""
    last_frame: int
    """The last one that is flagged."""
    in_seconds: float
    """When the first flagged frame is shown, from the clip's first frame."""
    out_seconds: float
    """When the frame after the last is shown."""
    worst_frame: int
    comment: str
    """What was measured there."""
    face: int | None = None
    """Position among the edited faces of the shot; None: not about one face."""

    def __post_init__(self) -> None:
        if not 0 <= self.first_frame <= self.worst_frame <= self.last_frame:
            raise ValueError(
                f"Flag spans frames {self.first_frame} to {self.last_frame} with the worst at {self.worst_frame}"
            )

    @property
    def frame_count(self) -> int:
        return self.last_frame - self.first_frame + 1

    @property
    def color(self) -> MarkerColor:
        return REASONS[self.reason].color


@dataclass(frozen=True)
class UnitSummary:
    """How one action unit came out over the frames in which it was asked to move."""

    name: str
    asked: float
    """Mean |v_rel|."""
    error: float
    """Mean |own + v_rel - measured in the output|."""
    response: float
    """Slope of the measured change over the asked one: 1 is what was asked, 0 nothing."""


@dataclass(frozen=True)
class Moment:
    """Pictures of one frame: before and after, the face and the whole picture, as JPEG."""

    frame: int
    seconds: float
    caption: str
    face_before: bytes
    """Empty where there is no face, like the rest where there is nothing to show."""
    face_after: bytes
    frame_before: bytes
    frame_after: bytes

    @property
    def byte_count(self) -> int:
        return sum(map(len, (self.face_before, self.face_after, self.frame_before, self.frame_after)))


@dataclass(frozen=True, kw_only=True)
class ClipQuality:
    """All that the report says about one job. Plain values: it can be pickled, and stored as JSON."""

    __pydantic_config__ = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants"
    )

    name: str
    source: str
    output: str
    """Empty: there is none."""
    state: State
    error: str = ""
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    frame_rate: Fraction = Fraction(25)
    """For timecode only; times are seconds."""
    frames: int = 0
    frames_edited: int = 0
    faces: int = 0
    seconds: tuple[float, ...] = ()
    """Of each frame, from the clip's first."""
    edit: tuple[float, ...] = ()
    """Per frame, the l2 norm of what was asked (v_rel); of several faces the one that is asked most. NaN: no
    face."""
    residual: tuple[float, ...] = ()
    """Per frame, the l2 norm of own + v_rel - measured, over the action units that were asked in this clip; of
    several faces the worst. NaN: not measured."""
    units: tuple[UnitSummary, ...] = ()
    """Most asked first."""
    flags: tuple[Flag, ...] = ()
    """In order of time."""
    moments: tuple[Moment, ...] = ()
    notes: tuple[str, ...] = ()
    """One line each."""

    @property
    def mean_edit(self) -> float:
        """Mean edit size over the frames with an edit; NaN if there is none."""
        return _mean_where(self.edit, self.edit)

    @property
    def mean_residual(self) -> float:
        """Mean residual over the frames with an edit; NaN if there is none."""
        return _mean_where(self.residual, self.edit)

    @property
    def score(self) -> float:
        """0 (nothing to see) to 100: how urgently to look, for sorting.

        100 if there is no usable output. Else each reason adds its colour's weight, a third of it for being there
        at all and the rest by the share of the clip it covers, and what is left of the request adds up to 5.
        """
        if any(flag.reason in _HOPELESS for flag in self.flags):
            return 100.0
        covered: dict[Reason, int] = {}
        for flag in self.flags:
            covered[flag.reason] = covered.get(flag.reason, 0) + flag.frame_count
        total = sum(
            _COLOR_WEIGHT[REASONS[reason].color] * (1 + 2 * min(1.0, count / max(self.frames, 1))) / 3
            for reason, count in covered.items()
        )
        left = self.mean_residual / self.mean_edit if self.mean_edit > 0 else 0.0
        return round(min(99.0, total + 5 * min(1.0, left if math.isfinite(left) else 0.0)), 2)

    def timecode(self, frame: int) -> str:
        """Of a frame of the output, counted from 00:00:00:00, drop-frame at 29.97 and 59.94 fps."""
        drop = self.frame_rate.denominator == 1001 and self.frame_rate.numerator in (30000, 60000)
        return advance_timecode("00:00:00;00" if drop else "00:00:00:00", frame, self.frame_rate)

    def to_json(self) -> bytes:
        """The whole record, for `quality_from_json`."""
        return _AS_JSON.dump_json(self)


_HOPELESS: frozenset[Reason] = frozenset({"failed", "no_output", "unreadable"})
_COLOR_WEIGHT: Mapping[MarkerColor, float] = {"RED": 45, "ORANGE": 18, "YELLOW": 6, "GREEN": 0.5}

_AS_JSON = TypeAdapter(ClipQuality)


def quality_from_json(data: bytes) -> ClipQuality:
    """What `ClipQuality.to_json` wrote; a batch that runs again need not measure what has not changed.

    Raises:
        ValueError: it was written by another version, or is damaged; measure again.
    """
    return _AS_JSON.validate_json(data)


@dataclass(frozen=True)
class MarkerSpec:
    """A marker on the output's frames, for an editing timeline."""

    name: str
    comment: str
    color: MarkerColor
    start_frame: int
    """In the output, from 0."""
    frame_count: int


def markers_of(quality: ClipQuality) -> list[MarkerSpec]:
    """One marker a flag, in order of time; none for flags that are not about frames."""
    return [
        MarkerSpec(REASONS[f.reason].title, f.comment, f.color, f.first_frame, f.frame_count)
        for f in quality.flags
        if f.reason not in _HOPELESS
    ]


def _mean_where(values: Sequence[float], edit: Sequence[float]) -> float:
    """Mean of the finite values in frames with an edit worth the name."""
    both = np.array([values, edit], np.float64).reshape(2, -1)
    kept = both[0][np.isfinite(both[0]) & (np.nan_to_num(both[1]) >= ASKED_FLOOR)]
    return float(kept.mean()) if len(kept) else math.nan


# Measuring


ASKED_FLOOR = 0.05
"""l2 of v_rel below which nobody would see an edit; such frames have no part in means."""

FACE_PX = 96
"""Side of the aligned crop whose sharpness and brightness are compared; film faces are rarely smaller."""
_CROP = CropSpec(size_px=FACE_PX)
_INNER = np.s_[24:90, 18:78]
"""Of the crop: the face without hair and background."""
CELLS = 12
"""A side of the grid on which colour is compared over time."""
CELL_CHANGE_LEVELS = 28
"""CIELAB difference, of 255, that makes a cell another thing; an opening mouth changes some, too."""


@dataclass(frozen=True, eq=False)
class FaceSeries:
    """One edited face over every frame of its shot, in the source and in the output. NaN: not measured."""

    face: int
    """Position among the edited faces of the shot."""
    frames: NDArray[np.int64]
    """(n,) consecutive indices."""
    seconds: Series
    """(n,) from the clip's first frame."""
    units: tuple[str, ...]
    """Names of the k action units that were asked to move anywhere in the shot."""
    requested: Series
    """(n, k) v_rel."""
    own: Series
    """(n, k) of the source, smoothed."""
    measured: Series
    """(n, k) in the output, smoothed as `own` is."""
    yaw_degrees: Series
    """(n,) in the source, as are pitch and the two below."""
    pitch_degrees: Series
    confidence: Series
    """(n,) in [0, 1]; NaN where the face is not tracked."""
    output_confidence: Series
    """(n,) likewise in the output."""
    jitter: Series
    """(n, 2) source, output: RMS second difference of the canonical landmarks; unit: distance of the outer eye
    corners."""
    misfit: Series
    """(n,) of the source's mesh to a head, see `HeadPose.residual`."""
    covered: Series
    """(n,) share of the source's face whose colour is not what it mostly is in the shot, see `_covered`."""
    sharpness: Series
    """(n, 2) source, output: see `_Look`."""
    pop: Series
    """(n, 2) in 8-bit levels of the inner face: how far what the edit changed departs from the frames before and
    after, less how far those differ from each other; and how much it changed in those. See `_pop`."""
    place: Series
    """(n, 3) centre x, y and size of the face in the source, in display pixels."""

    @property
    def wanted(self) -> Series:
        """(n, k) own + v_rel, within [0, 1] as measurements are."""
        return np.clip(self.own + self.requested, 0, 1)

    @property
    def edit(self) -> Series:
        """(n,) l2 of v_rel; NaN where the face is not tracked."""
        return np.linalg.norm(self.requested, axis=1) if self.units else np.where(self.in_source, 0.0, np.nan)

    @property
    def residual(self) -> Series:
        """(n,) l2 of wanted - measured."""
        if not self.units:
            return np.full(len(self.frames), np.nan)
        return np.asarray(np.linalg.norm(self.wanted - self.measured, axis=1), np.float64)

    @property
    def in_source(self) -> Mask:
        return np.isfinite(self.confidence)

    @property
    def in_output(self) -> Mask:
        return np.isfinite(self.output_confidence)


@dataclass(frozen=True, eq=False)
class ClipSeries:
    """What was read of a clip as a whole."""

    seconds: Series
    """(n,) of each frame of the source."""
    faces: Sequence[FaceSeries]
    face_counts: NDArray[np.int64]
    """(n, 2) tracked in source, output."""
    shot_of_frame: NDArray[np.int64]
    """(n,)"""
    corrupt: NDArray[np.bool_]
    """(n, 2) source, output: not decoded whole."""
    output_frames: int
    frame_rate: Fraction
    has_request: bool = True
    """Whether the run's report said what was asked."""


@dataclass(frozen=True, eq=False)
class _Request:
    """One face of a run's report."""

    shot: int
    face: int
    size_px: float
    seconds: Series
    units: tuple[str, ...]
    own: Series
    v_rel: Series

    @classmethod
    def parse(cls, face: Mapping[str, Any]) -> _Request:
        """Raises KeyError, TypeError or ValueError if it is not one."""
        units, seconds = tuple(face["v_rel"]), np.array(face["seconds"], np.float64)
        columns = [
            np.array([face[key][unit] for unit in units], np.float64).reshape(len(units), len(seconds)).T
            for key in ("own", "v_rel")
        ]
        if not set(units) <= set(action_units.NAMES) or not len(seconds):
            raise ValueError("not the curves of a face")
        return cls(int(face["shot"]), int(face["face"]), float(face["size_px"]), seconds, units, *columns)


def _requests(report: Mapping[str, Any] | None) -> list[_Request] | None:
    """What the run asked of each face; None where the report does not say."""
    try:
        return [_Request.parse(face) for face in report["details"]["faces"]] if report is not None else None
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, eq=False)
class _Planned:
    """A face of the source that the run was to edit."""

    track: FaceTrack
    face: int
    request: _Request | None


def _planned(analysis: ClipAnalysis, requests: Sequence[_Request] | None) -> list[_Planned]:
    """The tracks that a report is about; without one, the largest face of each shot."""
    if requests is None:
        return [_Planned(track, place, None) for track, place in analysis.select(FaceSelection())]
    planned: list[_Planned] = []
    for request in requests:
        taken = {id(p.track) for p in planned}
        free = [t for t in analysis.tracks if t.shot == request.shot and id(t) not in taken]
        if free:
            track = min(free, key=lambda track: _difference(track, request))
            planned.append(_Planned(track, request.face, request))
    return planned


def _difference(track: FaceTrack, request: _Request) -> float:
    """How unlike a track is to the one a report speaks of: 0 when tracked again by the same version."""
    at, there = _rows_at(track.seconds, request.seconds)
    size = abs(math.log(max(float(np.median(track.size_px)), 1) / max(request.size_px, 1)))
    columns = [action_units.NAMES.index(unit) for unit in request.units]
    own = np.abs(track.action_units[at][:, columns] - request.own)[there]
    return float(1 - there.mean()) + size + (float(own.mean()) if own.size else 0.0)


def _rows_at(seconds: Series, wanted: Series) -> tuple[NDArray[np.intp], Mask]:
    """For each wanted moment the nearest index of `seconds`, and whether that is the same moment."""
    right = np.clip(np.searchsorted(seconds, wanted), 1, max(len(seconds) - 1, 1))
    if len(seconds) == 1:
        right = np.zeros_like(right)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(seconds[left] - wanted) <= np.abs(seconds[right] - wanted), left, right)
    # A report's times are rounded to a tenth of a millisecond.
    return nearest, np.asarray(np.abs(seconds[nearest] - wanted) < 1e-3, np.bool_)


class _SideBySide:
    """Source and output read in step; iterating gives the output's frames with the source's shots.

    Holds one frame of each, and of every planned face and frame about half a kilobyte.
    """

    def __init__(
        self, source: VideoReader, output: VideoReader, before: ClipAnalysis, planned: Sequence[_Planned]
    ) -> None:
        self._readers, self._planned = (source, output), planned
        self._rows: dict[int, list[tuple[int, int]]] = {}
        for i, plan in enumerate(planned):
            for at, frame in enumerate(plan.track.frames):
                self._rows.setdefault(int(frame), []).append((i, at))
        self.shot_of_frame = np.zeros(before.frame_count, np.int64)
        for shot in before.shots:
            self.shot_of_frame[shot.first_frame : shot.last_frame + 1] = shot.number
        self.sharpness, self.pop = (
            [np.full((len(plan.track.frames), 2), np.nan) for plan in planned] for _ in range(2)
        )
        """Per planned face (moments, 2), as in `FaceSeries`."""
        self._changes: list[dict[int, NDArray[np.float32]]] = [{} for _ in planned]
        self.cells = [np.zeros((len(plan.track.frames), CELLS**2, 3), np.uint8) for plan in planned]
        self.corrupt = np.zeros((before.frame_count, 2), np.bool_)
        self.output_frames = 0

    def __iter__(self) -> Iterator[tuple[Frame, int]]:
        for index, pair in enumerate(itertools.zip_longest(*self._readers)):
            one, other = pair
            self.output_frames += other is not None
            if one is None or index >= len(self.corrupt):
                continue
            self.corrupt[index] = [frame is not None and frame.is_corrupt for frame in pair]
            if other is None:
                continue
            for face, at in self._rows.get(index, ()):
                placed = self._planned[face].track.alignments[at]
                self._compare(
                    face,
                    at,
                    *(_look(frame, r.info, placed) for frame, r in zip(pair, self._readers, strict=True)),
                )
            yield other, int(self.shot_of_frame[index])

    def seen(self) -> Iterator[dict[str, Series]]:
        """Per planned face what `FaceSeries` has of the pixels, at the track's moments."""
        for sharpness, pop, cells in zip(self.sharpness, self.pop, self.cells, strict=True):
            yield {"sharpness": sharpness, "pop": pop, "covered": _covered(cells)}

    def _compare(self, face: int, at: int, before: _Look, after: _Look) -> None:
        self.sharpness[face][at] = before.sharpness, after.sharpness
        self.cells[face][at] = before.cells
        frame = int(self._planned[face].track.frames[at])
        last = {f: change for f, change in self._changes[face].items() if f >= frame - 2}
        self._changes[face] = last | {frame: after.luma - before.luma}
        if len(last) == 2:
            self.pop[face][at - 1] = _pop(*self._changes[face].values())


def _pop(
    first: NDArray[np.float32], middle: NDArray[np.float32], last: NDArray[np.float32]
) -> tuple[float, float]:
    """What `FaceSeries.pop` says of the middle of three changes.

    An edit that is missing in one frame departs by all it does elsewhere; one that moves, only as much as its
    neighbours differ.
    """
    departs = float(np.abs(middle - (first + last) / 2).mean())
    apart = float(np.abs(first - last).mean()) / 2
    return departs - apart, float(np.abs(first).mean() + np.abs(last).mean()) / 2


@dataclass(frozen=True, eq=False)
class _Look:
    """How a face looks in one frame."""

    sharpness: float
    """Standard deviation of the Laplacian over that of the luma itself, so that contrast and exposure have no
    part in it."""
    luma: NDArray[np.float32]
    """(h, w) of the inner face, 8-bit levels."""
    cells: NDArray[np.uint8]
    """(CELLS * CELLS, 3) CIELAB of the face, coarse."""


def _look(frame: Frame, info: VideoInfo, placed: Series) -> _Look:
    """The inner face that is placed as `crop.alignment` says."""
    matrix = chain(crop_matrix(placed, _CROP), info.display_from_coded)
    inner = np.ascontiguousarray(sample_rgb(frame, info.color, matrix, (FACE_PX, FACE_PX))[_INNER])
    luma = cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = cv2.Laplacian(luma, cv2.CV_32F)
    coarse = cv2.resize(inner, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    cells = np.asarray(cv2.cvtColor(coarse, cv2.COLOR_RGB2LAB), np.uint8).reshape(-1, 3)
    return _Look(float(detail.std() / (luma.std() + 4)), luma, cells)


def _covered(cells: NDArray[np.uint8]) -> Series:
    """(n,) share of the cells (n, m, 3) that are unlike their median over time; a change of light is none."""
    change = cells.astype(np.float64) - np.median(cells, axis=0)
    change -= np.median(change, axis=1, keepdims=True)
    return np.asarray((np.abs(change).max(axis=2) > CELL_CHANGE_LEVELS).mean(axis=1), np.float64)


def _read(item: QcInput, *, progress: Progress[Any]) -> ClipSeries:
    """Both films, read in step and tracked.

    Raises:
        RetargetError: one of them cannot be read.
    """
    assert item.output is not None, "checked by the caller"
    requests, clock = _requests(item.report), Clock()
    with contextlib.ExitStack() as stack:
        source, output = (stack.enter_context(reader) for reader in _open_both(item, item.output))
        before, _ = analyse_clip(
            stack, source, item.options, clock=clock, progress=progress, label=Stage.QC_SOURCE
        )
        planned = _planned(before, requests)
        pairs = _SideBySide(source, output, before, planned)
        after = stack.enter_context(ClipAnalysis())
        tracker = stack.enter_context(FaceTracker(output.info, TrackOptions(min_face_px=item.options.min_face_px)))
        with contextlib.closing(prefetched(pairs, DECODE_AHEAD_FRAMES)) as frames:
            for _ in progress(after.collect(tracker.track(frames)), Stage.QC_OUTPUT, before.frame_count):
                pass
        smooth_seconds = item.options.smooth_seconds
        return ClipSeries(
            seconds=np.array(before.seconds),
            faces=[
                _face_series(plan, before, after, seen, smooth_seconds=smooth_seconds)
                for plan, seen in zip(planned, pairs.seen(), strict=True)
            ],
            face_counts=np.stack([_face_counts(a, before.frame_count) for a in (before, after)], axis=1),
            shot_of_frame=pairs.shot_of_frame,
            corrupt=pairs.corrupt,
            output_frames=pairs.output_frames,
            frame_rate=source.info.frame_rate,
            has_request=requests is not None,
        )


def _open_both(item: QcInput, output: Path) -> tuple[VideoReader, VideoReader]:
    """Source, trimmed as it was for the run, and output: frame i of one belongs to frame i of the other."""
    source, made = _open_source(item), open_video(output, sequence_rate=item.options.sequence_rate)
    sizes = [(r.info.display_width, r.info.display_height) for r in (source, made)]
    if sizes[0] != sizes[1]:
        raise RetargetError(
            f"{output}: is {sizes[1][0]}x{sizes[1][1]}, its source {sizes[0][0]}x{sizes[0][1]}; run the job again"
        )
    return source, made


def _open_source(item: QcInput) -> VideoReader:
    options, rate = item.options, item.options.sequence_rate
    reader = open_video(item.source, trim_start=options.trim_start, trim_end=options.trim_end, sequence_rate=rate)
    frames = int(item.report.get("frames", 1)) if item.report is not None else 1
    if not reader.info.is_still or frames <= 1:
        return reader
    return open_video(item.source, still_seconds=float(frames / rate), still_rate=rate)


def _face_counts(analysis: ClipAnalysis, frame_count: int) -> NDArray[np.int64]:
    counts = np.zeros(frame_count, np.int64)
    for track in analysis.tracks:
        np.add.at(counts, track.frames, 1)
    return counts


def _face_series(
    plan: _Planned,
    before: ClipAnalysis,
    after: ClipAnalysis,
    seen: Mapping[str, Series],
    *,
    smooth_seconds: float,
) -> FaceSeries:
    shot = next(shot for shot in before.shots if shot.number == plan.track.shot)
    frames = np.arange(shot.first_frame, shot.last_frame + 1)
    track, rows = plan.track, plan.track.frames - shot.first_frame
    found = _found_again(track, after.tracks)

    def over_shot(values: NDArray[Any]) -> Series:
        """From the track's moments (n) to the shot's frames."""
        out = np.full((len(frames), *values.shape[1:]), np.nan)
        out[rows] = values
        return out

    own, requested, units = _request_at(plan)
    source_shapes = _shapes(before, track.frames, [(track, i) for i in range(len(rows))])
    output_shapes = _shapes(after, track.frames, found)
    return FaceSeries(
        face=plan.face,
        frames=frames,
        seconds=np.array(before.seconds)[frames],
        units=units,
        requested=over_shot(requested),
        own=over_shot(own),
        measured=over_shot(_measured(track, found, units, smooth_seconds)),
        yaw_degrees=over_shot(track.yaw_degrees),
        pitch_degrees=over_shot(track.pitch_degrees),
        confidence=over_shot(track.confidence),
        output_confidence=over_shot(np.array([np.nan if m is None else m[0].confidence[m[1]] for m in found])),
        jitter=over_shot(np.stack([source_shapes[:, 0], output_shapes[:, 0]], axis=1)),
        misfit=over_shot(source_shapes[:, 1]),
        covered=over_shot(seen["covered"]),
        sharpness=over_shot(seen["sharpness"]),
        pop=over_shot(seen["pop"]),
        place=over_shot(np.c_[track.centers, track.size_px]),
    )


_Place = tuple[FaceTrack, int]
"""A track and a moment in it."""


def _found_again(track: FaceTrack, candidates: Sequence[FaceTrack]) -> list[_Place | None]:
    """For each moment of a track, where the same face is in the other film: the nearest, within half its size."""
    nearest: list[_Place | None] = [None] * len(track.frames)
    best = 0.5 * track.size_px
    for other in candidates:
        _, here, there = np.intersect1d(track.frames, other.frames, return_indices=True)
        distance = np.linalg.norm(track.centers[here] - other.centers[there], axis=1)
        for i in np.flatnonzero(distance < best[here]).tolist():
            nearest[here[i]], best[here[i]] = (other, int(there[i])), distance[i]
    return nearest


def _request_at(plan: _Planned) -> tuple[Series, Series, tuple[str, ...]]:
    """own and v_rel (n, k) at the track's moments, and the k names."""
    request = plan.request
    if request is None:
        nothing = np.zeros((len(plan.track.frames), 0))
        return nothing, nothing, ()
    at, there = _rows_at(request.seconds, plan.track.seconds)
    own, v_rel = (np.where(there[:, None], values[at], np.nan) for values in (request.own, request.v_rel))
    return own, v_rel, request.units


def _measured(
    track: FaceTrack, found: Sequence[_Place | None], units: Sequence[str], smooth_seconds: float
) -> Series:
    """(n, k) action units in the output at the track's moments, smoothed; NaN where the face is not there."""
    out = np.full((len(found), len(units)), np.nan)
    seen = [i for i, place in enumerate(found) if place is not None]
    if seen and units:
        columns = [action_units.NAMES.index(unit) for unit in units]
        raw = np.stack([place[0].action_units[place[1]][columns] for place in found if place is not None])
        out[seen] = smooth(raw, track.seconds[seen], window_seconds=smooth_seconds)
    return out


def _shapes(analysis: ClipAnalysis, frames: NDArray[np.int64], places: Sequence[_Place | None]) -> Series:
    """(n, 2) of each moment: RMS second difference of the canonical landmarks, and the mesh's misfit.

    NaN where there is no face, or for the first where a neighbour is missing.
    """
    out = np.full((len(frames), 2), np.nan)
    shapes: dict[int, Series] = {}  # of the last three frames
    for i, (place, frame) in enumerate(zip(places, frames.tolist(), strict=True)):
        if place is not None:
            landmarks = analysis.landmarks(*place)
            pose = head_pose(landmarks)
            out[i, 1] = pose.residual
            shapes[frame] = pose.canonical(landmarks)[:468, :2]  # irises look about
        shapes = {f: shape for f, shape in shapes.items() if f > frame - 3}
        if len(shapes) == 3:
            second = shapes[frame - 2] - 2 * shapes[frame - 1] + shapes[frame]
            out[i - 1, 0] = np.sqrt((second**2).sum(axis=1).mean())
    return out


# Flagging


BRIDGE_FRAMES = 2
"""Flagged ranges this close are one."""

RESIDUAL_FLOOR = 0.4
"""Smaller residuals are the tracker's noise: where nothing was asked, up to 0.25 on 25 shots."""
RESIDUAL_FRACTION = 0.9
"""Of what was asked. Half of all frames stay below 0.65 and 95 % below 0.9; at 1 nothing was reached."""

FLICKER_OVER_SOURCE = 1.5
"""Times the source's own second difference within two frames: what the edit may carry over from it."""
FLICKER_PER_REQUEST = 0.03
"""Second difference of the landmarks for one of v_rel (l2): a driven blink is no flicker."""
FLICKER_FLOOR = 0.012
"""What may be left, in distances of the outer eye corners; at most 0.006 in 24 of 25 shots."""
POP_FRACTION = 0.45
"""Of the change in the neighbouring frames (plus a level): what a frame may depart. At most 0.37 in 22 of 23
shots; 0.5 to 0.7 where an edit was left out in one frame."""
POP_PER_REQUEST = 0.3
"""More of it for one of v_rel's second difference; a clip driven with a blink a frame long came to 0.77."""
POP_LEVELS = 1.5
"""Less than this, of 255, is not seen."""

SOFTER_FRACTION = 0.75
"""Of the source's sharpness. An edit that shuts an open mouth came to 0.81, re-encoding to 0.92."""
BLUR_FRACTION = 0.55
"""Of the shot's sharp frames (90 %)."""
BLUR_FLOOR = 0.16
"""Below it a face is smeared whatever the rest is like; well-lit film is at 0.4 to 0.8, soft film at 0.25."""

POSE_LEFT = 0.75
"""Of the edit, below which the pose's fade is worth a look: 43 degrees of yaw or 32 of pitch."""

MISFIT_FLOOR = 0.05
MISFIT_OVER_USUAL = 2.0
"""Times the shot's median. A bar passing before a face reaches 2.3 to 9 times, and 0.056 to 0.12."""
CONFIDENCE_FLOOR = 0.6
COVERED_FLOOR = 0.15
COVERED_PER_DEGREE = 0.012
"""Share of the face that may look otherwise for each degree that the head is turned from its usual pose. Half a
face behind an object is 0.25 and more."""


@dataclass(frozen=True, eq=False)
class _Finding:
    """A reason, where it holds, and what to say about it."""

    reason: Reason
    where: Mask
    amount: Series
    """The higher, the worse."""
    comment: Callable[[int], str]
    """Of the worst row."""
    least_frames: int = 1
    """Shorter ranges are chance."""


def flags_of(clip: ClipSeries) -> tuple[Flag, ...]:
    """Every flag of a clip that was read, in order of time."""
    ends = _end_seconds(clip)
    frames = np.arange(len(clip.seconds))
    flags = [
        flag for finding in _clip_findings(clip) for flag in _flags(finding, frames, clip.seconds, ends, None)
    ]
    for face in clip.faces:
        for finding in _face_findings(face):
            flags += _flags(finding, face.frames, clip.seconds, ends, face.face)
    if clip.output_frames != len(clip.seconds):
        at = max(0, min(clip.output_frames, len(clip.seconds)) - 1)
        text = f"{clip.output_frames} frames, the source has {len(clip.seconds)}"
        flags.append(Flag("frame_count", at, at, float(clip.seconds[at]), float(ends[at]), at, text))
    order = list(REASONS)
    return tuple(sorted(flags, key=lambda flag: (flag.first_frame, order.index(flag.reason), flag.face or 0)))


def _end_seconds(clip: ClipSeries) -> Series:
    """(n,) when each frame's successor is shown."""
    return np.append(clip.seconds[1:], clip.seconds[-1] + float(1 / clip.frame_rate))


def _flags(
    finding: _Finding, frames: NDArray[np.int64], seconds: Series, ends: Series, face: int | None
) -> Iterator[Flag]:
    for start, stop in _bridged(finding.where):
        if np.count_nonzero(finding.where[start:stop]) < finding.least_frames:
            continue
        amount = np.where(finding.where[start:stop], finding.amount[start:stop], -np.inf)
        worst = start + int(np.argmax(np.nan_to_num(amount, nan=0.0, neginf=-np.inf)))
        first, last = int(frames[start]), int(frames[stop - 1])
        yield Flag(
            finding.reason,
            first,
            last,
            round(float(seconds[first]), 4),
            round(float(ends[last]), 4),
            int(frames[worst]),
            finding.comment(worst),
            face,
        )


def _bridged(where: Mask) -> list[tuple[int, int]]:
    """(start, stop) of the runs of True, over gaps of up to `BRIDGE_FRAMES`."""
    at = np.flatnonzero(where)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > BRIDGE_FRAMES + 1)
    starts, stops = at[np.r_[0, breaks + 1]], at[np.r_[breaks, len(at) - 1]] + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def _clip_findings(clip: ClipSeries) -> Iterator[_Finding]:
    corrupt = clip.corrupt
    sides = ("the source", "the output")
    yield _Finding(
        "decode",
        _true(corrupt.any(axis=1)),
        corrupt.sum(axis=1).astype(np.float64),
        lambda i: "in " + " and ".join(side for side, bad in zip(sides, corrupt[i], strict=True) if bad),
    )
    counts, shots = clip.face_counts, clip.shot_of_frame
    usual, edited = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.bool_)
    for shot in np.unique(shots):
        usual[shots == shot] = np.bincount(counts[shots == shot, 0]).argmax()
    for face in clip.faces:
        edited[shots == shots[face.frames[0]]] = True
    yield _Finding(
        "no_face",
        ~edited,
        counts[:, 0].astype(np.float64),
        lambda i: f"shot {shots[i]}: nobody to edit ({_people(counts[i, 0])})",
    )
    odd = (counts[:, 0] != usual) | (counts[:, 0] != counts[:, 1])
    yield _Finding(
        "face_count",
        _true(odd & edited),
        (np.abs(counts[:, 0] - usual) + np.abs(counts[:, 0] - counts[:, 1])).astype(np.float64),
        lambda i: f"{_people(counts[i, 0])} in the source, {counts[i, 1]} in the output; usually {usual[i]}",
        least_frames=3,
    )


def _people(count: int) -> str:
    return "1 face" if count == 1 else f"{count} faces"


def _face_findings(face: FaceSeries) -> Iterator[_Finding]:
    missing = np.ones(len(face.frames))
    yield _Finding("face_lost_source", ~face.in_source, missing, lambda _: "not tracked; passed through")
    yield _Finding(
        "face_lost_output",
        face.in_source & ~face.in_output,
        np.nan_to_num(face.edit),
        lambda i: f"edit {np.nan_to_num(face.edit[i]):.2f}; the tracker finds no face there any more",
    )
    yield from _edit_findings(face)
    yield from _source_findings(face)


def _edit_findings(face: FaceSeries) -> Iterator[_Finding]:
    """What the edit did."""
    edit, residual = face.edit, face.residual
    yield _Finding(
        "residual",
        _true(residual > np.maximum(RESIDUAL_FLOOR, RESIDUAL_FRACTION * edit)),
        residual,
        lambda i: f"{residual[i]:.2f} left of {edit[i]:.2f} asked; most {_farthest(face, i)}",
        least_frames=3,
    )
    jump, pop = _jump(face), _popping(face)
    yield _Finding(
        "flicker",
        _true((jump > FLICKER_FLOOR) | (pop > 1)),
        np.fmax(jump / FLICKER_FLOOR, pop),
        lambda i: (
            f"landmarks jump {_shown(face.jitter[i, 1], 3)}, in the source {_shown(face.jitter[i, 0], 3)}; "
            f"pixels depart {_shown(face.pop[i, 0], 1)} of {_shown(face.pop[i, 1], 1)} levels"
        ),
    )
    ratio = face.sharpness[:, 1] / face.sharpness[:, 0]
    yield _Finding(
        "softer",
        _true((ratio < SOFTER_FRACTION) & (edit >= ASKED_FLOOR)),
        -ratio,
        lambda i: f"{ratio[i]:.0%} of the source's sharpness",
        least_frames=3,
    )


def _source_findings(face: FaceSeries) -> Iterator[_Finding]:
    """What in the source makes an edit doubtful."""
    yaw, pitch = face.yaw_degrees, face.pitch_degrees
    left = envelope(yaw, pitch, np.ones(len(yaw)))
    if face.units:
        yield _Finding(
            "pose",
            _true(left < POSE_LEFT),
            -left,
            lambda i: f"yaw {yaw[i]:.0f}°, pitch {pitch[i]:.0f}°: {left[i]:.0%} of the edit applied",
        )
    sharpness = face.sharpness[:, 0]
    usual = _quantile(sharpness, 0.9)
    yield _Finding(
        "blur",
        _true(sharpness < max(BLUR_FLOOR, BLUR_FRACTION * usual)),
        -sharpness,
        lambda i: f"sharpness {sharpness[i]:.2f}, in the shot {usual:.2f}",
        least_frames=2,
    )
    misfit, covered = face.misfit, face.covered
    turned = np.hypot(yaw - _quantile(yaw, 0.5), pitch - _quantile(pitch, 0.5))
    hidden = covered - COVERED_PER_DEGREE * turned
    torn = misfit > np.maximum(MISFIT_FLOOR, MISFIT_OVER_USUAL * _quantile(misfit, 0.5))
    yield _Finding(
        "occlusion",
        _true(torn | (face.confidence < CONFIDENCE_FLOOR) | (hidden > COVERED_FLOOR)),
        np.fmax(misfit / MISFIT_FLOOR, hidden / COVERED_FLOOR),
        lambda i: f"{covered[i]:.0%} of the face looks otherwise; mesh misfit {misfit[i]:.3f}",
        least_frames=2,
    )


def _shown(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "unknown"


def _jump(face: FaceSeries) -> Series:
    """(n,) second difference of the output's landmarks beyond what source and request explain; NaN: unknown."""
    allowed = FLICKER_OVER_SOURCE * maximum_filter1d(np.nan_to_num(face.jitter[:, 0]), 5)
    return np.asarray(face.jitter[:, 1] - allowed - FLICKER_PER_REQUEST * _request_jump(face), np.float64)


def _popping(face: FaceSeries) -> Series:
    """(n,) over 1 where a frame's edit departs from its neighbours' more than the request does; NaN: unknown."""
    departs, change = face.pop.T
    allowed = (POP_FRACTION + POP_PER_REQUEST * _request_jump(face)) * (change + 1)
    return np.asarray(departs / np.maximum(allowed, POP_LEVELS), np.float64)


def _request_jump(face: FaceSeries) -> Series:
    """(n,) l2 of v_rel's second difference, the highest of three frames."""
    out = np.zeros(len(face.frames))
    if face.units and len(out) > 2:
        out[1:-1] = np.linalg.norm(np.diff(np.nan_to_num(face.requested), 2, axis=0), axis=1)
    return np.asarray(maximum_filter1d(out, 3), np.float64)


def _farthest(face: FaceSeries, row: int) -> str:
    """The action unit that is farthest from what was asked: "AU12L (0.41)"."""
    off = np.abs(face.wanted[row] - face.measured[row])
    worst = int(np.argmax(np.nan_to_num(off)))
    return f"{face.units[worst]} ({off[worst]:.2f})"


def _true(comparison: Any) -> Mask:
    """A comparison with NaN is False."""
    return np.asarray(comparison, np.bool_)


def _quantile(values: Series, quantile: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, quantile)) if len(known) else 0.0


# Summing up


UNIT_FLOOR = 0.02
"""|v_rel| of an action unit from which it counts as asked for."""


def unit_summaries(faces: Sequence[FaceSeries]) -> tuple[UnitSummary, ...]:
    """How each action unit came out, over all faces and shots; the most asked first."""
    columns: dict[str, list[Series]] = {}
    for face in faces:
        for k, unit in enumerate(face.units):
            parts = [
                face.requested[:, k],
                face.measured[:, k] - face.own[:, k],
                face.wanted[:, k] - face.measured[:, k],
            ]
            table = np.stack(parts, axis=1)
            kept = np.isfinite(table).all(axis=1) & (np.abs(table[:, 0]) >= UNIT_FLOOR)
            columns.setdefault(unit, []).append(table[kept])
    out = []
    for unit, tables in columns.items():
        asked, change, left = np.concatenate(tables).T
        if len(asked):
            response = float((asked * change).sum() / (asked**2).sum())
            mean_asked, mean_left = float(np.abs(asked).mean()), float(np.abs(left).mean())
            out.append(UnitSummary(unit, round(mean_asked, 4), round(mean_left, 4), round(response, 3)))
    return tuple(sorted(out, key=lambda unit: -unit.asked))


def _worst_per_frame(clip: ClipSeries, of: Callable[[FaceSeries], Series]) -> tuple[float, ...]:
    """Per frame the highest of all faces, rounded; NaN where there is none."""
    out = np.full(len(clip.seconds), np.nan)
    for face in clip.faces:
        out[face.frames] = np.fmax(out[face.frames], of(face))
    return tuple(np.round(out, 4).tolist())


def measure_quality(item: QcInput, *, progress: Progress[Any] = no_progress) -> ClipQuality:
    """How a job came out. Tracks source and output once each; costs about as long as two analyses of the source.

    Never fails for what is wrong with the job or its files: that is what it is to report. `progress` sees two
    passes, "QC source" and Stage.QC_OUTPUT.
    """
    report = item.report or {}
    quality = ClipQuality(
        name=item.name,
        source=str(item.source),
        output=str(item.output or ""),
        state=item.state,
        error=item.error,
        stage_seconds=dict(item.seconds),
        frames=_count(report, "frames"),
        frames_edited=_count(report, "frames_edited"),
        notes=tuple(str(note) for note in report.get("notes") or ()),
    )
    if item.state == "failed":
        return _hopeless(quality, item, "failed", item.error)
    if item.output is None or not is_there(item.output):
        return _hopeless(quality, item, "no_output", "the output does not exist; run the job again")
    try:
        clip = _read(item, progress=progress)
        quality = replace(
            quality,
            frame_rate=clip.frame_rate,
            frames=len(clip.seconds),
            faces=len(clip.faces),
            seconds=tuple(np.round(clip.seconds, 4).tolist()),
            edit=_worst_per_frame(clip, lambda face: face.edit),
            residual=_worst_per_frame(clip, lambda face: face.residual),
            units=unit_summaries(clip.faces),
            flags=flags_of(clip),
            notes=quality.notes + _notes(clip, item),
        )
        return replace(quality, moments=_moments(item, clip, quality))
    except RetargetError as error:
        return _hopeless(quality, item, "unreadable", str(error))


def _count(report: Mapping[str, Any], key: str) -> int:
    value = report.get(key, 0)
    return value if isinstance(value, int) else 0


def _notes(clip: ClipSeries, item: QcInput) -> tuple[str, ...]:
    notes = []
    if not clip.has_request:
        notes.append(
            "the run's report is missing or damaged; what was asked is unknown, so nothing is compared with it"
        )
    planned = _count(item.report or {}, "frames")
    if planned and planned != len(clip.seconds):
        notes.append(
            f"{item.source} has {len(clip.seconds)} frames now and had {planned} in the run; run it again"
        )
    return tuple(notes)


def _hopeless(quality: ClipQuality, item: QcInput, reason: Reason, comment: str) -> ClipQuality:
    """A job of which there is nothing to measure; its source's first picture, if that can be had."""
    flag = Flag(reason, 0, 0, 0.0, 0.0, 0, comment)
    moments: tuple[Moment, ...] = ()
    with contextlib.suppress(RetargetError), _open_source(item) as source:
        first = next(iter(source), None)
        if first is not None:
            picture = proxy(first, source.info, FRAME_PICTURE_PX)
            moments = (Moment(0, 0.0, "source", b"", b"", _jpeg(picture, JPEG_QUALITIES[0]), b""),)
    return replace(quality, flags=(flag,), moments=moments)


# Pictures


MOMENTS = 5
FACE_PICTURE_PX = 176
FACE_PICTURE_MARGIN = 1.6
"""Side of the square around a face over the face's size."""
FRAME_PICTURE_PX = 256
PICTURES_MAX_BYTES = 180_000
"""Of all of a clip's pictures; 240 kB as base64."""
JPEG_QUALITIES = (82, 70, 55, 40, 25)

Rgb = NDArray[np.uint8]


def _moments(item: QcInput, clip: ClipSeries, quality: ClipQuality) -> tuple[Moment, ...]:
    """Pictures of the frames most worth seeing, read once more from both films."""
    assert item.output is not None, "checked by the caller"
    chosen = chosen_frames(quality)
    pictures: list[tuple[int, str, tuple[Rgb | None, ...]]] = []
    if not chosen:
        return ()
    with contextlib.ExitStack() as stack:
        readers = tuple(stack.enter_context(reader) for reader in _open_both(item, item.output))
        pairs = itertools.islice(zip(*readers, strict=False), max(chosen) + 1)
        for one, other in pairs:
            if one.index in chosen:
                place = _place_at(clip.faces, one.index)
                faces = [_face_picture(f, r.info, place) for f, r in zip((one, other), readers, strict=True)]
                wholes = [proxy(f, r.info, FRAME_PICTURE_PX) for f, r in zip((one, other), readers, strict=True)]
                pictures.append((one.index, chosen[one.index], (*faces, *wholes)))
    for jpeg_quality in JPEG_QUALITIES:
        moments = tuple(
            Moment(frame, quality.seconds[frame], caption, *(_jpeg(p, jpeg_quality) for p in shown))
            for frame, caption, shown in pictures
        )
        if sum(moment.byte_count for moment in moments) <= PICTURES_MAX_BYTES:
            break
    return moments


def chosen_frames(quality: ClipQuality) -> dict[int, str]:
    """Up to `MOMENTS` frames to show, each with why, in order of time.

    The worst moment of each reason first, the most urgent reasons before others, then the largest edit, then
    frames spread over the clip.
    """
    reasons = list(REASONS)
    longest = sorted(quality.flags, key=lambda flag: -flag.frame_count)
    first = {flag.reason: flag for flag in reversed(longest)}.values()
    urgent = [*sorted(first, key=lambda flag: reasons.index(flag.reason)), *longest]
    wishes = [(flag.worst_frame, REASONS[flag.reason].title) for flag in urgent]
    wishes = list(dict.fromkeys(wishes))[: MOMENTS - 2]
    edit = np.nan_to_num(np.array(quality.edit))
    if len(edit) and edit.max() > 0:
        wishes.append((int(edit.argmax()), "largest edit"))
    spread = np.linspace(0, quality.frames - 1, 2 * MOMENTS + 1)[1::2]
    wishes += [(round(frame), "") for frame in spread.tolist()]
    apart = quality.frames / (4 * MOMENTS)
    chosen: dict[int, str] = {}
    for frame, caption in wishes:
        if frame < quality.frames and all(abs(frame - other) >= apart for other in chosen):
            chosen[frame] = caption
    return dict(sorted(itertools.islice(chosen.items(), MOMENTS)))


def _place_at(faces: Sequence[FaceSeries], frame: int) -> Series | None:
    """Where the most edited face of a frame is: centre x, y and size in display pixels."""
    rows = [(face, frame - int(face.frames[0])) for face in faces if face.frames[0] <= frame <= face.frames[-1]]
    seen = [(face, row) for face, row in rows if face.in_source[row]]
    if not seen:
        return None
    face, row = max(seen, key=lambda item: (np.nan_to_num(item[0].edit[item[1]]), item[0].place[item[1], 2]))
    return np.asarray(face.place[row], np.float64)


def _face_picture(frame: Frame, info: VideoInfo, place: Series | None) -> Rgb | None:
    if place is None:
        return None
    x, y, size = place
    scale, half = FACE_PICTURE_PX / (FACE_PICTURE_MARGIN * size), FACE_PICTURE_PX / 2
    matrix = np.array([[scale, 0, half - scale * x], [0, scale, half - scale * y]], np.float64)
    return sample_rgb(
        frame, info.color, chain(matrix, info.display_from_coded), (FACE_PICTURE_PX, FACE_PICTURE_PX)
    )


def _jpeg(picture: Rgb | None, quality: int) -> bytes:
    if picture is None:
        return b""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()

"""Clips read for their faces, and drivers of every kind made of what is read."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..errors import DriverError, NoFaceError
from ..faces import (
    PROXY_PX,
    ClipAnalysis,
    FaceSelection,
    FaceTracker,
    TrackingCache,
    TrackOptions,
    detect_shots,
    whole_series,
)
from ..media import VideoReader, open_video, proxy
from ..options import RetargetOptions, is_named
from ..records import ExpressionSeries, Target, TrackedFrame
from ..smoothing import smooth
from ..stream import Clock, Progress, Stage, no_progress, prefetched
from .curves import load_curves
from .series import Driver, DriverOptions, SeriesDriver, neutral_of, read_series

DECODE_AHEAD_FRAMES = 4

CURVE_SUFFIXES = frozenset({".yaml", ".yml"})
CAPTURE_SUFFIXES = frozenset({".csv"})


def analyse_clip(
    stack: contextlib.ExitStack,
    reader: VideoReader,
    options: RetargetOptions,
    *,
    clock: Clock,
    progress: Progress[Any] = no_progress,
    label: str,
    cache: TrackingCache | None = None,
) -> tuple[ClipAnalysis, float]:
    """Every face of a clip, and the size of the largest one left out as too small (0: none).

    Nothing is tracked if `cache` has it.
    """
    analysis, how = stack.enter_context(ClipAnalysis()), TrackOptions(min_face_px=options.min_face_px)
    if cache is None:
        return analysis, _track(analysis, reader, how, clock=clock, progress=progress, label=label)
    with clock.running("cache"):
        key = cache.key(reader, how)
        found = cache.load(key, analysis)
    if found is None:
        found = _track(analysis, reader, how, clock=clock, progress=progress, label=label)
        if not reader.decode_failures:  # what a disk failed to give may come the next time
            with clock.running("cache"):
                cache.store(key, analysis, found)
    return analysis, found


def _track(
    analysis: ClipAnalysis,
    reader: VideoReader,
    how: TrackOptions,
    *,
    clock: Clock,
    progress: Progress[Any],
    label: str,
) -> float:
    """Fills `analysis`; returns the size of the largest face left out."""
    with FaceTracker(reader.info, how) as tracker:
        with contextlib.closing(tracked_frames(reader, tracker, clock=clock)) as tracked:
            for _ in progress(analysis.collect(tracked), label, reader.info.frame_count_from_header):
                pass
        return tracker.largest_rejected_px


def tracked_frames(
    reader: VideoReader, tracker: FaceTracker, *, clock: Clock
) -> Generator[TrackedFrame, None, None]:
    """decode -> shots -> track; decoding and cut detection run ahead in a thread, which closing this ends."""
    info = reader.info
    shots = detect_shots(clock.stage("decode", reader), lambda frame: proxy(frame, info, PROXY_PX))
    with contextlib.closing(prefetched(clock.stage("shots", shots), DECODE_AHEAD_FRAMES)) as ahead:
        yield from clock.stage("track", tracker.track(ahead))


def load_driver(
    path: str | Path,
    options: RetargetOptions | None = None,
    *,
    frame_rate: Fraction = Fraction(25),
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> Driver:
    """Any driver: AU curves (.yaml), a capture (.csv), or a clip or picture whose face is tracked.

    `frame_rate` is the source's: what frame numbers and timecodes in a curve file count at. What `cache` has is
    not tracked.

    Raises:
        RetargetError: the file cannot be used, or shows no face.
    """
    path, options, clock = Path(path), options or RetargetOptions(), clock or Clock()

    def load(file: Path, play: DriverOptions) -> Driver:
        if file.suffix.lower() in CAPTURE_SUFFIXES:
            capture = read_series(file, face=play.face)
            return _series_driver(file, capture.series, play, options, capture.notes, cache=cache)
        series = clip_series(file, options, face=play.face, clock=clock, progress=progress, cache=cache)
        return _series_driver(file, series, play, options, cache=cache)

    if path.suffix.lower() in CURVE_SUFFIXES:
        return load_curves(path, frame_rate=frame_rate, options=options.driver_options(), load_driver=load)
    return load(path, options.driver_options())


class FaceDrivers:
    """A driver for each face: the first for the first of the selected faces of a shot, and so on."""

    def __init__(self, drivers: Sequence[Driver]) -> None:
        self._drivers = tuple(drivers)

    @property
    def duration_seconds(self) -> float:
        """See `Driver`: of the one that lasts longest and ends; inf if none does."""
        ends = [driver.duration_seconds for driver in self._drivers]
        return max((end for end in ends if math.isfinite(end)), default=math.inf)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(note for driver in self._drivers for note in driver.notes))

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:
        """See `Driver`. A face beyond the last driver is asked nothing."""
        if face < len(self._drivers):
            return self._drivers[face].target(seconds, face)
        shape = (len(seconds), action_units.COUNT)
        return Target(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.bool_))


def files_of_driver(path: Path, *, frame_rate: Fraction) -> list[Path]:
    """Every file a driver is read from: itself and, for a curve file, the clips and captures it plays.

    `frame_rate` is the source's, as in `load_driver`.

    Raises:
        RetargetError: the curve file cannot be used.
    """
    files = [path]

    def note(file: Path, play: DriverOptions) -> Driver:  # noqa: ARG001 - called as a loader
        files.append(file)
        return FaceDrivers(())

    if path.suffix.lower() in CURVE_SUFFIXES:
        load_curves(path, frame_rate=frame_rate, load_driver=note)
    return files


def clip_series(
    path: Path,
    options: RetargetOptions,
    *,
    face: int = 0,
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> ExpressionSeries:
    """The expression over time of one face of a clip or picture.

    Raises:
        NoFaceError: no face, or not as many as asked for.
    """
    selection = options.driver_faces
    if selection.index != face:
        selection = FaceSelection(selection.order, face)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(open_video(path, sequence_rate=options.sequence_rate))
        analysis, rejected = analyse_clip(
            stack,
            reader,
            options,
            clock=clock or Clock(),
            progress=progress,
            label=Stage.DRIVER,
            cache=cache,
        )
        series = whole_series(analysis, selection)
        if series is None and analysis.tracks:
            raise NoFaceError(f"{path}: has no face {face} in the order {selection.order}; use a smaller number")
        if series is None:
            raise no_face(path, rejected, options)
        return series


def picture_expression(
    path: Path, options: RetargetOptions, *, cache: TrackingCache | None = None
) -> NDArray[np.float32]:
    """(C,) float32 expression of the face in a picture (of a clip: its mean), for a neutral."""
    series = clip_series(path, options, cache=cache)
    return np.asarray(series.values.mean(axis=0), np.float32)


def no_face(path: Path, rejected_px: float, options: RetargetOptions) -> NoFaceError:
    """The error for a clip without a usable face."""
    if rejected_px:
        return NoFaceError(
            f"{path}: the largest face is {rejected_px:.0f} px, too small to edit; allow it with --min-face "
            f"{math.floor(rejected_px)}"
        )
    hint = "check that a face is seen from the front at some moment"
    if options.trim_start or options.trim_end:
        hint = "look at another part of it with --trim-start and --trim-end"
    return NoFaceError(f"{path}: no face found in any frame; {hint}")


def _series_driver(
    path: Path,
    series: ExpressionSeries,
    play: DriverOptions,
    options: RetargetOptions,
    notes: tuple[str, ...] = (),
    *,
    cache: TrackingCache | None = None,
) -> SeriesDriver:
    """A measured series, smoothed, on the source's time."""
    values = smooth(series.values, series.seconds, window_seconds=options.smooth_seconds)
    filled = series.filled.copy()
    if not options.gaze:
        filled[list(action_units.GAZE)] = False
    steady = ExpressionSeries(series.seconds, np.clip(values, 0, 1).astype(np.float32), filled, series.confidence)
    neutral = options.driver_neutral
    try:
        resting = neutral_of(steady, play.neutral) if is_named(neutral) else None
    except DriverError as error:
        raise DriverError(f"{path}: {error}") from error
    if resting is None:
        resting = picture_expression(Path(str(neutral)), options, cache=cache)
    return SeriesDriver(steady, resting, options=play, notes=notes)

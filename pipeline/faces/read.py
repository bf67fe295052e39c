"""Clips read for their faces: decode -> shots -> track -> analysis."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import NoFaceError
from ..media import VideoReader, open_video, proxy
from ..records import ExpressionSeries, TrackedFrame
from ..stream import Clock, Progress, Stage, no_progress, prefetched
from .analysis import ClipAnalysis, whole_series
from .cache import TrackingCache
from .collect import Collector
from .options import TrackOptions
from .selection import FaceSelection
from .shots import PROXY_PX, detect_shots
from .track import FaceTracker

DECODE_AHEAD_FRAMES = 4


def read_faces(
    reader: VideoReader,
    options: TrackOptions | None = None,
    *,
    stage: Stage = Stage.TRACK,
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> ClipAnalysis:
    """Every face of a clip from beginning to end. Nothing is tracked if `cache` has it.

    Raises:
        RetargetError: the clip cannot be read.
    """
    options, clock = options or TrackOptions(), clock or Clock()
    if cache is None:
        return _track(reader, options, stage=stage, clock=clock, progress=progress)
    with clock.running("cache"):
        key = cache.key(reader, options)
        found = cache.load(key, reader.info)
    if found is None:
        found = _track(reader, options, stage=stage, clock=clock, progress=progress)
        if not reader.decode_failures:  # what a disk failed to give may come the next time
            with clock.running("cache"):
                cache.store(key, found)
    return found


def _track(
    reader: VideoReader, options: TrackOptions, *, stage: Stage, clock: Clock, progress: Progress[Any]
) -> ClipAnalysis:
    collector = Collector(reader.info)
    with FaceTracker(reader.info, options) as tracker:
        with contextlib.closing(tracked_frames(reader, tracker, clock=clock)) as tracked:
            for _ in progress(collector.collect(tracked), stage, reader.info.frame_count_from_header):
                pass
        return collector.analysis(tracker.largest_rejected_px)


def tracked_frames(
    reader: VideoReader, tracker: FaceTracker, *, clock: Clock
) -> Generator[TrackedFrame, None, None]:
    """decode -> shots -> track; decoding and cut detection run ahead in a thread, which closing this ends."""
    info = reader.info
    shots = detect_shots(clock.stage("decode", reader), lambda frame: proxy(frame, info, PROXY_PX))
    with contextlib.closing(prefetched(clock.stage("shots", shots), DECODE_AHEAD_FRAMES)) as ahead:
        yield from clock.stage("track", tracker.track(ahead))


def clip_series(
    path: Path,
    selection: FaceSelection,
    options: TrackOptions | None = None,
    *,
    sequence_rate: Fraction,
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> ExpressionSeries:
    """The expression over time of one face of a clip or picture. `sequence_rate`: frames a second of a sequence.

    Raises:
        NoFaceError: no face, or not as many as asked for.
        RetargetError: the clip cannot be read.
    """
    with open_video(path, sequence_rate=sequence_rate) as reader:
        analysis = read_faces(reader, options, stage=Stage.DRIVER, clock=clock, progress=progress, cache=cache)
    series = whole_series(analysis, selection)
    if series is None and analysis.tracks:
        raise NoFaceError(
            f"{path}: has no face {selection.index} in the order {selection.order}; use a smaller number"
        )
    if series is None:
        raise no_face(path, analysis.largest_rejected_px)
    return series


def no_face(path: Path, rejected_px: float, *, is_trimmed: bool = False) -> NoFaceError:
    """The error for a clip without a usable face.

    Args:
        rejected_px: size of the largest face that was too small, 0 if none.
        is_trimmed: only a part of the clip was looked at.
    """
    if rejected_px:
        return NoFaceError(
            f"{path}: the largest face is {rejected_px:.0f} px, too small to edit; allow it with --min-face "
            f"{math.floor(rejected_px)}"
        )
    hint = "check that a face is seen from the front at some moment"
    if is_trimmed:
        hint = "look at another part of it with --trim-start and --trim-end"
    return NoFaceError(f"{path}: no face found in any frame; {hint}")

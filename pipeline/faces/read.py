"""Clips read for their faces: decode -> shots -> track -> analysis."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model.face_chip import SAME_PERSON

from ..errors import NoFaceError
from ..media import VideoReader, open_video, proxy
from ..records import ExpressionSeries, Frame, TrackedFrame
from ..stream import Clock, Progress, Stage, no_progress, prefetched
from .analysis import ClipAnalysis, Person, whole_series
from .cache import TrackingCache
from .collect import Collector
from .options import Tracker, TrackOptions
from .persons import with_persons
from .portraits import Portraits
from .selection import FaceSelection
from .shots import PROXY_PX, detect_shots
from .track import FaceTracker

DECODE_AHEAD_FRAMES = 4

_LEAST_PICTURE_PX = 40
"""Of a face in a picture that a person is to be found by."""


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
    found = _read(reader, options, stage=stage, clock=clock, progress=progress, cache=cache)
    return replace(found, seen=reader.seen)


def _read(
    reader: VideoReader,
    options: TrackOptions,
    *,
    stage: Stage,
    clock: Clock,
    progress: Progress[Any],
    cache: TrackingCache | None,
) -> ClipAnalysis:
    if cache is None:
        return _track(reader, options, stage=stage, clock=clock, progress=progress)
    with clock.running("cache"):
        key = cache.key(reader, options)
        found = cache.load(key, reader.info)
    if found is None:
        found = _track(reader, options, stage=stage, clock=clock, progress=progress)
        # what a disk failed to give, or a transfer has not brought yet, may come the next time
        if not reader.decode_failures and reader.shortfall is None:
            with clock.running("cache"):
                cache.store(key, found)
    return found


def _track(
    reader: VideoReader, options: TrackOptions, *, stage: Stage, clock: Clock, progress: Progress[Any]
) -> ClipAnalysis:
    collector, portraits = Collector(reader.info), Portraits(reader.info)
    with FaceTracker(reader.info, options) as tracker:
        with contextlib.closing(tracked_frames(reader, tracker, clock=clock, watch=portraits.watch)) as tracked:
            expected = reader.info.frame_count_from_header * reader.info.pictures_per_frame
            seen = collector.collect(portraits.collect(tracked))
            for _ in progress(seen, stage, expected):
                pass
        found = collector.analysis(tracker.largest_rejected_px)
    with clock.running("who"):
        return with_persons(found, portraits.stretches())


def tracked_frames(
    reader: VideoReader,
    tracker: FaceTracker,
    *,
    clock: Clock,
    watch: Callable[[Iterable[tuple[Frame, int]]], Iterable[tuple[Frame, int]]] = iter,
) -> Generator[TrackedFrame, None, None]:
    """decode -> shots -> track; decoding and cut detection run ahead in a thread, which closing this ends.

    `watch` hands the frames on to the tracker.
    """
    info = reader.info
    shots = detect_shots(clock.stage("decode", reader), lambda frame: proxy(frame, info, PROXY_PX))
    found = clock.stage("shots", shots)
    with contextlib.closing(prefetched(found, DECODE_AHEAD_FRAMES, watch=reader.watch)) as ahead:
        yield from clock.stage("track", tracker.track(watch(ahead)))


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
    if not analysis.tracks:
        raise no_face(path, analysis.largest_rejected_px)
    tracker = (options or TrackOptions()).tracker
    series = whole_series(analysis, settled(selection, analysis, tracker))
    if series is None:
        raise NoFaceError(
            f"{path}: has no face {selection.index} in the order {selection.order}; use a smaller number"
        )
    return series


def settled(selection: FaceSelection, analysis: ClipAnalysis, tracker: Tracker = "own") -> FaceSelection:
    """The selection with the number of the person that it means, where it means one.

    `tracker`: what looks at its picture, if it has one.

    Raises:
        NoFaceError: the clip has no such person, or nobody who looks like the picture, or that shows no face.
        RetargetError: the picture cannot be read.
    """
    clip, persons = analysis.info.path, analysis.persons
    if selection.person is not None and selection.person > len(persons):
        raise NoFaceError(
            f"{clip}: has no person:{selection.person}; {len(persons)} are seen, and retarget faces lists them"
        )
    if selection.picture is None:
        return selection
    wanted = descriptor_of(selection.picture, tracker)
    distance, number = min(
        (float(np.linalg.norm(person.descriptor - wanted)), person.number) for person in persons
    )
    if distance > SAME_PERSON:
        raise NoFaceError(
            f"{clip}: nobody looks like {selection.picture}; the nearest is person:{number} at a distance of "
            f"{distance:.2f}, where {SAME_PERSON:g} is the limit; use person:{number} or another picture"
        )
    return FaceSelection(person=number)


def descriptor_of(picture: Path, tracker: Tracker = "own") -> NDArray[np.float32]:
    """(128,) of the largest face of a picture, see `retarget.model.face_descriptor`; remembered for the next call.

    Raises:
        NoFaceError: it shows none.
        RetargetError: it cannot be read.
    """
    stat = picture.stat() if picture.is_file() else None
    return _described(picture, tracker, stat and (stat.st_mtime_ns, stat.st_size))


@functools.lru_cache(maxsize=64)
def _described(
    picture: Path,
    tracker: Tracker,
    version: tuple[int, int] | None,  # noqa: ARG001 - of the key
) -> NDArray[np.float32]:
    with open_video(picture) as reader:
        seen = _track(
            reader,
            TrackOptions(min_face_px=_LEAST_PICTURE_PX, tracker=tracker),
            stage=Stage.TRACK,
            clock=Clock(),
            progress=no_progress,
        )
    if not seen.tracks:
        raise NoFaceError(f"{picture}: shows no face to look for; use a picture of the person from the front")
    (track, _), *_ = seen.select(FaceSelection())
    return Person(1, (track,)).descriptor


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

"""A finished job's source and output, read in step: frame i of one belongs to frame i of the other."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RetargetError
from ..faces import DECODE_AHEAD_FRAMES, ClipAnalysis, Collector, FaceTracker, read_faces
from ..media import VideoReader, open_video
from ..records import Frame, TrackedFrame
from ..stream import Progress, Stage, prefetched
from .judges import FaceJudge
from .look import LookSeries, look_at
from .palette import PersonColors
from .quality import QcInput
from .requested import PlannedFace, planned_faces, requests_of
from .series import ClipSeries
from .tracked_again import face_series


def read_both(item: QcInput, *, progress: Progress[Any]) -> ClipSeries:
    """Both films of a job whose output exists, read and tracked.

    Reads the source twice and the output once. `progress` sees `Stage.QC_SOURCE` and `Stage.QC_OUTPUT`.

    Raises:
        RetargetError: one of them cannot be read, or they have not the same size.
    """
    assert item.output is not None, "checked by the caller"
    requests = requests_of(item.report)
    with contextlib.ExitStack() as stack:
        source, output = (stack.enter_context(reader) for reader in open_both(item, item.output))
        how = item.options.track_options()
        before = read_faces(source, how, stage=Stage.QC_SOURCE, progress=progress)
        planned = planned_faces(before, requests)
        pairs = SideBySide(source, output, before, planned)
        collector = Collector(output.info)
        tracker = stack.enter_context(FaceTracker(output.info, how))
        with contextlib.closing(prefetched(pairs, DECODE_AHEAD_FRAMES)) as frames:
            tracked = collector.collect(tracker.track(frames))
            for found in progress(tracked, Stage.QC_OUTPUT, before.frame_count):
                pairs.find(found)
        after = collector.analysis()
        smooth_seconds = item.options.smooth_seconds
        return ClipSeries(
            seconds=before.seconds,
            faces=[
                face_series(plan, before, after, looks, judge.pictures(), smooth_seconds=smooth_seconds)
                for plan, looks, judge in zip(planned, pairs.looks, pairs.judges, strict=True)
            ],
            face_counts=np.stack([_face_counts(a, before.frame_count) for a in (before, after)], axis=1),
            shot_of_frame=pairs.shot_of_frame,
            corrupt=pairs.corrupt,
            output_frames=pairs.output_frames,
            frame_rate=source.info.frame_rate,
            shortfall=str(source.shortfall or ""),
            pictures_per_frame=source.info.pictures_per_frame,
            has_request=requests is not None,
        )


def open_both(item: QcInput, output: Path) -> tuple[VideoReader, VideoReader]:
    """Source, trimmed as it was for the run, and output; the caller closes them.

    Raises:
        RetargetError: one of them cannot be opened, or they have not the same size.
    """
    source = open_source(item)
    how = source.info.field_order  # not every output says its own
    made = open_video(output, sequence_rate=item.options.sequence_rate, field_order=how)
    sizes = [(r.info.display_width, r.info.display_height) for r in (source, made)]
    even = [size + size % 2 for size in sizes[0]]
    if sizes[1] not in (sizes[0], tuple(even)):  # a picture's sides are made even for players
        raise RetargetError(
            f"{output}: is {sizes[1][0]}x{sizes[1][1]}, its source {sizes[0][0]}x{sizes[0][1]}; run the job again"
        )
    return source, made


def open_source(item: QcInput) -> VideoReader:
    """The source, trimmed as it was for the run; a still as long as it was shown."""
    options, rate = item.options, item.options.sequence_rate
    reader = open_video(item.source, trim_start=options.trim_start, trim_end=options.trim_end, sequence_rate=rate)
    frames = item.report.frames if item.report is not None else 1
    if not reader.info.is_still or frames <= 1:
        return reader
    return open_video(item.source, still_seconds=float(frames / rate), still_rate=rate)


def _face_counts(analysis: ClipAnalysis, frame_count: int) -> NDArray[np.int64]:
    """(n,) faces tracked in each frame."""
    counts = np.zeros(frame_count, np.int64)
    for track in analysis.tracks:
        np.add.at(counts, track.frames, 1)
    return counts


class SideBySide:
    """Source and output read in step; iterating gives the output's frames with the source's shots.

    Holds one frame of each, and of every planned face what `LookSeries` and `FaceJudge` hold.
    """

    def __init__(
        self, source: VideoReader, output: VideoReader, before: ClipAnalysis, planned: Sequence[PlannedFace]
    ) -> None:
        self._readers = source, output
        self._before = before
        self._rows: dict[int, list[tuple[PlannedFace, LookSeries, FaceJudge, int]]] = {}
        self.looks = [LookSeries(plan.track.frames) for plan in planned]
        """One for each planned face, complete when all frames have been read."""
        self.judges = list(_judges(planned))
        """One for each planned face; each frame's has to be found (`find`) after it was given."""
        for plan, looks, judge in zip(planned, self.looks, self.judges, strict=True):
            for at, frame in enumerate(plan.track.frames.tolist()):
                self._rows.setdefault(frame, []).append((plan, looks, judge, at))
        self.shot_of_frame = np.zeros(before.frame_count, np.int64)
        for shot in before.shots:
            self.shot_of_frame[shot.first_frame : shot.last_frame + 1] = shot.number
        self.corrupt = np.zeros((before.frame_count, 2), np.bool_)
        """(n, 2) source, output, so far as they have been read."""
        self.output_frames = 0

    def __iter__(self) -> Iterator[tuple[Frame, int]]:
        source, output = (reader.info for reader in self._readers)
        for index, (one, other) in enumerate(itertools.zip_longest(*self._readers)):
            self.output_frames += other is not None
            if one is None or index >= len(self.corrupt):
                continue
            self.corrupt[index] = one.is_corrupt, other is not None and other.is_corrupt
            if other is None:
                continue
            for plan, looks, judge, at in self._rows.get(index, ()):
                placed = plan.track.alignments[at]
                looks.add(at, look_at(one, source, placed), look_at(other, output, placed))
                judge.see(at, (one, source), (other, output), self._before.landmarks(plan.track, at))
            yield other, int(self.shot_of_frame[index])

    def find(self, tracked: TrackedFrame) -> None:
        """What was tracked in a frame of the output that was given."""
        for _, _, judge, at in self._rows.get(tracked.index, ()):
            judge.find(at, tracked.faces)


def _judges(planned: Sequence[PlannedFace]) -> Iterator[FaceJudge]:
    """One for each face; those of a person know all of the person's colours."""
    people: dict[int, PersonColors] = {}
    for number, plan in enumerate(planned):
        person = plan.track.person
        colors = people.setdefault(person, PersonColors()) if person else PersonColors()
        yield FaceJudge(plan.track, colors, number)

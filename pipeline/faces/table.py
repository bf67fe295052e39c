"""`retarget track`: the action units of every face of a clip, as a CSV that other tools and this one read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from retarget.model import action_units

from ..drivers import TrackingRow, analyse_clip, no_face, write_tracking_csv
from ..files import check_output, check_suffix
from ..media import open_video
from ..options import RetargetOptions
from ..records import Report
from ..stream import Clock, Progress, Stage, no_progress
from .analysis import ClipAnalysis, FaceSelection


def track_video(
    clip: str | Path,
    output: str | Path,
    options: RetargetOptions | None = None,
    *,
    progress: Progress[Any] = no_progress,
) -> Report:
    """Writes one row a face and frame: OpenFace's columns, then the full schema. Returns what was found.

    `face_id` is the face's place by size in its shot, 0 the largest, so that face 0 of the file is the face a
    driver clip is driven by. Frames without a face have a row with success 0.

    Raises:
        RetargetError: the clip cannot be read or shows no face, or the CSV cannot be written.
    """
    clip, output, options = Path(clip), Path(output), options or RetargetOptions()
    check_suffix(output, (".csv",), "a tracking table")
    check_output(output, inputs={clip: "the clip itself"}, overwrite=options.overwrite)
    clock = Clock()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(
            open_video(
                clip,
                trim_start=options.trim_start,
                trim_end=options.trim_end,
                sequence_rate=options.sequence_rate,
            )
        )
        analysis, rejected = analyse_clip(
            stack, reader, options, clock=clock, progress=progress, label=Stage.TRACK
        )
        if not analysis.tracks:
            raise no_face(clip, rejected, options)
        write_tracking_csv(output, _rows(analysis))
        return Report(
            frames=analysis.frame_count,
            frames_without_face=analysis.frames_without_face,
            decode_failures=reader.decode_failures,
            shots=len(analysis.shots),
            faces=len(analysis.tracks),
            seconds=clock.seconds(),
            details={"source": str(clip), "output": str(output)},
        )


def _rows(analysis: ClipAnalysis) -> Iterator[TrackingRow]:
    """Rows by frame, then by face."""
    seen: dict[int, list[TrackingRow]] = {}
    for track, place in analysis.select(FaceSelection("large-small", None)):
        for i, frame in enumerate(track.frames):
            row = TrackingRow(
                frame=int(frame) + 1,
                face_id=place,
                seconds=float(track.seconds[i]),
                confidence=float(track.confidence[i]),
                success=True,
                values=track.action_units[i],
            )
            seen.setdefault(int(frame), []).append(row)
    nothing = np.zeros(action_units.COUNT, np.float32)
    for index, seconds in enumerate(analysis.seconds):
        missing = TrackingRow(index + 1, 0, float(seconds), 0.0, False, nothing)
        yield from seen.get(index, [missing])

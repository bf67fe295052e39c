"""How well a finished clip came out: measured on the output itself, and summed up.

The output is tracked again, with the source's shots, and compared frame by frame with the source and with what
the run asked for. What is found is a `ClipQuality`: curves, a summary per action unit, flags as frame ranges,
and a few pictures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import RetargetError
from ..files import is_there
from ..report import Report
from ..stream import Progress, no_progress
from .flags import flags_of
from .picture_summary import picture_summary
from .pictures import pictures_of, source_picture
from .quality import ClipQuality, Flag, Moment, QcInput, Reason, UnitSummary
from .series import ClipSeries, FaceSeries, Series
from .side_by_side import read_both

UNIT_FLOOR = 0.02
"""|v_rel| of an action unit from which it counts as asked for."""


def measure_quality(item: QcInput, *, progress: Progress[Any] = no_progress) -> ClipQuality:
    """How a job came out. Tracks source and output once each; takes about as long as two analyses of the source.

    Never fails for what is wrong with the job or its files, which is what it reports: a job that failed, or whose
    films cannot be read, has one red flag that says so and `ClipQuality.score` 100.

    Args:
        item: the job, its files and its run's report. The films are read as `item.options` say: trimmed likewise,
            and without faces smaller than `min_face_px`.
        progress: sees the stages `Stage.QC_SOURCE` and `Stage.QC_OUTPUT`.

    Returns:
        Curves per frame, a summary per action unit, flags as ranges of frames of the output, and up to five
        moments as JPEGs, together at most 180 kB.
    """
    report = item.report or Report()
    quality = ClipQuality(
        name=item.name,
        source=str(item.source),
        output=str(item.output or ""),
        state=item.state,
        error=item.error,
        stage_seconds=dict(item.seconds),
        frames=report.frames,
        frames_edited=report.frames_edited,
        notes=report.notes,
        pictures=None,
    )
    if item.state == "failed":
        return _hopeless(quality, item, "failed", item.error)
    if item.output is None or not is_there(item.output):
        return _hopeless(quality, item, "no_output", "the output does not exist; run the job again")
    try:
        clip = read_both(item, progress=progress)
        quality = replace(
            quality,
            frame_rate=clip.frame_rate,
            frames=len(clip.seconds),
            faces=len(clip.faces),
            seconds=tuple(np.round(clip.seconds, 4).tolist()),
            edit=_worst_per_frame(clip, lambda face: face.edit),
            residual=_worst_per_frame(clip, lambda face: face.residual),
            units=unit_summaries(clip.faces),
            pictures=picture_summary(clip.faces),
            flags=flags_of(clip),
            notes=quality.notes + _notes(clip, item),
        )
        return _in_frames(replace(quality, moments=pictures_of(item, clip, quality)), clip.pictures_per_frame)
    except RetargetError as error:
        return _hopeless(quality, item, "unreadable", str(error))


def _in_frames(quality: ClipQuality, per_frame: int) -> ClipQuality:
    """What was measured on `per_frame` pictures a frame (fields), told in frames."""
    if per_frame == 1:
        return quality
    flags = (
        replace(
            flag,
            first_frame=flag.first_frame // per_frame,
            last_frame=flag.last_frame // per_frame,
            worst_frame=flag.worst_frame // per_frame,
        )
        for flag in quality.flags
    )
    pictures = quality.pictures
    if pictures is not None:
        pictures = replace(pictures, never_seen_frame=pictures.never_seen_frame // per_frame)
    return replace(
        quality,
        frames=quality.frames // per_frame,
        seconds=quality.seconds[::per_frame],
        edit=quality.edit[::per_frame],
        residual=quality.residual[::per_frame],
        pictures=pictures,
        flags=tuple(flags),
        moments=tuple(replace(moment, frame=moment.frame // per_frame) for moment in quality.moments),
    )


def _notes(clip: ClipSeries, item: QcInput) -> tuple[str, ...]:
    notes = []
    if not clip.has_request:
        notes.append(
            "the run's report is missing or damaged; what was asked is unknown, so nothing is compared with it"
        )
    planned = item.report.frames if item.report is not None else 0
    frames = len(clip.seconds) // clip.pictures_per_frame
    if planned and planned != frames:
        notes.append(f"{item.source} has {frames} frames now and had {planned} in the run; run it again")
    return tuple(notes)


def _hopeless(quality: ClipQuality, item: QcInput, reason: Reason, comment: str) -> ClipQuality:
    """A job that cannot be measured; with its source's first picture, if there is one."""
    flag = Flag(reason, 0, 0, 0.0, 0.0, 0, comment)
    moments: tuple[Moment, ...] = ()
    with contextlib.suppress(RetargetError):
        moments = source_picture(item)
    return replace(quality, flags=(flag,), moments=moments)


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
    """Per frame the highest of all faces, rounded; NaN without a face."""
    out = np.full(len(clip.seconds), np.nan)
    for face in clip.faces:
        out[face.frames] = np.fmax(out[face.frames], of(face))
    return tuple(np.round(out, 4).tolist())

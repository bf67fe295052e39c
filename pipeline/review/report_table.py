"""The QC report of a batch as a table: `report.csv`.

One row a clip (`kind` is clip), worst first, each followed by a row a flagged range (flag):

    kind, name, source, output, state, error, score    the same in a clip's rows
    frames, frames_edited, faces                       clip: how many
    mean_edit, mean_residual                           clip: l2 of what was asked, and of what is left of it
    elapsed_seconds                                    clip: of the run, where it says
    reason, color, face                                flag: see `quality.REASONS`; face by position, or empty
    first_frame, last_frame, frame_count, worst_frame  flag: indices in the output, from 0, both inclusive
    in_seconds, out_seconds, in_timecode               flag: from the first frame; out is when the next frame comes
    comment                                            flag: what was measured

A cell that does not apply, or was not measured, is empty. Text that a spreadsheet would take for a formula has an
apostrophe before it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from ..files import safe_cell
from .quality import ClipQuality, Flag

COLUMNS = (
    "kind", "name", "source", "output", "state", "error", "score", "frames", "frames_edited", "faces", "mean_edit",
    "mean_residual", "elapsed_seconds", "reason", "color", "face", "first_frame", "last_frame", "frame_count",
    "worst_frame", "in_seconds", "out_seconds", "in_timecode", "comment",
)  # fmt: skip


def table_of(results: Sequence[ClipQuality]) -> str:
    """The CSV of clips in that order."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for quality in results:
        common = {
            "name": safe_cell(quality.name),
            "source": safe_cell(quality.source),
            "output": safe_cell(quality.output),
            "state": quality.state,
            "error": safe_cell(quality.error),
            "score": quality.score,
        }
        writer.writerow({"kind": "clip", **common, **_clip_cells(quality)})
        writer.writerows({"kind": "flag", **common, **_flag_cells(quality, flag)} for flag in quality.flags)
    return out.getvalue()


def _clip_cells(quality: ClipQuality) -> dict[str, object]:
    return {
        "frames": quality.frames,
        "frames_edited": quality.frames_edited,
        "faces": quality.faces,
        "mean_edit": _number(quality.mean_edit, 4),
        "mean_residual": _number(quality.mean_residual, 4),
        "elapsed_seconds": quality.stage_seconds.get("elapsed", ""),
    }


def _flag_cells(quality: ClipQuality, flag: Flag) -> dict[str, object]:
    return {
        "reason": flag.reason,
        "color": flag.color,
        "face": "" if flag.face is None else flag.face,
        "first_frame": flag.first_frame,
        "last_frame": flag.last_frame,
        "frame_count": flag.frame_count,
        "worst_frame": flag.worst_frame,
        "in_seconds": flag.in_seconds,
        "out_seconds": flag.out_seconds,
        "in_timecode": quality.timecode(flag.first_frame),
        "comment": safe_cell(flag.comment),
    }


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else ""

"""What a run did, gathered and written down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from .edit import FacePlan
from .faces import ClipAnalysis
from .files import write_whole
from .media import VideoReader
from .records import Report


def write_report(report: Report, path: str | Path) -> None:
    """The report as JSON, under its name when whole.

    Raises:
        VideoWriteError: the file cannot be written.
    """
    data = (json.dumps(report.as_json(), indent=1) + "\n").encode()
    write_whole(Path(path), data, failure="the report cannot be written")


def faded_frames(plans: Sequence[FacePlan]) -> int:
    """Frames in which some face's edit was held back by pose, confidence or appearance."""
    faded = {int(f) for plan in plans for f in plan.track.frames[plan.allowed < 0.99]}
    return len(faded)


def notes_on(reader: VideoReader, analysis: ClipAnalysis) -> list[str]:
    """What the user should know about the source, one line each."""
    notes = []
    if analysis.frames_without_face:
        notes.append(
            f"{analysis.frames_without_face} of {analysis.frame_count} frames show no usable face; passed through"
        )
    if reader.decode_failures:
        notes.append(f"{reader.decode_failures} pictures could not be decoded whole; their place in time is kept")
    return notes


def plan_details(plan: FacePlan) -> dict[str, Any]:
    """A face's curves, for `retarget curves`: only action units that were asked to move."""
    moved = np.flatnonzero(np.abs(plan.delta_au).max(axis=0) >= 1e-3)
    return {
        "shot": plan.track.shot,
        "face": plan.position,
        "size_px": round(float(np.median(plan.track.size_px)), 1),
        "seconds": np.round(plan.track.seconds, 4).tolist(),
        "allowed": np.round(plan.allowed, 3).tolist(),
        "own": _columns(plan.own, moved),
        "v_rel": _columns(plan.delta_au, moved),
    }


def _columns(values: NDArray[np.float32], which: NDArray[np.intp]) -> dict[str, list[float]]:
    return {action_units.NAMES[i]: np.round(values[:, i].astype(float), 4).tolist() for i in which}

"""What a run did, gathered and written down."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from .analysis import ClipAnalysis
from .errors import VideoWriteError
from .plan import FacePlan
from .records import Report
from .video import VideoReader


def check_report(path: Path, others: Sequence[Path], *, overwrite: bool) -> None:
    """Refuses a report that cannot be, before any work. `others` are what the job reads, and its output.

    Raises:
        VideoWriteError: the file exists (without `overwrite`), is one of `others`, or has no folder.
    """
    if path.is_dir():
        raise VideoWriteError(f"{path}: is a folder; give the report a file name in it")
    if not path.parent.is_dir():
        raise VideoWriteError(f"{path}: the folder {path.parent} does not exist; make it first")
    if any(is_same_file(path, other) for other in others):
        raise VideoWriteError(f"{path}: is another file of this job; write the report to another name")
    if not overwrite and (path.exists() or path.is_symlink()):
        raise VideoWriteError(f"{path}: exists already; name another file or use --overwrite")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise VideoWriteError(f"{path}: the folder {path.parent} is not writable; check its permissions")


def is_same_file(one: Path, other: Path) -> bool:
    """Whether both names lead to one file, or would if it were there."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def write_report(report: Report, path: str | Path) -> None:
    """The report as JSON, under its name when whole.

    Raises:
        VideoWriteError: the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise VideoWriteError(f"{path}: the report cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)


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

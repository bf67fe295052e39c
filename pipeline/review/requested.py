"""What a run asked of each face, as its report says, and which face of the source that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..edit import Fade
from ..faces import ClipAnalysis, FaceSelection, FaceTrack
from ..report import FaceReport, Report
from .series import Mask, Series


@dataclass(frozen=True, eq=False)
class Request:
    """One face of a run's report, at n moments."""

    shot: int
    face: int
    """Position among the edited faces of the shot."""
    size_px: float
    """Median of the longer side of its landmarks' box, in display pixels."""
    seconds: Series
    """(n,) from the clip's first frame, rounded to a tenth of a millisecond."""
    units: tuple[str, ...]
    """Names of the k action units that were asked to move."""
    own: Series
    """(n, k) absolute, of the source."""
    v_rel: Series
    """(n, k) what was to be added."""
    fades: tuple[Fade, ...] = ()
    """Where and why the run did less than was asked."""

    @classmethod
    def of(cls, face: FaceReport) -> Request:
        """What the report says, in arrays."""
        units = tuple(face.v_rel)

        def table(columns: Mapping[str, Sequence[float]]) -> Series:
            rows = np.array([columns[unit] for unit in units], np.float64)
            return rows.reshape(len(units), len(face.seconds)).T

        seconds = np.array(face.seconds, np.float64)
        own, v_rel = table(face.own), table(face.v_rel)
        return cls(face.shot, face.face, face.size_px, seconds, units, own, v_rel, face.fades)


def requests_of(report: Report | None) -> list[Request] | None:
    """What the run asked of each face; None where the report is lost, or has no face."""
    return [Request.of(face) for face in report.curves] or None if report is not None else None


@dataclass(frozen=True, eq=False)
class PlannedFace:
    """A face of the source that the run was to edit."""

    track: FaceTrack
    """Of the source."""
    face: int
    """Position among the edited faces of the shot."""
    request: Request | None
    """None: the run's report is lost."""


def planned_faces(analysis: ClipAnalysis, requests: Sequence[Request] | None) -> list[PlannedFace]:
    """The tracks that a report is about; without one, the largest face of each shot."""
    if requests is None:
        return [PlannedFace(track, place, None) for track, place in analysis.select(FaceSelection())]
    planned: list[PlannedFace] = []
    for request in requests:
        taken = {id(p.track) for p in planned}
        free = [t for t in analysis.tracks if t.shot == request.shot and id(t) not in taken]
        if free:
            track = min(free, key=lambda track: _difference(track, request))
            planned.append(PlannedFace(track, request.face, request))
    return planned


def _difference(track: FaceTrack, request: Request) -> float:
    """How unlike a track is to the one a report speaks of: 0 when tracked again by the same version."""
    at, there = rows_at(track.seconds, request.seconds)
    size = abs(math.log(max(float(np.median(track.size_px)), 1) / max(request.size_px, 1)))
    columns = [action_units.NAMES.index(unit) for unit in request.units]
    own = np.abs(track.action_units[at][:, columns] - request.own)[there]
    return float(1 - there.mean()) + size + (float(own.mean()) if own.size else 0.0)


def rows_at(seconds: Series, wanted: Series) -> tuple[NDArray[np.intp], Mask]:
    """For each wanted moment the nearest index of `seconds`, and whether that is the same moment."""
    right = np.clip(np.searchsorted(seconds, wanted), 1, max(len(seconds) - 1, 1))
    if len(seconds) == 1:
        right = np.zeros_like(right)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(seconds[left] - wanted) <= np.abs(seconds[right] - wanted), left, right)
    # A report's times are rounded.
    return nearest, np.asarray(np.abs(seconds[nearest] - wanted) < 1e-3, np.bool_)

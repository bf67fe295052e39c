"""What became of an edited face: its track in the source, found again among those of the output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..faces import ClipAnalysis, FaceTrack, head_pose
from ..smoothing import smooth
from .judges import Pictures
from .look import LookSeries
from .requested import PlannedFace, rows_at
from .series import FaceSeries, Series

_Place = tuple[FaceTrack, int]
"""A track and a moment in it."""


def face_series(
    plan: PlannedFace,
    before: ClipAnalysis,
    after: ClipAnalysis,
    looks: LookSeries,
    pictures: Pictures,
    *,
    smooth_seconds: float,
) -> FaceSeries:
    """The face over every frame of its shot.

    Args:
        before: the source's analysis, to which `plan.track` belongs. after: the output's, with the same shots.
        looks, pictures: the face in both films, at the track's moments.
        smooth_seconds: over which the run smoothed what it measured.
    """
    shot = next(shot for shot in before.shots if shot.number == plan.track.shot)
    frames = np.arange(shot.first_frame, shot.last_frame + 1)
    track, rows = plan.track, plan.track.frames - shot.first_frame
    found = _found_again(track, after.tracks)

    def over_shot(values: NDArray[Any]) -> Series:
        """From the track's moments (n) to the shot's frames."""
        out = np.full((len(frames), *values.shape[1:]), np.nan)
        out[rows] = values
        return out

    own, requested, units = _request_at(plan)
    source_shapes = _shapes(before, track.frames, [(track, i) for i in range(len(rows))])
    output_shapes = _shapes(after, track.frames, found)
    return FaceSeries(
        face=plan.face,
        frames=frames,
        seconds=before.seconds[frames],
        units=units,
        requested=over_shot(requested),
        own=over_shot(own),
        measured=over_shot(_measured(track, found, units, smooth_seconds)),
        yaw_degrees=over_shot(track.yaw_degrees),
        pitch_degrees=over_shot(track.pitch_degrees),
        roll_radians=over_shot(track.alignments[:, 3]),
        confidence=over_shot(track.confidence),
        output_confidence=over_shot(np.array([np.nan if m is None else m[0].confidence[m[1]] for m in found])),
        jitter=over_shot(np.stack([source_shapes[:, 0], output_shapes[:, 0]], axis=1)),
        misfit=over_shot(source_shapes[:, 1]),
        covered=over_shot(looks.covered),
        sharpness=over_shot(looks.sharpness),
        pop=over_shot(looks.pop),
        never_seen=over_shot(pictures.never_seen),
        boiling=over_shot(pictures.boiling),
        detail=over_shot(pictures.detail),
        new_edges=over_shot(pictures.new_edges),
        place=over_shot(np.c_[track.centers, track.size_px]),
        fades=plan.request.fades if plan.request is not None else (),
    )


def _found_again(track: FaceTrack, candidates: Sequence[FaceTrack]) -> list[_Place | None]:
    """For each moment of a track, where the same face is in the other film: the nearest, within half its size."""
    nearest: list[_Place | None] = [None] * len(track.frames)
    best = 0.5 * track.size_px
    for other in candidates:
        _, here, there = np.intersect1d(track.frames, other.frames, return_indices=True)
        distance = np.linalg.norm(track.centers[here] - other.centers[there], axis=1)
        for i in np.flatnonzero(distance < best[here]).tolist():
            nearest[here[i]], best[here[i]] = (other, int(there[i])), distance[i]
    return nearest


def _request_at(plan: PlannedFace) -> tuple[Series, Series, tuple[str, ...]]:
    """own and v_rel (n, k) at the track's moments, and the k names."""
    request = plan.request
    if request is None:
        nothing = np.zeros((len(plan.track.frames), 0))
        return nothing, nothing, ()
    at, there = rows_at(request.seconds, plan.track.seconds)
    own, v_rel = (np.where(there[:, None], values[at], np.nan) for values in (request.own, request.v_rel))
    return own, v_rel, request.units


def _measured(
    track: FaceTrack, found: Sequence[_Place | None], units: Sequence[str], smooth_seconds: float
) -> Series:
    """(n, k) action units in the output at the track's moments, smoothed; NaN where the face is not there."""
    out = np.full((len(found), len(units)), np.nan)
    seen = [i for i, place in enumerate(found) if place is not None]
    if seen and units:
        columns = [action_units.NAMES.index(unit) for unit in units]
        raw = np.stack([place[0].action_units[place[1]][columns] for place in found if place is not None])
        out[seen] = smooth(raw, track.seconds[seen], window_seconds=smooth_seconds)
    return out


def _shapes(analysis: ClipAnalysis, frames: NDArray[np.int64], places: Sequence[_Place | None]) -> Series:
    """(n, 2) of each moment: RMS second difference of the canonical landmarks, and the mesh's misfit.

    NaN where there is no face, or for the first where a neighbour is missing.
    """
    out = np.full((len(frames), 2), np.nan)
    shapes: dict[int, Series] = {}  # of the last three frames
    for i, (place, frame) in enumerate(zip(places, frames.tolist(), strict=True)):
        if place is not None:
            landmarks = analysis.landmarks(*place)
            pose = head_pose(landmarks)
            out[i, 1] = pose.residual
            shapes[frame] = pose.canonical(landmarks)[:468, :2]  # irises look about
        shapes = {f: shape for f, shape in shapes.items() if f > frame - 3}
        if len(shapes) == 3:
            second = shapes[frame - 2] - 2 * shapes[frame - 1] + shapes[frame]
            out[i - 1, 0] = np.sqrt((second**2).sum(axis=1).mean())
    return out

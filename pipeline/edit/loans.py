"""What is borrowed from which other frame of the person, over every planned face: chosen before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..faces import ClipAnalysis, FaceTrack, apply, crop_matrix, head_pose
from .choice import PLATE, Chosen, Wanted, candidates, choose
from .looks import looks_of
from .parts import PARTS, Part
from .plan import FacePlan, Plans
from .records import FaceRequest, FillRequest
from .references import Key, References, Sighting
from .render import Renderer
from .schedule import EditSchedule, Fills, Steadied

DISSOLVE_SECONDS = 0.16
"""Over which one reference goes over into another, or into the plate."""

LEAST_SHARE = 0.02
"""Less of a piece than that is not worth it."""


@dataclass(frozen=True)
class Loan:
    """A part of a face at one moment, from another."""

    part: Part
    key: Key
    shares: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Loans:
    """All of a clip."""

    by_moment: Mapping[tuple[int, int, int], Sequence[Loan]]
    """By shot, face and moment of the track."""
    sightings: Mapping[int, Sequence[Sighting]]
    """What to read, by index of the frame."""

    def requests(self, references: References) -> Fills:
        """What the schedule asks for at a moment of a plan."""

        def fills(plan: FacePlan, i: int) -> Sequence[FillRequest]:
            loans = self.by_moment.get((plan.track.shot, plan.track.face_id, i), ())
            return [FillRequest(loan.part, references.get(loan.key), loan.shares) for loan in loans]

        return fills


def borrow(plans: Plans, renderer: Renderer) -> Loans:
    """Which frames show best what the plans ask for. Reads landmarks, no picture."""
    schedule = EditSchedule(plans, renderer.crop)
    by_moment: dict[tuple[int, int, int], list[Loan]] = {}
    keys: dict[Key, tuple[FaceTrack, int]] = {}
    for plan in plans.faces:
        moments = np.flatnonzero(plan.is_active)
        if len(moments) == 0:
            continue
        requests = [schedule.request(plan, int(i)) for i in moments]
        targets = renderer.targets(requests)
        tracks = _footage(plans.analysis, plan.track)
        for part in PARTS:
            looks = looks_of(plans.analysis, tracks, part)
            if len(looks) == 0:
                continue
            looks = looks.only(candidates(looks))
            chosen = choose(_wanted(plan, moments, requests, targets, part), looks)
            for position, shares in _dissolved(chosen, plan.track.seconds[moments]).items():
                track, at = looks.track_of(position)
                key = (track.shot, track.face_id, at)
                keys[key] = (track, at)
                for k in np.flatnonzero(shares.max(1) > LEAST_SHARE):
                    moment = (plan.track.shot, plan.track.face_id, int(moments[k]))
                    loan = Loan(part, key, tuple(float(share) for share in shares[k]))
                    by_moment.setdefault(moment, []).append(loan)
    return Loans(by_moment, _sightings(plans.analysis, keys, renderer.crop))


def _footage(analysis: ClipAnalysis, track: FaceTrack) -> list[FaceTrack]:
    """The tracks that show the same person."""
    return [t for t in analysis.tracks if t is track or (track.person and t.person == track.person)]


def _wanted(
    plan: FacePlan,
    moments: NDArray[np.int64],
    requests: Sequence[FaceRequest],
    targets: NDArray[np.float32],
    part: Part,
) -> Wanted:
    poses = [head_pose(request.landmarks) for request in requests]
    own = np.stack([pose.canonical(r.landmarks) for pose, r in zip(poses, requests, strict=True)])
    after = np.stack([pose.canonical(target) for pose, target in zip(poses, targets, strict=True)])
    return Wanted(
        seconds=plan.track.seconds[moments],
        shapes=tuple(piece.shape(after) for piece in part.pieces),
        gaps=np.stack([piece.gap(after) for piece in part.pieces], 1),
        plate_shapes=tuple(piece.shape(own) for piece in part.pieces),
        plate_gaps=np.stack([piece.gap(own) for piece in part.pieces], 1),
        rotations=np.stack([pose.rotation for pose in poses]).astype(np.float32),
        sizes_px=np.exp(plan.alignments[moments, 2]),
    )


def _dissolved(chosen: Chosen, seconds: NDArray[np.float64]) -> dict[int, NDArray[np.float64]]:
    """By look: (n, pieces) how much it gives, going over softly."""
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    reach = max(0, round(DISSOLVE_SECONDS / step / 2))
    kernel = np.convolve(np.ones(reach + 1), np.ones(reach + 1)) / (reach + 1) ** 2
    out = {}
    for look in np.unique(chosen.look[chosen.look != PLATE]):
        here = chosen.shares * (chosen.look == look)[:, None]
        padded = np.pad(here, ((reach, reach), (0, 0)), mode="edge")
        out[int(look)] = np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], 1)
    return out


def _sightings(
    analysis: ClipAnalysis, keys: Mapping[Key, tuple[FaceTrack, int]], crop: CropSpec
) -> dict[int, list[Sighting]]:
    steadied = Steadied(analysis)
    out: dict[int, list[Sighting]] = {}
    for key, (track, at) in keys.items():
        matrix = crop_matrix(track.alignments[at], crop)
        landmarks = apply(matrix, steadied.landmarks(track, at)).astype(np.float32)
        out.setdefault(int(track.frames[at]), []).append(Sighting(key, matrix, landmarks))
    return out

"""The plans by frame: what to ask of the network for each picture as it comes by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..faces import ClipAnalysis, FaceTrack, apply, crop_matrix
from .fading import unbroken
from .plan import FacePlan, Plans
from .records import FaceRequest, FillRequest
from .references import References

_LANDMARK_FILTER = np.array([-3, 12, 17, 12, -3], np.float64) / 35
"""Savitzky-Golay, quadratic, five frames: takes the landmarker's jitter, keeps a blink."""


class EditSchedule:
    """The plans by frame: what to ask of the renderer for each picture as it comes by."""

    def __init__(self, plans: Plans, crop: CropSpec, references: References | None = None) -> None:
        self._crop, self._loans, self._references = crop, plans.loans, references
        self._steadied = Steadied(plans.analysis)
        self._by_frame: dict[int, list[tuple[FacePlan, int]]] = {}
        for plan in plans.faces:
            for i in np.flatnonzero(plan.is_active):
                self._by_frame.setdefault(int(plan.track.frames[i]), []).append((plan, int(i)))

    def __len__(self) -> int:
        """Frames with something to do."""
        return len(self._by_frame)

    def faces(self, frame_index: int) -> list[FaceRequest]:
        """Requests for one frame; empty where it passes through."""
        return [self.request(plan, i) for plan, i in self._by_frame.get(frame_index, ())]

    def request(self, plan: FacePlan, i: int) -> FaceRequest:
        """What is asked at a moment of a plan."""
        matrix = crop_matrix(plan.alignments[i], self._crop)
        landmarks = apply(matrix, self._steadied.landmarks(plan.track, i)).astype(np.float32)
        own, delta = plan.own[i], plan.delta_au[i]
        extra = None if plan.own_motion is None else plan.own_motion.change(own, delta)
        together = float(plan.lips_together[i]) if len(plan.lips_together) else 0.0
        return FaceRequest(matrix, landmarks, delta, own, self._fills(plan, i), extra, together)

    def _fills(self, plan: FacePlan, i: int) -> Sequence[FillRequest]:
        if self._loans is None or self._references is None:
            return ()
        loans = self._loans.by_moment.get((plan.track.shot, plan.track.face_id, i), ())
        there = (loan for loan in loans if loan.key in self._references)
        return [FillRequest(loan.part, self._references.get(loan.key), loan.shares) for loan in there]


class Steadied:
    """Landmarks without the landmarker's jitter."""

    def __init__(self, analysis: ClipAnalysis) -> None:
        self._analysis = analysis
        self._runs: dict[int, list[tuple[int, int]]] = {}

    def landmarks(self, track: FaceTrack, i: int) -> NDArray[np.float64]:
        """(478, 3) display pixels, steadied over five frames where there are that many in a row."""
        if id(track) not in self._runs:
            self._runs[id(track)] = _run_of_each(track)
        start, stop = self._runs[id(track)][i]
        if i - 2 < start or i + 3 > stop:
            return self._analysis.landmarks(track, i).astype(np.float64)
        near = [self._analysis.landmarks(track, j) for j in range(i - 2, i + 3)]
        return np.tensordot(_LANDMARK_FILTER, np.stack(near).astype(np.float64), axes=1)


def _run_of_each(track: FaceTrack) -> list[tuple[int, int]]:
    """For each moment of the track, the unbroken run of frames it lies in."""
    out: list[tuple[int, int]] = []
    for start, stop in unbroken(track):
        out += [(start, stop)] * (stop - start)
    return out

"""The plans by frame: what to ask of the network for each picture as it comes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..faces import ClipAnalysis, FaceTrack, apply, crop_matrix
from .plan import FacePlan, Plans, unbroken
from .records import FaceRequest, FillRequest

Fills = Callable[[FacePlan, int], Sequence[FillRequest]]
"""What is borrowed at a moment of a plan."""

_LANDMARK_FILTER = np.array([-3, 12, 17, 12, -3], np.float64) / 35
"""Savitzky-Golay, quadratic, five frames: takes the landmarker's jitter, keeps a blink."""


class EditSchedule:
    """The plans by frame: what to ask of the renderer for each picture as it comes by."""

    def __init__(self, plans: Plans, crop: CropSpec, fills: Fills | None = None) -> None:
        self._crop, self._fills = crop, fills
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
        fills = self._fills(plan, i) if self._fills else ()
        return FaceRequest(matrix, landmarks, plan.delta_au[i], plan.own[i], fills)


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

"""The plans by frame: what to ask of the network for each picture as it comes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..faces import FaceTrack, apply, crop_matrix
from .fading import unbroken
from .plan import FacePlan, Plans
from .records import FaceRequest

_LANDMARK_FILTER = np.array([-3, 12, 17, 12, -3], np.float64) / 35
"""Savitzky-Golay, quadratic, five frames: takes the landmarker's jitter, keeps a blink."""


class EditSchedule:
    """The plans by frame: what to ask of the renderer for each picture as it comes by."""

    def __init__(self, plans: Plans, crop: CropSpec) -> None:
        self._analysis, self._crop = plans.analysis, crop
        self._by_frame: dict[int, list[tuple[FacePlan, int]]] = {}
        for plan in plans.faces:
            for i in np.flatnonzero(plan.is_active):
                self._by_frame.setdefault(int(plan.track.frames[i]), []).append((plan, int(i)))
        self._runs = {id(plan): _run_of_each(plan.track) for plan in plans.faces}

    def __len__(self) -> int:
        """Frames with something to do."""
        return len(self._by_frame)

    def faces(self, frame_index: int) -> list[FaceRequest]:
        """Requests for one frame; empty where it passes through."""
        return list(self._requests(self._by_frame.get(frame_index, ())))

    def _requests(self, planned: Sequence[tuple[FacePlan, int]]) -> Iterator[FaceRequest]:
        for plan, i in planned:
            matrix = crop_matrix(plan.alignments[i], self._crop)
            landmarks = apply(matrix, self._landmarks(plan, i)).astype(np.float32)
            yield FaceRequest(matrix, landmarks, plan.delta_au[i], plan.own[i])

    def _landmarks(self, plan: FacePlan, i: int) -> NDArray[np.float64]:
        """(478, 3) display pixels, steadied over five frames where there are that many in a row."""
        start, stop = self._runs[id(plan)][i]
        if i - 2 < start or i + 3 > stop:
            return self._analysis.landmarks(plan.track, i).astype(np.float64)
        near = [self._analysis.landmarks(plan.track, j) for j in range(i - 2, i + 3)]
        return np.tensordot(_LANDMARK_FILTER, np.stack(near).astype(np.float64), axes=1)


def _run_of_each(track: FaceTrack) -> list[tuple[int, int]]:
    """For each moment of the track, the unbroken run of frames it lies in."""
    out: list[tuple[int, int]] = []
    for start, stop in unbroken(track):
        out += [(start, stop)] * (stop - start)
    return out

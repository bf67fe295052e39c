"""From what is tracked frame by frame to the analysis of a whole clip.

About 0.8 kB of memory a face and frame while it goes on; landmarks go to disk as they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..records import Face, TrackedFrame, VideoInfo
from .analysis import ClipAnalysis, FaceTrack, Shot
from .crop import ALIGNMENT_SIZE, alignment
from .landmark_store import LandmarkStore


class Collector:
    """Remembers what passes through: `for _ in collector.collect(tracked): pass`, then `collector.analysis()`."""

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._shots: list[Shot] = []
        self._seconds: list[float] = []
        self._first_seconds = 0.0
        self._frames_without_face = 0
        self._faces: dict[tuple[int, int], _FaceCollector] = {}
        self._landmarks = LandmarkStore()

    def collect(self, tracked: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
        """Hands the records on. Holds nothing of the pictures."""
        for frame in tracked:
            if not self._seconds:
                self._first_seconds = frame.seconds
            self._frames_without_face += not frame.faces
            seconds = frame.seconds - self._first_seconds
            self._seconds.append(seconds)
            self._extend_shot(frame, seconds)
            for face in frame.faces:
                key = (frame.shot, face.face_id)
                collector = self._faces.setdefault(key, _FaceCollector(*key))
                outside = self._outside(face.landmarks)
                collector.add(self._landmarks.add(face.landmarks), frame, seconds, face, outside)
            yield frame

    def analysis(self, largest_rejected_px: float = 0.0) -> ClipAnalysis:
        """What was collected so far. `largest_rejected_px`: size of the largest face left out, 0 if none."""
        return ClipAnalysis(
            info=self._info,
            shots=tuple(self._shots),
            tracks=tuple(face.track() for face in self._faces.values()),
            seconds=np.array(self._seconds, np.float64),
            first_seconds=self._first_seconds,
            frames_without_face=self._frames_without_face,
            largest_rejected_px=largest_rejected_px,
            landmark_store=self._landmarks,
        )

    def _outside(self, landmarks: NDArray[np.floating]) -> float:
        """Share of landmarks (478, 3) that lie beyond the picture."""
        size = (self._info.display_width, self._info.display_height)
        is_beyond = (landmarks[:, :2] < 0) | (landmarks[:, :2] > size)
        return float(is_beyond.any(axis=1).mean())

    def _extend_shot(self, frame: TrackedFrame, seconds: float) -> None:
        if not self._shots or self._shots[-1].number != frame.shot:
            self._shots.append(Shot(frame.shot, frame.index, frame.index, seconds, seconds))
            return
        last = self._shots[-1]
        self._shots[-1] = Shot(last.number, last.first_frame, frame.index, last.start_seconds, seconds)


class _FaceCollector:
    """The growing series of one face."""

    def __init__(self, shot: int, face_id: int) -> None:
        self.shot, self.face_id = shot, face_id
        self.rows: list[int] = []
        self.frames: list[int] = []
        self.seconds: list[float] = []
        self.units: list[NDArray[np.float32]] = []
        self.alignments: list[NDArray[np.float64]] = []
        self.scalars: list[tuple[float, ...]] = []

    def add(self, row: int, frame: TrackedFrame, seconds: float, face: Face, outside: float) -> None:
        self.rows.append(row)
        self.frames.append(frame.index)
        self.seconds.append(seconds)
        self.units.append(face.action_units)
        self.alignments.append(alignment(face.landmarks))
        pose = (face.yaw_degrees, face.pitch_degrees)
        self.scalars.append((face.confidence, *pose, face.size_px, *face.center, outside))

    def track(self) -> FaceTrack:
        scalars = np.array(self.scalars, np.float64).reshape(-1, 7)
        return FaceTrack(
            shot=self.shot,
            face_id=self.face_id,
            rows=np.array(self.rows, np.int64),
            frames=np.array(self.frames, np.int64),
            seconds=np.array(self.seconds, np.float64),
            action_units=np.stack(self.units),
            alignments=np.stack(self.alignments).reshape(-1, ALIGNMENT_SIZE),
            confidence=scalars[:, 0],
            yaw_degrees=scalars[:, 1],
            pitch_degrees=scalars[:, 2],
            size_px=scalars[:, 3],
            centers=scalars[:, 4:6],
            outside=scalars[:, 6],
        )

"""What tracking found in a whole clip: small series in memory, landmarks in a temporary file.

A clip is read twice: first to see every face from beginning to end (so that the resting expression, the choice
of faces and the smoothing know the whole shot), then to edit it. About 0.4 kB of memory a face and frame stay
between the two, and 0.8 kB while the first goes on; the landmarks (5.7 kB) go to disk.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..errors import OptionError
from ..records import LANDMARKS, ExpressionSeries, Face, TrackedFrame
from .crop import ALIGNMENT_SIZE, alignment

FaceOrder = Literal[
    "large-small", "small-large", "left-right", "right-left",
    "top-bottom", "bottom-top", "best-worst", "worst-best",
]  # fmt: skip

FACE_ORDERS: tuple[str, ...] = get_args(FaceOrder)

LANDMARK_BYTES = LANDMARKS * 3 * 4
"""Of one face in one frame, in the temporary file: (478, 3) float32."""


@dataclass(frozen=True)
class FaceSelection:
    """Which faces of a shot: a place in an order, or all of them."""

    order: FaceOrder = "large-small"
    """By median size, position or confidence over the shot. left-right is the picture's left."""
    index: int | None = 0
    """Place in that order, from 0; None for all."""

    @classmethod
    def parse(cls, text: str) -> FaceSelection:
        """`large-small` (its first), `2` (of large-small), `left-right:1`, `all` (left to right), `ORDER:all`."""
        head, _, tail = text.strip().lower().partition(":")
        if not tail and (head == "all" or head.isdecimal()):
            head, tail = ("left-right", "all") if head == "all" else ("large-small", head)
        if head not in FACE_ORDERS or not (tail in ("", "all") or tail.isdecimal()):
            raise OptionError(
                f"face {text!r} is unknown; use all, a number from 0, one of {', '.join(FACE_ORDERS)}, "
                "or ORDER:NUMBER"
            )
        index = None if tail == "all" else int(tail or 0)
        return cls(head, index)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Shot:
    """A run of frames between cuts."""

    number: int
    first_frame: int
    last_frame: int
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """One face within one shot."""

    shot: int
    face_id: int
    rows: NDArray[np.int64]
    """(n,) where its landmarks are in the store."""
    frames: NDArray[np.int64]
    """(n,) frame indices, increasing; frames where the face was lost are absent."""
    seconds: NDArray[np.float64]
    """(n,) from the clip's first frame."""
    action_units: NDArray[np.float32]
    """(n, C) absolute."""
    alignments: NDArray[np.float64]
    """(n, 4), see crop.alignment."""
    confidence: NDArray[np.float64]
    yaw_degrees: NDArray[np.float64]
    pitch_degrees: NDArray[np.float64]
    size_px: NDArray[np.float64]
    centers: NDArray[np.float64]
    """(n, 2) display pixels."""

    def rank(self, order: FaceOrder) -> float:
        """The smaller, the earlier in that order."""
        key = {
            "large": -float(np.median(self.size_px)),
            "left": float(np.median(self.centers[:, 0])),
            "top": float(np.median(self.centers[:, 1])),
            "best": -float(np.median(self.confidence) * len(self.frames)),
        }
        name, _, other = order.partition("-")
        return key[name] if name in key else -key[other]

    def series(self) -> ExpressionSeries:
        """Its expression over time, every action unit filled."""
        return ExpressionSeries(
            seconds=self.seconds,
            values=self.action_units,
            filled=np.ones(action_units.COUNT, np.bool_),
            confidence=self.confidence.astype(np.float32),
        )


class _Collector:
    """The growing series of one face."""

    def __init__(self, shot: int, face_id: int) -> None:
        self.shot, self.face_id = shot, face_id
        self.rows: list[int] = []
        self.frames: list[int] = []
        self.seconds: list[float] = []
        self.units: list[NDArray[np.float32]] = []
        self.alignments: list[NDArray[np.float64]] = []
        self.scalars: list[tuple[float, float, float, float, float, float]] = []

    def add(self, row: int, frame: TrackedFrame, seconds: float, face: Face) -> None:
        self.rows.append(row)
        self.frames.append(frame.index)
        self.seconds.append(seconds)
        self.units.append(face.action_units)
        self.alignments.append(alignment(face.landmarks))
        self.scalars.append((face.confidence, face.yaw_degrees, face.pitch_degrees, face.size_px, *face.center))

    def track(self) -> FaceTrack:
        scalars = np.array(self.scalars, np.float64).reshape(-1, 6)
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
        )


class ClipAnalysis:
    """The shots and faces of a clip. A context manager: it owns a temporary file.

    Iterate `collect(tracked)` to its end to fill it; it hands the records on.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.shots: list[Shot] = []
        self.seconds: list[float] = []
        """Of every frame, from the clip's first."""
        self.frames_without_face = 0
        self.first_seconds = 0.0
        """Presentation time of the first frame; the series count from it."""
        self._collectors: dict[tuple[int, int], _Collector] = {}
        self._tracks: list[FaceTrack] | None = None
        self._row_count = 0

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile(prefix="retarget-landmarks-")
        return self

    def reset(self) -> None:
        """Back to an empty one."""
        self._forget()
        self._file.seek(0)
        self._file.truncate()

    def restore(
        self,
        *,
        shots: Sequence[Shot],
        seconds: Sequence[float],
        tracks: Sequence[FaceTrack],
        frames_without_face: int,
        first_seconds: float,
        landmarks: IO[bytes],
    ) -> int:
        """Fills an empty one with what another had collected; returns the rows of landmarks that came."""
        self.shots, self.seconds, self._tracks = list(shots), list(seconds), list(tracks)
        self.frames_without_face, self.first_seconds = frames_without_face, first_seconds
        shutil.copyfileobj(landmarks, self._file, 1 << 20)
        self._row_count = self._file.tell() // LANDMARK_BYTES
        return self._row_count

    def landmark_file(self) -> IO[bytes]:
        """All landmarks, row after row of float32, from the first."""
        self._file.seek(0)
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def collect(self, tracked: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
        """Remembers what passes through. Holds nothing of the pictures."""
        for frame in tracked:
            if not self.seconds:
                self.first_seconds = frame.seconds
            self.frames_without_face += not frame.faces
            seconds = frame.seconds - self.first_seconds
            self.seconds.append(seconds)
            self._extend_shot(frame, seconds)
            for face in frame.faces:
                key = (frame.shot, face.face_id)
                collector = self._collectors.setdefault(key, _Collector(*key))
                collector.add(self._store(face.landmarks), frame, seconds, face)
            yield frame

    @property
    def frame_count(self) -> int:
        return len(self.seconds)

    @property
    def tracks(self) -> list[FaceTrack]:
        """Every face of every shot, in order of appearance."""
        if self._tracks is None:
            self._tracks = [collector.track() for collector in self._collectors.values()]
            self._collectors.clear()
        return self._tracks

    def landmarks(self, track: FaceTrack, position: int) -> NDArray[np.float32]:
        """(478, 3) float32 display pixels of the track's `position`-th moment."""
        self._file.seek(int(track.rows[position]) * LANDMARK_BYTES)
        return np.frombuffer(self._file.read(LANDMARK_BYTES), np.float32).reshape(LANDMARKS, 3)

    def select(self, selection: FaceSelection) -> list[tuple[FaceTrack, int]]:
        """The chosen tracks of every shot, each with its position among the chosen of its shot."""
        chosen: list[tuple[FaceTrack, int]] = []
        for shot in self.shots:
            ranked = sorted(
                (track for track in self.tracks if track.shot == shot.number),
                key=lambda track: track.rank(selection.order),
            )
            if selection.index is None:
                chosen += [(track, position) for position, track in enumerate(ranked)]
            else:
                chosen += [(track, 0) for track in ranked[selection.index : selection.index + 1]]
        return chosen

    def _store(self, landmarks: NDArray[np.float32]) -> int:
        self._file.write(np.ascontiguousarray(landmarks, np.float32).tobytes())
        self._row_count += 1
        return self._row_count - 1

    def _extend_shot(self, frame: TrackedFrame, seconds: float) -> None:
        if not self.shots or self.shots[-1].number != frame.shot:
            self.shots.append(Shot(frame.shot, frame.index, frame.index, seconds, seconds))
            return
        last = self.shots[-1]
        self.shots[-1] = Shot(last.number, last.first_frame, frame.index, last.start_seconds, seconds)


def whole_series(analysis: ClipAnalysis, selection: FaceSelection) -> ExpressionSeries | None:
    """The expression of the selected face (one a shot) over the whole clip; None where there is never one.

    Moments between its appearances have no sample, which a reader bridges or fades by their length.
    """
    tracks = [track for track, position in analysis.select(selection) if position == 0]
    if not tracks:
        return None
    return ExpressionSeries(
        seconds=np.concatenate([track.seconds for track in tracks]),
        values=np.concatenate([track.action_units for track in tracks]),
        filled=np.ones(action_units.COUNT, np.bool_),
        confidence=np.concatenate([track.confidence for track in tracks]).astype(np.float32),
    )

"""What tracking found in a whole clip, as a value: small series in memory, landmarks on disk.

A clip is read twice: first to see every face from beginning to end (so that the resting expression, the choice
of faces and the smoothing know the whole shot), then to edit it. About 0.4 kB of memory a face and frame stay
between the two; the landmarks (5.7 kB) are in a temporary file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.face_chip import DESCRIPTOR_SIZE

from ..files import SeenFiles
from ..records import ExpressionSeries, VideoInfo
from .landmark_store import LandmarkStore
from .selection import FaceOrder, FaceSelection

BEST_PORTRAITS = 4
"""Of a track: those that count for what its person looks like."""


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
    """One face within one shot: where the person is lost for a while and seen again, it goes on."""

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
    outside: NDArray[np.float64]
    """(n,) share of its landmarks that lie beyond the picture."""
    person: int = 0
    """Number of the person in the clip, from 1; 0 where nobody looked."""
    portraits: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(k,) indices of frames that show the face well, the best first."""
    descriptors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, DESCRIPTOR_SIZE), np.float32))
    """(k, 128) what the face descriptor says of those."""

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


@dataclass(frozen=True, eq=False)
class Person:
    """One person of a clip, in whichever shots."""

    number: int
    """From 1: who is seen longest, then who is seen first."""
    tracks: tuple[FaceTrack, ...]
    """In order of appearance, one a shot at most."""

    @property
    def frame_count(self) -> int:
        """Frames in which the face is seen."""
        return sum(len(track.frames) for track in self.tracks)

    @property
    def descriptor(self) -> NDArray[np.float32]:
        """(128,) the mean over the best portraits of each shot."""
        return np.concatenate([track.descriptors[:BEST_PORTRAITS] for track in self.tracks]).mean(axis=0)


@dataclass(frozen=True, eq=False)
class ClipAnalysis:
    """The shots and faces of a clip. A value: as many edits are planned from it as one likes."""

    info: VideoInfo
    """Of the clip, as it was opened."""
    shots: tuple[Shot, ...]
    tracks: tuple[FaceTrack, ...]
    """Every face of every shot, in order of appearance."""
    seconds: NDArray[np.float64]
    """(frames,) of every frame, from the clip's first."""
    first_seconds: float
    """Presentation time of the first frame; the series count from it."""
    frames_without_face: int
    largest_rejected_px: float
    """Size of the largest face left out for being too small, in display pixels; 0 if none."""
    landmark_store: LandmarkStore
    seen: SeenFiles | None = field(default=None, repr=False, compare=False)
    """The clip's files as they were then: a further reading must find them so."""

    @property
    def frame_count(self) -> int:
        return len(self.seconds)

    @property
    def persons(self) -> tuple[Person, ...]:
        """Who is in the clip, by number; nobody where nobody looked."""
        numbers = sorted({track.person for track in self.tracks if track.person})
        return tuple(Person(n, tuple(track for track in self.tracks if track.person == n)) for n in numbers)

    def landmarks(self, track: FaceTrack, position: int) -> NDArray[np.float32]:
        """(478, 3) float32 display pixels of the track's `position`-th moment."""
        return self.landmark_store.read(int(track.rows[position]))

    def select(self, selection: FaceSelection) -> list[tuple[FaceTrack, int]]:
        """The chosen tracks of every shot, each with its position among the chosen of its shot.

        A selection by picture has to be settled before (`read.settled`).
        """
        assert selection.picture is None, "who looks like a picture is looked up before"
        if selection.person is not None:
            return [(track, 0) for track in self.tracks if track.person == selection.person]
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

"""What a part of a person's face looks like in each frame of the footage: shapes and poses, no pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..faces import ClipAnalysis, FaceTrack, HeadPose, head_pose
from .parts import Part

LEAST_CONFIDENCE = 0.5
"""Of a frame that others may borrow from."""

_USUAL_SECONDS = 0.04
"""Motion is counted by this time: a frame at 25 a second."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A track of one of the clips that a person is seen in."""

    clip: int
    """Its number; 0 is the source."""
    analysis: ClipAnalysis
    track: FaceTrack


@dataclass(frozen=True, eq=False)
class Looks:
    """A part in m frames."""

    tracks: tuple[Seen, ...]
    owner: NDArray[np.int64]
    """(m,) index of each frame's track."""
    position: NDArray[np.int64]
    """(m,) which of the track's moments it is."""
    shapes: tuple[NDArray[np.float32], ...]
    """A piece each: (m, k, 2), see `Piece.shape`."""
    gaps: NDArray[np.float64]
    """(m, pieces) how far each is open, over its width."""
    rotations: NDArray[np.float32]
    """(m, 3, 3) of the head, without its turn in the picture."""
    sizes_px: NDArray[np.float64]
    """(m,) of the face."""
    speeds: NDArray[np.float64]
    """(m,) how far the part moves in a 25th of a second, relative to the face: motion blurs."""

    def __len__(self) -> int:
        return len(self.owner)

    def only(self, kept: NDArray[np.integer]) -> Looks:
        """Those of these indices."""
        shapes = tuple(shape[kept] for shape in self.shapes)
        arrays = (self.gaps, self.rotations, self.sizes_px, self.speeds)
        return Looks(self.tracks, self.owner[kept], self.position[kept], shapes, *(a[kept] for a in arrays))

    @property
    def is_foreign(self) -> NDArray[np.bool_]:
        """(m,) whether each is of another clip than the source."""
        return np.array([seen.clip != 0 for seen in self.tracks])[self.owner]

    def track_of(self, index: int) -> tuple[Seen, int]:
        """The track of a look, and which of its moments it is."""
        return self.tracks[int(self.owner[index])], int(self.position[index])


def looks_of(tracks: Sequence[Seen], part: Part) -> Looks:
    """The part in every frame of these tracks in which the face is surely seen."""
    rows = [_of_track(seen.analysis, seen.track, number, part) for number, seen in enumerate(tracks)]
    owner, position, shapes, gaps, rotations, sizes, speeds = zip(*rows, strict=True)
    pieces = tuple(np.concatenate(piece) for piece in zip(*shapes, strict=True))
    return Looks(
        tuple(tracks),
        np.concatenate(owner),
        np.concatenate(position),
        pieces,
        *(np.concatenate(values) for values in (gaps, rotations, sizes, speeds)),
    )


def _of_track(analysis: ClipAnalysis, track: FaceTrack, number: int, part: Part) -> tuple[object, ...]:
    rows = [_in_frame(analysis.landmarks(track, i), part) for i in range(len(track.frames))]
    *pieces, gaps, rotations, scales, places = (np.stack(column) for column in zip(*rows, strict=True))
    position = np.flatnonzero(track.confidence >= LEAST_CONFIDENCE)
    speed = _speed(places, track.seconds)
    owner, shapes = np.full(len(position), number), tuple(piece[position] for piece in pieces)
    return owner, position, shapes, gaps[position], rotations[position], scales[position], speed[position]


def _in_frame(landmarks: NDArray[np.float32], part: Part) -> tuple[NDArray[np.floating], ...]:
    """The shape of each piece, then gaps, rotation, scale and place (over the scale), of landmarks (478, 3)."""
    pose = head_pose(landmarks)
    canonical = pose.canonical(landmarks)[None]
    outline = [index for piece in part.pieces for index in piece.outline]
    return (
        *(piece.shape(canonical)[0] for piece in part.pieces),
        np.concatenate([piece.gap(canonical) for piece in part.pieces]),
        upright(pose).astype(np.float32),
        np.asarray(pose.scale_px),
        landmarks[outline, :2].mean(0) / pose.scale_px,
    )


def _speed(places: NDArray[np.floating], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) how far places (n, 2) move in `_USUAL_SECONDS`."""
    if len(places) < 2:
        return np.zeros(len(places))
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1) / np.maximum(np.diff(seconds), 1e-3) * _USUAL_SECONDS
    return np.maximum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))


def upright(pose: HeadPose) -> NDArray[np.float64]:
    """(3, 3) the head's rotation without its turn in the picture."""
    c, s = np.cos(-pose.roll_radians), np.sin(-pose.roll_radians)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ pose.rotation

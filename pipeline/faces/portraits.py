"""A few good pictures of every face, described while a clip is tracked: who is it?

A track is one face as long as nothing comes between: where two faces meet, or one was lost, the tracker may go on
with the other. So a track's portraits are kept by stretch, and `persons` says which stretches are one person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.face_chip import CHIP_PX, chip_matrix

from ..media import sample_rgb
from ..records import Face, Frame, TrackedFrame, VideoInfo
from .crop import chain
from .overlap import share_of_smaller

PORTRAITS_KEPT = 4
"""Of a stretch; each costs two calls of the network (about 15 ms on two cores)."""

LEAST_OF_BEST = 0.35
"""How good a portrait has to be, relative to the stretch's best: one profile more tells less than none."""

LOOK_EVERY_SECONDS = 0.25
"""How often a face's picture is looked at; a frame that promises more than all before is looked at, too."""

MEETING_OVERLAP = (0.1, 0.3)
"""Of two faces' boxes, relative to the smaller: a meeting begins above the second and is over below the first."""

IN_MEETING = 0.25
"""What a portrait is worth while somebody may be in front of it."""

JUMP = 0.3
"""A face that moves from a frame to the next by more than this, relative to its size, may be another one."""

_TURN_DEGREES = 25.0
_SIZE_PX = 80.0
_SHARPNESS = 8.0
"""At which a portrait is worth 1/e (a turn), or half of what it may be (the others)."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """A run of a track in which it is one face all the time."""

    shot: int
    face_id: int
    first_frame: int
    last_frame: int
    sure_until_frame: int
    """Up to here it surely is the face of its portraits; then a meeting goes on to its end."""
    frames: NDArray[np.int64]
    """(k,) of its portraits, best first."""
    descriptors: NDArray[np.float32]
    """(k, 128), see `retarget.model.face_descriptor`."""
    qualities: NDArray[np.float64]
    """(k,) in [0, 1], falling."""


@dataclass(frozen=True, eq=False)
class _Kept:
    """A portrait."""

    quality: float
    frame: int
    seconds: float
    chip: NDArray[np.uint8]


@dataclass
class _Growing:
    """A stretch that goes on."""

    first_frame: int
    last: Face
    last_frame: int
    sure_until_frame: int
    is_meeting: bool = False
    looked_at_seconds: float = -np.inf
    most_promised: float = 0.0
    kept: list[_Kept] = field(default_factory=list)
    """Best first."""


class Portraits:
    """Watches frames go into a tracker and faces come out of it.

    Holds the frames that are on their way, and `PORTRAITS_KEPT` chips (270 kB) a stretch of the shot at hand; of
    earlier shots only the descriptors.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._frames: dict[int, Frame] = {}
        self._shot = -1
        self._growing: dict[int, _Growing] = {}
        """By face id, of the shot at hand."""
        self._closed: list[tuple[int, _Growing]] = []
        self._stretches: list[Stretch] = []

    def watch(self, frames: Iterable[tuple[Frame, int]]) -> Iterator[tuple[Frame, int]]:
        """Hands (frame, shot) on to the tracker."""
        for frame, shot in frames:
            self._frames[frame.index] = frame
            yield frame, shot

    def collect(self, tracked: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
        """Hands on what the tracker found in those frames."""
        for found in tracked:
            frame = self._frames.pop(found.index)
            if found.shot != self._shot:
                self._end_shot()
                self._shot = found.shot
            for face in found.faces:
                self._add(face, frame, _overlap(face, found.faces))
            yield found

    def stretches(self) -> list[Stretch]:
        """All of them, described; ends what goes on."""
        self._end_shot()
        return self._stretches

    def _add(self, face: Face, frame: Frame, overlap: float) -> None:
        grown = self._growing.get(face.face_id)
        if grown is not None and _is_new(grown, face, frame, overlap):
            self._closed.append((face.face_id, grown))
            grown = None
        if grown is None:
            grown = self._growing[face.face_id] = _Growing(frame.index, face, frame.index, frame.index)
        grown.is_meeting = overlap > MEETING_OVERLAP[0 if grown.is_meeting else 1]
        grown.last, grown.last_frame = face, frame.index
        if not grown.is_meeting:
            grown.sure_until_frame = frame.index
        self._look(grown, face, frame)

    def _look(self, grown: _Growing, face: Face, frame: Frame) -> None:
        """Keeps the face's picture if it is better than one that is kept."""
        promised = _promise(face) * (IN_MEETING if grown.is_meeting else 1)
        is_time = frame.seconds - grown.looked_at_seconds >= LOOK_EVERY_SECONDS
        if not is_time and promised < 1.1 * grown.most_promised:
            return
        grown.looked_at_seconds = frame.seconds
        grown.most_promised = max(grown.most_promised, promised)
        if len(grown.kept) == PORTRAITS_KEPT and promised <= grown.kept[-1].quality:
            return
        chip = chip_of(frame, self._info, face.landmarks)
        _keep(grown.kept, _Kept(promised * _sharpness(chip), frame.index, frame.seconds, chip))

    def _end_shot(self) -> None:
        closed = [*self._closed, *self._growing.items()]
        self._closed, self._growing = [], {}
        if not closed:
            return
        from retarget.model.face_descriptor import describe_faces  # brings torch

        described = describe_faces(np.stack([kept.chip for _, grown in closed for kept in grown.kept]))
        start = 0
        for face_id, grown in closed:
            stop = start + len(grown.kept)
            self._stretches.append(_stretch(self._shot, face_id, grown, described[start:stop]))
            start = stop


def _stretch(shot: int, face_id: int, grown: _Growing, descriptors: NDArray[np.float32]) -> Stretch:
    return Stretch(
        shot=shot,
        face_id=face_id,
        first_frame=grown.first_frame,
        last_frame=grown.last_frame,
        sure_until_frame=grown.sure_until_frame,
        frames=np.array([kept.frame for kept in grown.kept], np.int64),
        descriptors=descriptors,
        qualities=np.array([kept.quality for kept in grown.kept]),
    )


def chip_of(frame: Frame, info: VideoInfo, landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(150, 150, 3) uint8 RGB: the face at landmarks (478, 3) display px, as the descriptor wants it."""
    matrix = chain(chip_matrix(landmarks), info.display_from_coded)
    return sample_rgb(frame, info.color, matrix, (CHIP_PX, CHIP_PX))


def _keep(kept: list[_Kept], new: _Kept) -> None:
    """Of two portraits of about one moment the better stays; of all the best `PORTRAITS_KEPT`."""
    near = [old for old in kept if abs(old.seconds - new.seconds) < LOOK_EVERY_SECONDS]
    if any(old.quality >= new.quality for old in near):
        return
    kept[:] = [old for old in kept if old not in near]
    kept.append(new)
    kept.sort(key=lambda portrait: (-portrait.quality, portrait.frame))
    kept[:] = [old for old in kept[:PORTRAITS_KEPT] if old.quality >= LEAST_OF_BEST * kept[0].quality]


def _is_new(grown: _Growing, face: Face, frame: Frame, overlap: float) -> bool:
    """Whether the track may be on another face since its last frame."""
    moved = float(np.hypot(*np.subtract(face.center, grown.last.center)))
    was_lost = frame.index > grown.last_frame + 1
    has_parted = grown.is_meeting and overlap < MEETING_OVERLAP[0]
    return was_lost or has_parted or moved > JUMP * grown.last.size_px


def _overlap(face: Face, faces: Iterable[Face]) -> float:
    """The most that another face shares with it, relative to the smaller of both."""
    others = (other for other in faces if other is not face)
    return max((share_of_smaller(*_box(face), *_box(other)) for other in others), default=0.0)


def _box(face: Face) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points = face.landmarks[:, :2]
    return points.min(0), points.max(0)


def _promise(face: Face) -> float:
    """[0, 1]: how good a portrait may be, by all that is known without looking at it."""
    turned = float(np.hypot(face.yaw_degrees, face.pitch_degrees)) / _TURN_DEGREES
    large = face.size_px / (face.size_px + _SIZE_PX)
    return float(max(face.confidence, 0.05) * np.exp(-(turned**2)) * large) + 1e-6


def _sharpness(chip: NDArray[np.uint8]) -> float:
    """[0, 1]."""
    edges = float(cv2.Laplacian(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std())
    return (edges + 1) / (edges + 1 + _SHARPNESS)

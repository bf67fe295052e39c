"""Faces followed from frame to frame: where they are, their landmarks and their action units.

The detector needs a face of about a fifth of its picture, and film has smaller ones. So faces are looked for on a
pyramid of overlapping tiles at a shot's start and every so often, upside down too where nobody is seen, and
landmarked on an upright window around where each was last seen: a face that is followed is not looked for again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..media import proxy
from ..records import Frame, TrackedFrame, VideoInfo
from .detections import Detection, moved
from .following import Place
from .landmarker import CALLS_AT_ONCE, Landmarker, SeenFace, is_same, view_of
from .options import TrackOptions
from .overlap import share_of_smaller
from .tiles import tiles

DETECT_MAX_PX = 1920
"""Longer side of the picture that tiles are cut from."""

SEARCH_SECONDS = 3.0
"""For so long after a face was lost, faces are looked for as often as while none is seen."""

LOOKAHEAD_FRAMES = CALLS_AT_ONCE
"""Frames whose landmarks are looked for at a time."""


@dataclass
class _Track:
    face_id: int
    last: SeenFace
    missing_since_seconds: float | None = None


@dataclass
class _ShotState:
    """The state of tracking within one shot."""

    number: int
    tracks: list[_Track] = field(default_factory=list)
    next_id: int = 0
    detected_at_seconds: float | None = None
    turned_at_seconds: float = -math.inf
    """When the picture was last looked at upside down."""
    lost_at_seconds: float = -math.inf
    """When a face was last lost."""


@dataclass(frozen=True, eq=False)
class _Pending:
    """A frame whose landmark calls are under way."""

    frame: Frame
    shot: _ShotState
    calls: tuple[tuple[_Track, SeenFace, Future[SeenFace | None]], ...]
    """Each track, where it was looked for, and what will be seen there."""


class FaceTracker:
    """Finds and follows the faces of one video; a context manager that owns its landmarker, if not given.

    The landmarker works on one core, so `LOOKAHEAD_FRAMES` frames are in work at a time, each looking where the
    faces were that many frames before. That is so on every machine, so the result does not depend on its cores.
    """

    def __init__(
        self, info: VideoInfo, options: TrackOptions | None = None, *, landmarker: Landmarker | None = None
    ) -> None:
        """`landmarker`: an entered one that outlives this; None: its own."""
        self.info = info
        self.options = options or TrackOptions()
        self.largest_rejected_px = 0.0
        """Size of the largest face left out for being too small, for an error message; 0 if none."""
        self._min_face_px = self.options.min_face(info)
        self._owns_landmarker = landmarker is None
        self._landmarker = landmarker or Landmarker(self.options.tracker)

    def __enter__(self) -> Self:
        if self._owns_landmarker:
            self._landmarker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_landmarker:
            self._landmarker.__exit__(kind, error, trace)

    def track(self, frames: Iterable[tuple[Frame, int]]) -> Iterator[TrackedFrame]:
        """What is seen in each (frame, shot number). Holds `LOOKAHEAD_FRAMES` frames."""
        shot = _ShotState(-1)
        pending: deque[_Pending] = deque()
        for frame, number in frames:
            is_new = number != shot.number
            if is_new or self._is_time_to_detect(frame, shot):
                while pending:
                    yield self._finish(pending.popleft())
                shot = _ShotState(number) if is_new else shot
                yield self._finish(self._begin(frame, shot), detect=True)
                continue
            pending.append(self._begin(frame, shot))
            if len(pending) >= LOOKAHEAD_FRAMES:
                yield self._finish(pending.popleft())
        while pending:
            yield self._finish(pending.popleft())

    def _begin(self, frame: Frame, shot: _ShotState) -> _Pending:
        """Starts looking for each known face where it was last seen."""
        calls = []
        for track in shot.tracks:
            look = self._landmarker.pool.submit(self._look, frame, track.last.place)
            calls.append((track, track.last, look))
        return _Pending(frame, shot, tuple(calls))

    def _finish(self, pending: _Pending, *, detect: bool = False) -> TrackedFrame:
        """Brings the shot's tracks up to the frame; those missing for too long end."""
        frame, shot = pending.frame, pending.shot
        for track, last, call in pending.calls:
            seen = call.result()
            if seen is not None and is_same(seen, last):
                track.last, track.missing_since_seconds = seen, None
            elif track.missing_since_seconds is None:
                track.missing_since_seconds = shot.lost_at_seconds = frame.seconds
        limit, before = frame.seconds - self.options.patience_seconds, len(shot.tracks)
        shot.tracks = _without_twins(
            [t for t in shot.tracks if t.missing_since_seconds is None or t.missing_since_seconds >= limit]
        )
        if len(shot.tracks) < before:
            shot.lost_at_seconds = frame.seconds
        if detect:
            self._detect(frame, shot)
        seen_faces = [t for t in shot.tracks if t.missing_since_seconds is None]
        faces = tuple(track.last.face(track.face_id) for track in seen_faces)
        return TrackedFrame(frame.index, frame.pts, frame.seconds, shot.number, faces)

    def _is_time_to_detect(self, frame: Frame, shot: _ShotState) -> bool:
        if shot.detected_at_seconds is None:
            return True
        lost = not any(t.missing_since_seconds is None for t in shot.tracks)
        lost |= frame.seconds - shot.lost_at_seconds < SEARCH_SECONDS
        interval = self.options.redetect_seconds / (4 if lost else 1)
        return frame.seconds - shot.detected_at_seconds >= interval - 1e-9

    def _detect(self, frame: Frame, shot: _ShotState) -> None:
        """Starts a track, or resumes a missing one, for each face that is not tracked."""
        shot.detected_at_seconds = frame.seconds
        for place in self._places(frame):
            self._take_up(frame, shot, place)
        is_alone = not any(t.missing_since_seconds is None for t in shot.tracks)
        if is_alone and frame.seconds - shot.turned_at_seconds >= self.options.redetect_seconds - 1e-9:
            shot.turned_at_seconds = frame.seconds
            for place in self._places(frame, upside_down=True):
                self._take_up(frame, shot, place)

    def _take_up(self, frame: Frame, shot: _ShotState, place: Place) -> None:
        """Starts or resumes the track of the face at a place, if there is one that is not tracked."""
        if any(_covers(t.last, place.center) for t in shot.tracks if t.missing_since_seconds is None):
            return
        upright = self._upright(frame, place)
        seen = self._look(frame, upright, is_known=False) if upright is not None else None
        if seen is None or _is_known(seen, shot.tracks):
            return
        seen = self._look(frame, seen.place, is_known=False)
        if seen is None:
            return
        if seen.size_px < self._min_face_px:
            self.largest_rejected_px = max(self.largest_rejected_px, seen.size_px)
            return
        missing = (t for t in shot.tracks if t.missing_since_seconds is not None)
        resumed = next((t for t in missing if _covers(t.last, seen.center)), None)
        if resumed is not None:
            resumed.last, resumed.missing_since_seconds = seen, None
        else:
            shot.tracks.append(_Track(shot.next_id, seen))
            shot.next_id += 1

    def _look(self, frame: Frame, place: Place, *, is_known: bool = True) -> SeenFace | None:
        """The face at about a place."""
        return self._landmarker.look(view_of(frame, self.info), place, is_known=is_known)

    def _upright(self, frame: Frame, place: Place) -> Place | None:
        """The place of a face that was found, with the turn it really has."""
        return self._landmarker.upright(view_of(frame, self.info), place)

    def _places(self, frame: Frame, *, upside_down: bool = False) -> list[Place]:
        """Where the detector sees faces on the whole picture and its tiles, the surest first.

        It misses many that are turned by more than 90 degrees, unless it looks at the picture `upside_down`.
        """
        picture = proxy(frame, self.info, DETECT_MAX_PX)
        if upside_down:
            picture = picture[::-1, ::-1]
        scale = self.info.display_width / picture.shape[1]
        corners = list(tiles(picture.shape[1], picture.shape[0], self._min_face_px / scale))
        looks = self._landmarker.pool.map(lambda tile: self._detections(picture, *tile), corners)
        found = [
            moved(face, corner[:2], scale) for corner, faces in zip(corners, looks, strict=True) for face in faces
        ]
        kept: list[Detection] = []
        for face in sorted(found, key=lambda face: -face.score):
            if all(share_of_smaller(face.low, face.high, other.low, other.high) < 0.3 for other in kept):
                kept.append(face)
        places = [Place(face.center, face.size_px, face.roll_radians) for face in kept]
        return [self._from_upside_down(place) for place in places] if upside_down else places

    def _from_upside_down(self, place: Place) -> Place:
        """Where a place of the picture turned by 180 degrees lies in the upright one, in display pixels."""
        size = np.array([self.info.display_width, self.info.display_height], np.float64)
        return replace(place, center=size - place.center).turned(np.pi)

    def _detections(
        self, picture: NDArray[np.uint8], left: int, top: int, width: int, height: int
    ) -> list[Detection]:
        """The detector's faces on a tile, in its pixels."""
        tile = np.ascontiguousarray(picture[top : top + height, left : left + width])
        return self._landmarker.detect(tile)


def _covers(seen: SeenFace, point: NDArray[np.float64]) -> bool:
    low, high = seen.box
    return bool((low <= point).all() and (point <= high).all())


def _is_known(seen: SeenFace, tracks: list[_Track]) -> bool:
    return any(t.missing_since_seconds is None and share_of_smaller(*seen.box, *t.last.box) > 0.5 for t in tracks)


def _without_twins(tracks: list[_Track]) -> list[_Track]:
    """Tracks that have converged on one face are one track: the one whose mesh fits it best, else the older.

    Of two people who cross, the one behind slides onto the one in front.
    """
    seen = [t for t in tracks if t.missing_since_seconds is None]
    kept: list[_Track] = []
    for track in sorted(seen, key=lambda t: t.last.pose.residual):
        if not _is_known(track.last, kept):
            kept.append(track)
    return [t for t in tracks if t.missing_since_seconds is not None or t in kept]

"""Faces in frames: where they are, their landmarks and their action units. The only user of mediapipe.

FaceLandmarker's own detector needs a face of about a fifth of its picture, and film has smaller ones. So faces
are looked for on a pyramid of overlapping tiles at a shot's start and every so often, and landmarked on an
upright, enlarged window around where each was last seen. Every call is stateless (no filter with a memory):
smoothing is the trajectory's business, where it can be zero-phase.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import sys
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import resources
from types import TracebackType
from typing import Any, Self

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions
from numpy.typing import NDArray

from ..media import proxy, sample_rgb
from ..records import LANDMARKS, Color, Face, Frame, PixelFormat, TrackedFrame, VideoInfo
from .crop import chain
from .expression import HeadPose, head_pose, measure

WINDOW_PX = 256
"""Side of the picture the landmarker sees; its network's own input size."""

WINDOW_MARGIN = 2.0
"""Side of that window, relative to the face's longer side."""

DETECT_MAX_PX = 1920
"""Longer side of the picture that tiles are cut from."""

SMALLEST_FACE_IN_TILE = 0.12
"""Face size, relative to the tile, that the detector still finds most of the time."""

TILE_OVERLAP = 0.36

LOOKAHEAD_FRAMES = 2
"""Frames whose landmarks are looked for at a time."""

_RGB = PixelFormat("gbrp", "rgb", 8)


@dataclass(frozen=True)
class TrackOptions:
    """How faces are looked for."""

    min_face_px: int | None = None
    """Smallest face worth tracking, longer side in display pixels; None: 6 % of the height, at least 32."""
    redetect_seconds: float = 2.0
    """How often to look for new faces while some are tracked; four times as often while none is."""
    patience_seconds: float = 0.4
    """How long a face may be missing before its track ends."""

    def min_face(self, info: VideoInfo) -> int:
        """The smallest face for a video of that size, in display pixels."""
        return self.min_face_px or max(32, round(0.06 * info.display_height))


@dataclass(frozen=True, eq=False)
class _Window:
    """An upright square around a face: display pixels -> window pixels."""

    matrix: NDArray[np.float64]
    scale: float

    @classmethod
    def around(cls, center: NDArray[np.float64], side_px: float, roll_radians: float) -> _Window:
        scale = WINDOW_PX / max(side_px, 1e-3)
        c, s = np.cos(-roll_radians) * scale, np.sin(-roll_radians) * scale
        turn = np.array([[c, -s], [s, c]])
        return cls(np.c_[turn, WINDOW_PX / 2 - turn @ center], scale)

    def to_display(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Landmarks (478, 3) in window pixels -> display pixels."""
        back = cv2.invertAffineTransform(self.matrix)
        flat = points[:, :2] @ back[:, :2].T + back[:, 2]
        return np.c_[flat, points[:, 2] / self.scale]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A successful landmark call."""

    landmarks: NDArray[np.float64]
    pose: HeadPose
    scores: NDArray[np.float32]
    names: tuple[str, ...]

    @property
    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = self.landmarks[:, :2]
        return points.min(0), points.max(0)

    @property
    def center(self) -> NDArray[np.float64]:
        low, high = self.box
        return (low + high) / 2

    @property
    def size_px(self) -> float:
        low, high = self.box
        return float((high - low).max())

    @property
    def confidence(self) -> float:
        """1 for a mesh that fits a head as well as 99 % of well-seen faces do (measured), 0 at twice that."""
        return float(np.clip((0.12 - self.pose.residual) / 0.06, 0, 1))

    def face(self, face_id: int) -> Face:
        return Face(
            face_id=face_id,
            landmarks=self.landmarks.astype(np.float32),
            action_units=measure(self.pose.canonical(self.landmarks), self.names, self.scores),
            rotation=self.pose.rotation.astype(np.float32),
            confidence=self.confidence,
        )


@dataclass
class _Track:
    face_id: int
    last: _Seen
    missing_since_seconds: float | None = None


@dataclass
class _Shot:
    """The state of tracking within one shot."""

    number: int
    tracks: list[_Track] = field(default_factory=list)
    next_id: int = 0
    detected_at_seconds: float | None = None


@dataclass(frozen=True, eq=False)
class _Pending:
    """A frame whose landmark calls are under way."""

    frame: Frame
    shot: _Shot
    calls: tuple[tuple[_Track, _Seen, Future[_Seen | None]], ...]
    """Each track, where it was looked for, and what will be seen there."""


@dataclass(frozen=True, eq=False)
class _Graphs:
    """One set of mediapipe's graphs; used by one thread at a time."""

    landmarker: Any
    detector: Any

    @classmethod
    def load(cls) -> _Graphs:
        model = resources.files(__package__).joinpath("face_landmarker.task").read_bytes()
        with zipfile.ZipFile(io.BytesIO(model)) as bundle:
            detector = bundle.read("face_detector.tflite")
        graphs = cls(
            vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(
                    base_options=BaseOptions(model_asset_buffer=model),
                    num_faces=1,
                    output_face_blendshapes=True,
                )
            ),
            vision.FaceDetector.create_from_options(
                vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_buffer=detector))
            ),
        )
        blank = _picture(np.zeros((WINDOW_PX, WINDOW_PX, 3), np.uint8))  # the graphs talk when they first run
        graphs.landmarker.detect(blank)
        graphs.detector.detect(blank)
        return graphs

    def close(self) -> None:
        self.landmarker.close()  # their __del__ complains at interpreter exit
        self.detector.close()


class Landmarker:
    """mediapipe's graphs and the threads that run them; a context manager.

    Loading takes most of a second, so whoever looks at many videos or pictures keeps one for all of them.
    """

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(LOOKAHEAD_FRAMES, thread_name_prefix="track")
        self._graphs: queue.SimpleQueue[_Graphs] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        with _quiet_stderr():
            for graphs in self.pool.map(lambda _: _Graphs.load(), range(LOOKAHEAD_FRAMES)):
                self._graphs.put(graphs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.shutdown(cancel_futures=True)
        with _quiet_stderr():
            while not self._graphs.empty():
                self._graphs.get().close()

    def landmark(
        self, rgb: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.float32]] | None:
        """One call on a window (256, 256, 3) uint8 RGB: landmarks (478, 3) in window pixels, blendshapes' names
        and scores; None where there is no face."""
        with self._borrowed() as graphs:
            result = graphs.landmarker.detect(_picture(rgb))
        if not result.face_landmarks or not result.face_blendshapes:
            return None
        points = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]], np.float64) * WINDOW_PX
        if points.shape != (LANDMARKS, 3) or not np.isfinite(points).all():
            return None
        names = tuple(shape.category_name for shape in result.face_blendshapes[0])
        return points, names, np.array([shape.score for shape in result.face_blendshapes[0]], np.float32)

    def near(self, picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> Face | None:
        """The face at known landmarks (478, 3) of a picture (H, W, 3) uint8 RGB, in its pixels: one landmark
        call on a window as the tracker places it. None where there is no face, or it is another one."""
        known = _Seen(np.asarray(landmarks, np.float64), head_pose(landmarks), np.zeros(0, np.float32), ())
        window = _Window.around(known.center, WINDOW_MARGIN * known.size_px, known.pose.roll_radians)
        red, green, blue = cv2.split(picture)
        frame = Frame(0, 0, Fraction(1), (green, blue, red), _RGB)
        seen = self.see(sample_rgb(frame, Color("rgb", True), window.matrix, (WINDOW_PX, WINDOW_PX)), window)
        return seen.face(0) if seen is not None and _is_same(seen, known) else None

    def see(self, rgb: NDArray[np.uint8], window: _Window) -> _Seen | None:
        """What one landmark call on that window's picture finds, in display pixels."""
        found = self.landmark(rgb)
        if found is None:
            return None
        points, names, scores = found
        landmarks = window.to_display(points)
        return _Seen(landmarks, head_pose(landmarks), scores, names)

    def detect(self, tile: NDArray[np.uint8]) -> list[Any]:
        """mediapipe's detections on a tile (h, w, 3) uint8 RGB, in its pixels."""
        with self._borrowed() as graphs:
            return list(graphs.detector.detect(_picture(tile)).detections)

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[_Graphs]:
        graphs = self._graphs.get()
        try:
            yield graphs
        finally:
            self._graphs.put(graphs)


class FaceTracker:
    """Finds and follows the faces of one video; a context manager that owns mediapipe's graphs, if not given.

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
        self._landmarker = landmarker or Landmarker()

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
        shot = _Shot(-1)
        pending: deque[_Pending] = deque()
        for frame, number in frames:
            is_new = number != shot.number
            if is_new or self._is_time_to_detect(frame, shot):
                while pending:
                    yield self._finish(pending.popleft())
                shot = _Shot(number) if is_new else shot
                yield self._finish(self._begin(frame, shot), detect=True)
                continue
            pending.append(self._begin(frame, shot))
            if len(pending) >= LOOKAHEAD_FRAMES:
                yield self._finish(pending.popleft())
        while pending:
            yield self._finish(pending.popleft())

    def _begin(self, frame: Frame, shot: _Shot) -> _Pending:
        """Starts looking for each known face where it was last seen."""
        calls = []
        for track in shot.tracks:
            last = track.last
            place = (last.center, last.size_px, last.pose.roll_radians)
            calls.append((track, last, self._landmarker.pool.submit(self._look, frame, *place)))
        return _Pending(frame, shot, tuple(calls))

    def _finish(self, pending: _Pending, *, detect: bool = False) -> TrackedFrame:
        """Brings the shot's tracks up to the frame; those missing for too long end."""
        frame, shot = pending.frame, pending.shot
        for track, last, call in pending.calls:
            seen = call.result()
            if seen is not None and _is_same(seen, last):
                track.last, track.missing_since_seconds = seen, None
            elif track.missing_since_seconds is None:
                track.missing_since_seconds = frame.seconds
        limit = frame.seconds - self.options.patience_seconds
        shot.tracks = _without_twins(
            [t for t in shot.tracks if t.missing_since_seconds is None or t.missing_since_seconds >= limit]
        )
        if detect:
            self._detect(frame, shot)
        seen_faces = [t for t in shot.tracks if t.missing_since_seconds is None]
        faces = tuple(track.last.face(track.face_id) for track in seen_faces)
        return TrackedFrame(frame.index, frame.pts, frame.seconds, shot.number, faces)

    def _is_time_to_detect(self, frame: Frame, shot: _Shot) -> bool:
        if shot.detected_at_seconds is None:
            return True
        lost = not any(t.missing_since_seconds is None for t in shot.tracks)
        interval = self.options.redetect_seconds / (4 if lost else 1)
        return frame.seconds - shot.detected_at_seconds >= interval - 1e-9

    def _detect(self, frame: Frame, shot: _Shot) -> None:
        """Starts a track, or resumes a missing one, for each face that is not tracked."""
        shot.detected_at_seconds = frame.seconds
        for low, high in self._boxes(frame):
            center, size = (low + high) / 2, float((high - low).max())
            if any(_covers(t.last, center) for t in shot.tracks if t.missing_since_seconds is None):
                continue
            seen = self._look(frame, center, 1.3 * size, 0.0)
            if seen is None or _is_known(seen, shot.tracks):
                continue
            seen = self._look(frame, seen.center, seen.size_px, seen.pose.roll_radians) or seen
            if seen.size_px < self._min_face_px:
                self.largest_rejected_px = max(self.largest_rejected_px, seen.size_px)
                continue
            missing = (t for t in shot.tracks if t.missing_since_seconds is not None)
            resumed = next((t for t in missing if _covers(t.last, seen.center)), None)
            if resumed is not None:
                resumed.last, resumed.missing_since_seconds = seen, None
            else:
                shot.tracks.append(_Track(shot.next_id, seen))
                shot.next_id += 1

    def _look(
        self, frame: Frame, center: NDArray[np.float64], size_px: float, roll_radians: float
    ) -> _Seen | None:
        """One landmark call on the window around a place."""
        window = _Window.around(center, WINDOW_MARGIN * size_px, roll_radians)
        window_from_coded = chain(window.matrix, self.info.display_from_coded)
        rgb = sample_rgb(frame, self.info.color, window_from_coded, (WINDOW_PX, WINDOW_PX))
        return self._landmarker.see(rgb, window)

    def landmark(
        self, rgb: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.float32]] | None:
        """See `Landmarker.landmark`."""
        return self._landmarker.landmark(rgb)

    def _boxes(self, frame: Frame) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """(low, high) corners in display pixels of the faces on the whole picture and its tiles, best first."""
        picture = proxy(frame, self.info, DETECT_MAX_PX)
        scale = self.info.display_width / picture.shape[1]
        tiles = list(_tiles(picture.shape[1], picture.shape[0], self._min_face_px / scale))
        found: list[tuple[float, NDArray[np.float64], NDArray[np.float64]]] = []
        for (left, top, _, _), detections in zip(
            tiles, self._landmarker.pool.map(lambda tile: self._detections(picture, *tile), tiles), strict=True
        ):
            for detection in detections:
                box = detection.bounding_box
                low = np.array([left + box.origin_x, top + box.origin_y], np.float64) * scale
                high = low + np.array([box.width, box.height], np.float64) * scale
                found.append((float(detection.categories[0].score), low, high))
        found.sort(key=lambda item: -item[0])
        kept: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for _, low, high in found:
            if all(_overlap(low, high, *other) < 0.3 for other in kept):
                kept.append((low, high))
        return kept

    def _detections(self, picture: NDArray[np.uint8], left: int, top: int, width: int, height: int) -> list[Any]:
        """mediapipe's detections on a tile, in its pixels."""
        tile = np.ascontiguousarray(picture[top : top + height, left : left + width])
        return self._landmarker.detect(tile)


def _picture(rgb: NDArray[np.uint8]) -> Any:
    return mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)


def _tiles(width: int, height: int, min_face_px: float) -> Iterator[tuple[int, int, int, int]]:
    """(left, top, width, height): the whole picture, then overlapping squares, each level half the last."""
    yield 0, 0, width, height
    side = min(width, height)
    if side == max(width, height):
        side //= 2
    while side >= 64:
        for top in _starts(height, side):
            for left in _starts(width, side):
                yield left, top, min(side, width), min(side, height)
        if side <= min_face_px / SMALLEST_FACE_IN_TILE:
            return
        side //= 2


def _starts(length: int, side: int) -> list[int]:
    """Evenly spread starts of intervals of `side` that cover `length` and overlap by `TILE_OVERLAP` or more."""
    if side >= length:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - TILE_OVERLAP)))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _overlap(
    low: NDArray[np.float64], high: NDArray[np.float64], low2: NDArray[np.float64], high2: NDArray[np.float64]
) -> float:
    """Intersection over the smaller area, so that a part of a face counts as the face."""
    shared = np.clip(np.minimum(high, high2) - np.maximum(low, low2), 0, None).prod()
    return float(shared / max(min((high - low).prod(), (high2 - low2).prod()), 1e-9))


def _covers(seen: _Seen, point: NDArray[np.float64]) -> bool:
    low, high = seen.box
    return bool((low <= point).all() and (point <= high).all())


def _is_known(seen: _Seen, tracks: list[_Track]) -> bool:
    return any(t.missing_since_seconds is None and _overlap(*seen.box, *t.last.box) > 0.5 for t in tracks)


def _is_same(seen: _Seen, last: _Seen) -> bool:
    """Whether a window's face is the one it was opened for, and not a neighbour or a phantom."""
    moved = float(np.linalg.norm(seen.center - last.center))
    return moved < 0.5 * last.size_px and 0.6 < seen.size_px / last.size_px < 1.6


def _without_twins(tracks: list[_Track]) -> list[_Track]:
    """Tracks that have converged on one face are one track: the older."""
    kept: list[_Track] = []
    for track in tracks:
        if not _is_known(track.last, kept) or track.missing_since_seconds is not None:
            kept.append(track)
    return kept


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keeps mediapipe's C++ start-up chatter, which no setting turns off, from the user's terminal."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def mesh_triangles() -> NDArray[np.int64]:
    """(852, 3) int64 landmark indices: the face mesh's skin, with holes for mouth and eyes."""
    edges = vision.FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION  # three consecutive edges a triangle
    return np.array([edge.start for edge in edges], np.int64).reshape(-1, 3)

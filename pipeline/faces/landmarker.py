"""One face in one picture: MediaPipe's landmarks and blendshapes, seen on an upright window.

The only user of mediapipe. Every call is stateless (no filter with a memory): smoothing is the edit's business,
where it can be zero-phase.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

from ..media import sample_rgb
from ..records import LANDMARKS, Color, Face, Frame, PixelFormat
from .expression import measure
from .pose import HeadPose, head_pose

WINDOW_PX = 256
"""Side of the picture the landmarker sees; its network's own input size."""

WINDOW_MARGIN = 2.0
"""Side of that window, relative to the face's longer side."""

CALLS_AT_ONCE = 2
"""Landmark calls that may be under way."""

_RGB = PixelFormat("gbrp", "rgb", 8)


@dataclass(frozen=True, eq=False)
class Window:
    """An upright square around a face: display pixels -> window pixels."""

    matrix: NDArray[np.float64]
    scale: float

    @classmethod
    def around(cls, center: NDArray[np.float64], side_px: float, roll_radians: float) -> Window:
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
class SeenFace:
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
        self.pool = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="track")
        self._graphs: queue.SimpleQueue[_Graphs] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        with _quiet_stderr():
            for graphs in self.pool.map(lambda _: _Graphs.load(), range(CALLS_AT_ONCE)):
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
        known = SeenFace(np.asarray(landmarks, np.float64), head_pose(landmarks), np.zeros(0, np.float32), ())
        window = Window.around(known.center, WINDOW_MARGIN * known.size_px, known.pose.roll_radians)
        red, green, blue = cv2.split(picture)
        frame = Frame(0, 0, Fraction(1), (green, blue, red), _RGB)
        seen = self.see(sample_rgb(frame, Color("rgb", True), window.matrix, (WINDOW_PX, WINDOW_PX)), window)
        return seen.face(0) if seen is not None and is_same(seen, known) else None

    def see(self, rgb: NDArray[np.uint8], window: Window) -> SeenFace | None:
        """What one landmark call on that window's picture finds, in display pixels."""
        found = self.landmark(rgb)
        if found is None:
            return None
        points, names, scores = found
        landmarks = window.to_display(points)
        return SeenFace(landmarks, head_pose(landmarks), scores, names)

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


def _picture(rgb: NDArray[np.uint8]) -> Any:
    return mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)


def is_same(seen: SeenFace, last: SeenFace) -> bool:
    """Whether a window's face is the one it was opened for, and not a neighbour or a phantom."""
    moved = float(np.linalg.norm(seen.center - last.center))
    return moved < 0.5 * last.size_px and 0.6 < seen.size_px / last.size_px < 1.6


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

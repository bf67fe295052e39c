"""One face in one picture: landmarks and blendshapes, seen on an upright window.

Every call is stateless (no filter with a memory): smoothing is the edit's business, where it can be zero-phase.
What runs the networks is one of two: our own runner, or MediaPipe.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from types import TracebackType
from typing import Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.action_units import COUNT
from retarget.model.blendshapes import BLENDSHAPES

from ..media import sample_rgb
from ..records import Color, Face, Frame, PixelFormat, VideoInfo
from .crop import chain
from .detections import Detection
from .expression import measure
from .following import Place, place_of
from .models import SHA256, FaceModels, read_models
from .options import Tracker
from .pose import HeadPose, head_pose

WINDOW_PX = 256
"""Side of the picture the landmarker sees; its network's own input size."""

SEARCH_MARGIN = 2.2
"""Side of the window in which a lost face is looked for, relative to the detector's box."""

SURE_OF_MESH = 0.5
"""Confidence of a mesh below which it is looked for again where the detector says, not where the mesh does."""

CLEAR_SCORE = 0.8
"""The detector's for a face seen upright from nearby: 95 % of 87 faces have more than 0.83, what was none 0.77."""

CALLS_AT_ONCE = 2
"""Landmark calls that may be under way."""

LEAST_LIGHT = 96.0
"""Of 255: a darker picture is lifted to this, as the networks learned from brighter ones."""

MOST_GAIN = 16.0
_LIGHT_PERCENTILE = 98

_RGB = PixelFormat("gbrp", "rgb", 8)

Seen = tuple[NDArray[np.float64], NDArray[np.float32]]
"""Landmarks (478, 3) in a picture's pixels and blendshapes (52,) in [0, 1]."""


class Runner(Protocol):
    """What runs the three networks; used by one thread at a time."""

    margin: float
    """Side of the window it wants to see, relative to the detector's box."""

    def look(self, rgb: NDArray[np.uint8]) -> Seen | None:
        """The face that a window (256, 256, 3) uint8 RGB was opened around."""

    def find(self, rgb: NDArray[np.uint8]) -> Seen | None:
        """The best face anywhere in a picture (h, w, 3) uint8 RGB."""

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Every face of a picture (h, w, 3) uint8 RGB."""

    def close(self) -> None:
        """Gives back what it holds."""


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

    def place_in_display(self, face: Detection) -> Place:
        """A face that the detector found on the window, in display pixels."""
        back = cv2.invertAffineTransform(self.matrix)
        turn = float(np.arctan2(back[1, 0], back[0, 0]))
        center = back[:, :2] @ face.center + back[:, 2]
        return Place(center, face.size_px / self.scale, face.roll_radians + turn)


View = Callable[[Window], NDArray[np.uint8]]
"""A window -> what is seen through it, (256, 256, 3) uint8 RGB."""


def view_of(frame: Frame, info: VideoInfo) -> View:
    """Windows of a frame, in display pixels."""
    size = (WINDOW_PX, WINDOW_PX)
    return lambda window: sample_rgb(frame, info.color, chain(window.matrix, info.display_from_coded), size)


@dataclass(frozen=True, eq=False)
class SeenFace:
    """A successful landmark call."""

    landmarks: NDArray[np.float64]
    pose: HeadPose
    action_units: NDArray[np.float32]
    """(C,) absolute, in [0, 1]; measured by whoever looked, since that is a thread of its own."""

    @cached_property
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

    @cached_property
    def place(self) -> Place:
        """Where to look for it next."""
        return place_of(self.landmarks)

    @property
    def confidence(self) -> float:
        """1 for a mesh that fits a head as well as 99 % of well-seen faces do (measured), 0 at twice that."""
        return float(np.clip((0.12 - self.pose.residual) / 0.06, 0, 1))

    def fits_better(self, other: SeenFace) -> bool:
        """Whether this mesh fits a head better than the other one does."""
        return self.pose.residual < other.pose.residual

    def face(self, face_id: int) -> Face:
        return Face(
            face_id=face_id,
            landmarks=self.landmarks.astype(np.float32),
            action_units=self.action_units,
            rotation=self.pose.rotation.astype(np.float32),
            confidence=self.confidence,
        )


class Landmarker:
    """The networks and the threads that run them; a context manager.

    Loading takes time, so whoever looks at many videos or pictures keeps one for all of them.
    """

    def __init__(self, tracker: Tracker = "own") -> None:
        self.tracker = tracker
        self.pool = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="track")
        self._runners: queue.SimpleQueue[Runner] = queue.SimpleQueue()
        self._margin = 0.0

    def __enter__(self) -> Self:
        """Raises FaceModelError where the models or what runs them cannot be used."""
        models = read_models()
        with _quiet_stderr():
            for runner in self.pool.map(lambda _: _loaded(self.tracker, models), range(CALLS_AT_ONCE)):
                self._margin = runner.margin
                self._runners.put(runner)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.shutdown(cancel_futures=True)
        with _quiet_stderr():
            while not self._runners.empty():
                self._runners.get().close()

    def window(self, place: Place) -> Window:
        """The window through which a face at that place is seen."""
        return Window.around(place.center, self._margin * place.size_px, place.roll_radians)

    def landmark(self, rgb: NDArray[np.uint8]) -> Seen | None:
        """The best face anywhere in a picture (h, w, 3) uint8 RGB, in its pixels; None where there is none."""
        with self._borrowed() as runner:
            return runner.find(rgb)

    def near(self, picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> Face | None:
        """The face at known landmarks (478, 3) of a picture (H, W, 3) uint8 RGB, in its pixels, seen as
        the tracker sees it. None where there is no face, or it is another one."""
        red, green, blue = cv2.split(picture)
        frame = Frame(0, 0, Fraction(1), (green, blue, red), _RGB)
        size = (WINDOW_PX, WINDOW_PX)
        return self._near(lambda window: sample_rgb(frame, Color("rgb", True), window.matrix, size), landmarks)

    def near_in(self, frame: Frame, info: VideoInfo, landmarks: NDArray[np.floating]) -> Face | None:
        """The same in a frame of a video, in display pixels."""
        return self._near(view_of(frame, info), landmarks)

    def _near(self, view: View, landmarks: NDArray[np.floating]) -> Face | None:
        known = SeenFace(np.asarray(landmarks, np.float64), head_pose(landmarks), np.zeros(COUNT, np.float32))
        seen = self.look(view, known.place)
        return seen.face(0) if seen is not None and is_same(seen, known) else None

    def look(self, view: View, place: Place, *, is_known: bool = True) -> SeenFace | None:
        """The face at about a place, in display pixels; None where there is none.

        A face that is not there, or whose mesh cannot be right, is looked for around. One that turns out to sit
        otherwise than was thought is looked at again where it is. A new one, or one that hardly can be the one
        that was expected, has to be a face there too: what is none (a sleeve, hair) seldom looks like one twice.
        MediaPipe needs none of this, as it asks the detector every time.

        Args:
            view: gives a window's picture (256, 256, 3) uint8 RGB.
            is_known: a face was seen there a moment ago.
        """
        seen = self._seen_at(view, place)
        if self.tracker == "mediapipe":
            return seen
        if seen is None or seen.place.is_another(place) or seen.confidence < SURE_OF_MESH:
            around = self._nearest(view, place)
            found = self._seen_at(view, around) if around is not None else None
            if around is not None and found is not None and (seen is None or found.fits_better(seen)):
                seen, place = found, around
        if seen is None or not seen.place.is_off(place):
            return seen
        return self._seen_at(view, seen.place) or (seen if is_known and not seen.place.is_another(place) else None)

    def _nearest(self, view: View, place: Place) -> Place | None:
        """Where the detector sees a face around a place."""
        around = Window.around(place.center, SEARCH_MARGIN * place.size_px, place.roll_radians)
        faces = self.detect(view(around))
        return around.place_in_display(faces[0]) if faces else None

    def upright(self, view: View, place: Place) -> Place | None:
        """The place of a face that the detector found, with the turn it really has; None where it hardly is one.

        Beyond 90 degrees or so the detector takes chin for brow, and the landmarker follows it: both are sure of
        themselves. Looked at both ways the detector is surer of the right one (measured: by 0.1 and more). A face
        that is upside down is rare, so there it has to be a clear one.

        Args:
            view: gives a window's picture (256, 256, 3) uint8 RGB.
        """
        as_found, over = self._detected(view, place), self._detected(view, place.turned(np.pi))
        score = as_found[0] if as_found else 0.0
        if over is not None and over[0] > score:
            score, place = over
        return None if place.is_upside_down and score < CLEAR_SCORE else place

    def _detected(self, view: View, place: Place) -> tuple[float, Place] | None:
        """How sure the detector is of a face at about a place, once its turn is right, and where it is."""
        score = 0.0
        for _ in range(2):  # as it lies, and as that said
            around = Window.around(place.center, SEARCH_MARGIN * place.size_px, place.roll_radians)
            faces = self.detect(view(around))
            if not faces:
                return None
            score, place = faces[0].score, around.place_in_display(faces[0])
        return score, place

    def _seen_at(self, view: View, place: Place) -> SeenFace | None:
        window = self.window(place)
        return self.see(view(window), window)

    def see(self, rgb: NDArray[np.uint8], window: Window) -> SeenFace | None:
        """What one landmark call on that window's picture (256, 256, 3) finds, in display pixels."""
        with self._borrowed() as runner:
            found = runner.look(_lifted(rgb))
        if found is None or not np.isfinite(found[0]).all():
            return None
        landmarks = window.to_display(found[0])
        pose = head_pose(landmarks)
        return SeenFace(landmarks, pose, measure(pose.canonical(landmarks), BLENDSHAPES, found[1]))

    def detect(self, tile: NDArray[np.uint8]) -> list[Detection]:
        """The detector's faces on a tile (h, w, 3) uint8 RGB, in its pixels."""
        with self._borrowed() as runner:
            return runner.detect(_lifted(tile))

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[Runner]:
        runner = self._runners.get()
        try:
            yield runner
        finally:
            self._runners.put(runner)


def tracker_details(tracker: Tracker) -> dict[str, str]:
    """What tracks, for a report and for the key of what is kept: tracker, backend, hash of the models.

    Raises:
        FaceModelError: what runs the networks is not installed.
    """
    from . import mediapipe_graphs, networks

    backend = networks.backend if tracker == "own" else mediapipe_graphs.backend
    return {"tracker": tracker, "backend": backend(), "model_sha256": SHA256}


def _loaded(tracker: Tracker, models: FaceModels) -> Runner:
    if tracker == "own":
        from .networks import Networks

        return Networks(models)
    from .mediapipe_graphs import MediaPipe

    return MediaPipe.load(models)


def _lifted(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A dark picture (h, w, 3) made brighter, a bright one as it is.

    On a plate at 6 % of its light, action units are off by 0.03 on average instead of 0.08.
    """
    samples = rgb[::8, ::8]
    if np.count_nonzero(samples >= LEAST_LIGHT) >= (1 - _LIGHT_PERCENTILE / 100) * samples.size + 2:
        return rgb  # the usual case, told in a tenth of the time
    light = float(np.percentile(samples, _LIGHT_PERCENTILE))
    if light >= LEAST_LIGHT:
        return rgb
    return cv2.convertScaleAbs(rgb, alpha=min(LEAST_LIGHT / max(light, 1), MOST_GAIN))


def is_same(seen: SeenFace, last: SeenFace) -> bool:
    """Whether a window's face is the one it was opened for, and not a neighbour or a phantom."""
    moved = float(np.linalg.norm(seen.center - last.center))
    return moved < 0.5 * last.size_px and 0.6 < seen.size_px / last.size_px < 1.6


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keeps the runners' start-up chatter, which no setting turns off, from the user's terminal."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)

"""The same models run by MediaPipe itself: the oracle of our own runner, and `--tracker mediapipe`.

The only user of mediapipe, which is an extra: nothing here is loaded unless it is asked for.
"""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retarget.model.blendshapes import BLENDSHAPES

from ..errors import FaceModelError
from ..records import LANDMARKS
from .detections import Detection
from .models import FaceModels

_PICTURE_PX = 256

_REPORTS = (0, 10, 34)
"""From this release on (0.10.35 is the next there is) it opens connections, as a trace of its calls shows."""


def backend() -> str:
    """What runs the networks, for a report.

    Raises:
        FaceModelError: mediapipe is not installed, or of a release that speaks to its maker.
    """
    try:
        version = importlib.metadata.version("mediapipe")
    except importlib.metadata.PackageNotFoundError as error:
        raise FaceModelError(
            "--tracker mediapipe: mediapipe is not installed; pip install 'retarget[mediapipe]', or use own"
        ) from error
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers >= _REPORTS:
        raise FaceModelError(
            f"--tracker mediapipe: mediapipe {version} reports its use over the network; pip install "
            "'retarget[mediapipe]' brings one that does not, or use own"
        )
    return f"mediapipe {version}"


class MediaPipe:
    """One set of mediapipe's graphs; used by one thread at a time."""

    margin = 2.2
    """Wide enough for its detector to find the face again, as it does in every call."""

    def __init__(self, landmarker: Any, detector: Any) -> None:
        self._landmarker, self._detector = landmarker, detector

    @classmethod
    def load(cls, models: FaceModels) -> Self:
        """Ready to run.

        Raises:
            FaceModelError: mediapipe is not installed.
        """
        backend()
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions

        faces = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=models.bundle), num_faces=1, output_face_blendshapes=True
        )
        boxes = vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_buffer=models.detector))
        graphs = cls(
            vision.FaceLandmarker.create_from_options(faces), vision.FaceDetector.create_from_options(boxes)
        )
        blank = np.zeros((_PICTURE_PX, _PICTURE_PX, 3), np.uint8)
        graphs.find(blank)  # the graphs talk when they first run
        graphs.detect(blank)
        return graphs

    def find(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]] | None:
        """Landmarks (478, 3) in pixels and blendshapes (52,) of the best face in a picture (h, w, 3) uint8 RGB."""
        result = self._landmarker.detect(_picture(rgb))
        if not result.face_landmarks or not result.face_blendshapes:
            return None
        height, width = rgb.shape[:2]
        points = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]], np.float64) * (width, height, width)
        shapes = {shape.category_name: shape.score for shape in result.face_blendshapes[0]}
        if points.shape != (LANDMARKS, 3):
            return None
        return points, np.array([shapes[name] for name in BLENDSHAPES], np.float32)

    def look(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]] | None:
        """As `find`: mediapipe looks for the face in the window again."""
        return self.find(rgb)

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Faces in a picture (h, w, 3) uint8 RGB, in its pixels."""
        return [_detection(found, picture.shape) for found in self._detector.detect(_picture(picture)).detections]

    def close(self) -> None:
        """Their __del__ complains at interpreter exit."""
        self._landmarker.close()
        self._detector.close()


def _picture(rgb: NDArray[np.uint8]) -> Any:
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)


def _detection(found: Any, shape: tuple[int, ...]) -> Detection:
    box, (right, left) = found.bounding_box, found.keypoints[:2]
    low = np.array([box.origin_x, box.origin_y], np.float64)
    across = np.array([(left.x - right.x) * shape[1], (left.y - right.y) * shape[0]])
    high = low + np.array([box.width, box.height])
    return Detection(float(found.categories[0].score), low, high, float(np.arctan2(across[1], across[0])))

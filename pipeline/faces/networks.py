"""MediaPipe's three networks, run by LiteRT on the CPU, and what stands around them.

The only user of LiteRT. Of what runs them exactly it is the fastest on a CPU (pipeline/README.md, "Speed");
`retarget.model.face_networks` has them in torch, for whoever needs many faces on a GPU, or gradients.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from retarget.model.blendshapes import BLENDSHAPE_LANDMARKS

from ..records import LANDMARKS
from .detections import DETECTOR_PX, MOST_OVERLAP, Detection, decoded, detection_of, merged
from .following import REGION_MARGIN
from .models import FaceModels

LANDMARKS_PX = 256
"""Side of the picture the landmark network sees."""

LEAST_PRESENCE = 0.5
"""Below it, what was looked at is no face."""

OVERLAP_OF_ONE = 0.5
"""Intersection over union above which two boxes are one face, where the best face is asked for: MediaPipe's
landmarker says 0.5, its detector 0.3."""

_STEPS = 32
"""A pixel is sampled at these many places, each way."""

_CHOSEN = np.array(BLENDSHAPE_LANDMARKS)


def backend() -> str:
    """What runs the networks, for a report."""
    return f"LiteRT {importlib.metadata.version('ai-edge-litert')} on the CPU"


class Networks:
    """One set of the networks; used by one thread at a time."""

    margin = REGION_MARGIN

    def __init__(self, models: FaceModels) -> None:
        self._detector, self._landmarks, self._blendshapes = (
            _Network(data) for data in (models.detector, models.landmarks, models.blendshapes)
        )

    def landmarks(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
        """Landmarks (478, 3) in pixels of a region (256, 256, 3) uint8 RGB with an upright face that fills two
        thirds of it, and how likely it is one, in [0, 1]."""
        points, presence = self._landmarks.run(rgb, 1 / 255)[:2]
        return points.reshape(LANDMARKS, 3).astype(np.float64), float(
            1 / (1 + np.exp(-np.float64(presence.item())))
        )

    def blendshapes(self, points: NDArray[np.float64]) -> NDArray[np.float32]:
        """(52,) scores in [0, 1], in the order of `BLENDSHAPES`, of landmarks (478, 3) in pixels of any size."""
        chosen = points[None, _CHOSEN, :2].astype(np.float32)
        (scores,) = self._blendshapes.run(chosen)
        return scores

    def look(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]] | None:
        """Landmarks (478, 3) in the pixels of a window (256, 256, 3) uint8 RGB opened around a face, as `margin`
        says, and its blendshapes (52,); None where it is none."""
        points, presence = self.landmarks(rgb)
        return (points, self.blendshapes(points)) if presence >= LEAST_PRESENCE else None

    def find(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]] | None:
        """As `look`, of the best face anywhere in a picture (h, w, 3) uint8 RGB, in its pixels."""
        detections = self.detect(rgb, OVERLAP_OF_ONE)
        if not detections:
            return None
        # MediaPipe's region: x and y have scales of their own, as the box is not quite square
        box = self.margin * (detections[0].high - detections[0].low)
        c, s = np.cos(detections[0].roll_radians), np.sin(detections[0].roll_radians)
        back = np.array([[c, -s], [s, c]]) * (box / LANDMARKS_PX)
        matrix = np.c_[back, detections[0].center - back @ (LANDMARKS_PX / 2, LANDMARKS_PX / 2)]
        region = _sampled(rgb, matrix, LANDMARKS_PX, cv2.BORDER_REPLICATE)
        seen, presence = self.landmarks(region)
        points = np.c_[seen[:, :2] @ back.T + matrix[:, 2], seen[:, 2] * box[0] / LANDMARKS_PX]
        return (points, self.blendshapes(points)) if presence >= LEAST_PRESENCE else None

    def detect(self, picture: NDArray[np.uint8], most_overlap: float = MOST_OVERLAP) -> list[Detection]:
        """Faces in a picture (h, w, 3) uint8 RGB, the best first, in its pixels."""
        height, width = picture.shape[:2]
        side = max(width, height)
        corner = np.array([(side - width) / 2, (side - height) / 2])
        scale = side / DETECTOR_PX
        matrix = np.array([[scale, 0, -corner[0]], [0, scale, -corner[1]]])
        small = _sampled(picture, matrix, DETECTOR_PX, cv2.BORDER_CONSTANT)
        raw, logits = self._detector.run(small, 1 / 127.5, -1)
        faces = merged(*decoded(raw[0], logits.reshape(-1)), most_overlap)
        return [detection_of(score, place * side - corner) for score, place in faces]

    def close(self) -> None:
        """Nothing is held that does not go by itself."""


def _sampled(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64], size_px: int, border: int
) -> NDArray[np.uint8]:
    """(size_px, size_px, 3) of a picture (h, w, 3) uint8, as MediaPipe samples it: by pixel numbers, not centres,
    at whole 32nds of a pixel (its OpenCV's way, and no longer ours), without an average where it shrinks.

    Sampled more exactly, landmarks come out up to half a pixel elsewhere.

    Args:
        matrix: (2, 3) from the output's pixels to the picture's.
    """
    numbers = np.arange(size_px, dtype=np.float64)
    at = matrix[:, :1, None] * numbers + matrix[:, 1:2, None] * numbers[:, None] + matrix[:, 2:, None]
    steps = np.rint(at * _STEPS).astype(np.int64)
    whole, (x, y) = np.floor_divide(steps, _STEPS), np.mod(steps, _STEPS)
    place = np.ascontiguousarray(whole.transpose(1, 2, 0).clip(-(1 << 15), (1 << 15) - 1), np.int16)
    between = (y * _STEPS + x).astype(np.uint16)
    return np.asarray(cv2.remap(picture, place, between, cv2.INTER_LINEAR, borderMode=border), np.uint8)


class _Network:
    """One network."""

    def __init__(self, data: bytes) -> None:
        self._interpreter = Interpreter(model_content=data, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def run(self, values: NDArray[Any], scale: float = 1, offset: float = 0) -> list[NDArray[np.float32]]:
        """The outputs for values * scale + offset, each a copy."""
        target = self._interpreter.tensor(self._input)
        np.multiply(values, np.float32(scale), out=target().reshape(values.shape), casting="unsafe")
        if offset:
            np.add(target(), np.float32(offset), out=target())
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

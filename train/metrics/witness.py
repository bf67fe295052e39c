"""A second witness of mouths and eyes: dlib's 68 points, which share nothing with the tracker behind the edits.

dlib's shape predictor (Kazemi & Sullivan 2014) as the `face_recognition` project packs it; comes with
`pip install retarget[evaluate]`, nothing is downloaded. It was trained on iBUG 300-W, whose licence excludes
commercial use: here it measures, and nothing is made with it.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from .identity import packaged_file

_WEIGHTS = "models/shape_predictor_68_face_landmarks.dat"
_FACE_EYES = 2.0
"""Side of the face that the predictor expects, in distances of the outer eye corners."""
_ABOVE_EYES = 0.6
"""How far it reaches above the eyes, likewise."""

_SIZE_PX = 256
"""The predictor's points depend on the size of the face; it sees every one at this."""

_OUTER_EYES = (36, 45)
_LIPS = ((61, 67), (62, 66), (63, 65))
_EYES = (((37, 41), (38, 40)), ((43, 47), (44, 46)))
_EYE_WIDTHS = ((36, 39), (42, 45))


@dataclass(frozen=True)
class Openings:
    """How far a face's mouth and eyes are open."""

    mouth: float
    """Mean gap between the inner lips, in distances of the outer eye corners."""
    eyes: float
    """Mean gap between the lids, in widths of the eye, of both eyes."""


class Witness:
    """Aligned crops -> openings."""

    def __init__(self, weights: Path) -> None:
        self._dlib: Any = importlib.import_module("dlib")
        self._predictor = self._dlib.shape_predictor(str(weights))

    def openings(self, crop: NDArray[np.uint8], spec: CropSpec) -> Openings:
        """Of the face in a crop (S, S, 3) uint8 RGB that is placed as `spec` says, at any size S.

        The face is looked for where the crop has it, so that no other tracker's landmarks have a part in it.
        """
        if crop.shape[0] != _SIZE_PX:
            crop = np.asarray(cv2.resize(crop, (_SIZE_PX, _SIZE_PX), interpolation=cv2.INTER_LINEAR), np.uint8)
        size = _SIZE_PX
        unit = spec.eye_distance_fraction * size
        left, top = 0.5 * (size - _FACE_EYES * unit), spec.eyes_y_fraction * size - _ABOVE_EYES * unit
        box = [round(v) for v in (left, top, left + _FACE_EYES * unit, top + _FACE_EYES * unit)]
        found = self._predictor(np.ascontiguousarray(crop), self._dlib.rectangle(*box))
        return openings_of(np.array([(point.x, point.y) for point in found.parts()], np.float64))


def openings_of(points: NDArray[np.floating]) -> Openings:
    """Of dlib's points (68, 2)."""

    def distance(pair: tuple[int, int]) -> float:
        return float(np.linalg.norm(points[pair[0]] - points[pair[1]]))

    mouth = float(np.mean([distance(pair) for pair in _LIPS])) / max(distance(_OUTER_EYES), 1e-6)
    eyes = [
        float(np.mean([distance(pair) for pair in lids])) / max(distance(width), 1e-6)
        for lids, width in zip(_EYES, _EYE_WIDTHS, strict=True)
    ]
    return Openings(mouth, float(np.mean(eyes)))


def find_witness() -> Witness | None:
    """The witness, or None where its packages are not installed."""
    weights = packaged_file(_WEIGHTS)
    if weights is None or importlib.util.find_spec("dlib") is None:
        return None
    return Witness(weights)

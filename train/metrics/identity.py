"""Who a face is, as a number: by the face descriptor in the package, and by dlib's own, the paper's for ACD.

Both are one network (128 numbers a face; two pictures of one person are usually nearer than 0.6): ours has its
weights in 8 bits and places the face more finely. dlib's comes as the `face_recognition` project packs it, with
`pip install retarget[evaluate]`; nothing is downloaded at run time.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from retarget.model import to_model
from retarget.model.face_chip import FIVE_POINTS
from retarget.model.face_descriptor import face_chips, load_face_descriptor

NOT_INSTALLED = "not measured: install retarget[evaluate]"
"""What a report says where there is no recognition network."""

_WEIGHTS = "models/dlib_face_recognition_resnet_model_v1.dat"


class PackagedDescriptor:
    """Pictures of faces -> descriptors whose l2 distance tells people apart, by the network in the package."""

    def __init__(self) -> None:
        self._network = load_face_descriptor()

    def describe(self, picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
        """(128,) descriptor of the face at `landmarks` (478, >= 2) px, corner-based, in a uint8 RGB picture."""
        with torch.inference_mode():
            placed = torch.as_tensor(np.asarray(landmarks, np.float64))[None]
            found = self._network(face_chips(to_model(picture)[None], placed))
        return np.asarray(found[0].numpy(), np.float64)


class IdentityNetwork:
    """Pictures of faces -> descriptors whose l2 distance tells people apart."""

    def __init__(self, weights: Path) -> None:
        self._dlib: Any = importlib.import_module("dlib")
        self._network = self._dlib.face_recognition_model_v1(str(weights))

    def describe(self, picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
        """(128,) descriptor of the face at `landmarks` (478, >= 2) px, corner-based, in a uint8 RGB picture."""
        corners = np.round(landmarks[list(FIVE_POINTS), :2] - 0.5).astype(int)  # dlib counts from pixel centres
        points = [self._dlib.point(int(x), int(y)) for x, y in corners]
        (left, top), (right, bottom) = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        box = self._dlib.rectangle(int(left), int(top), int(right), int(bottom))
        face = self._dlib.full_object_detection(box, points)
        found = self._network.compute_face_descriptor(np.ascontiguousarray(picture), face)
        return np.array(found, np.float64)


def find_identity_network() -> IdentityNetwork | None:
    """The recognition network, or None where its packages are not installed."""
    weights = packaged_file(_WEIGHTS)
    if weights is None or importlib.util.find_spec("dlib") is None:
        return None
    return IdentityNetwork(weights)


def content_distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """l2 distance of two descriptors; the mean over edits is the paper's ACD."""
    return float(np.linalg.norm(np.asarray(one, np.float64) - other))


def packaged_file(name: str) -> Path | None:
    """A file of the `face_recognition` project's models, None where they are not installed.

    Their package is looked up and never imported: importing it needs pkg_resources, which newer setuptools no
    longer have.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / name).is_file():
            return path
    return None

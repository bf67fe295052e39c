"""The face models that come with the package: read once, and only if they are what they should be."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import FaceModelError

SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
"""Of MediaPipe's `face_landmarker.task`, a zip of three networks."""


@dataclass(frozen=True, eq=False)
class FaceModels:
    """MediaPipe's networks as they are distributed."""

    bundle: bytes
    """The whole `.task` file."""
    detector: bytes
    landmarks: bytes
    blendshapes: bytes
    """A `.tflite` file each."""


def models_path() -> Path:
    """Where the models that come with the package are; the file need not exist."""
    return Path(str(resources.files(__package__))) / "face_landmarker.task"


def read_models(path: Path | None = None) -> FaceModels:
    """The models of a file, by default the package's own.

    Raises:
        FaceModelError: it is missing, truncated, no such file at all, or not the one that is expected.
    """
    path = path or models_path()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FaceModelError(
            f"{path}: the face models cannot be read ({error.strerror or error}); install retarget again"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise FaceModelError(
            f"{path}: is damaged or another file of face models (sha256 {found[:12]}, expected {SHA256[:12]}); "
            "install retarget again"
        )
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        names = ("face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite")
        return FaceModels(data, *(bundle.read(name) for name in names))

"""Crops of the samples' people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.faces import Landmarker, alignment, apply, crop_matrix

SAMPLES = Path(__file__).resolve().parents[3] / "samples"

Crop = tuple[np.ndarray, np.ndarray]
"""A picture (256, 256, 3) uint8 RGB and its landmarks (478, 3) crop px."""


@pytest.fixture(scope="session")
def real_crops() -> list[Crop]:
    """Seven crops of three people: at rest, talking, smiling."""
    pictures = [cv2.imread(str(SAMPLES / "astronaut.png"))]
    for name in ("actress.mp4", "smile.mp4"):
        video = cv2.VideoCapture(str(SAMPLES / name))
        frames = [video.read()[1] for _ in range(31)]
        pictures += frames[::15]
    with Landmarker() as landmarker:
        return [crop for picture in pictures if (crop := _cropped(landmarker, picture[..., ::-1].copy()))]


def _cropped(landmarker: Landmarker, picture: np.ndarray) -> Crop | None:
    seen = landmarker.landmark(picture)
    if seen is None:
        return None
    matrix = crop_matrix(alignment(seen[0]), CropSpec())
    by_number = matrix.copy()
    by_number[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # cv2 counts pixels from their centres
    crop = cv2.warpAffine(picture, by_number, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8), apply(matrix, seen[0]).astype(np.float32)

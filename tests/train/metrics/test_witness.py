"""The second witness: on points made up, and on the samples' people, whose mouths another tracker knows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.train.metrics import witness
from retarget.train.metrics.witness import find_witness, openings_of

needs_dlib = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("dlib", "face_recognition_models")),
    reason="needs retarget[evaluate]",
)


def test_openings_of_points_set_by_hand() -> None:
    points = np.zeros((68, 2))
    points[[36, 45]], points[[39, 42]] = [[0, 0], [90, 0]], [[30, 0], [60, 0]]  # eyes 30 wide
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        points[upper], points[lower] = (15, -3), (15, 3)
    for (upper, lower), gap in zip(((61, 67), (62, 66), (63, 65)), (9, 18, 27), strict=True):
        points[lower] = points[upper] + (0, gap)
    found = openings_of(points)
    assert (found.mouth, found.eyes) == (pytest.approx(0.2), pytest.approx(0.2))


def test_without_the_packages_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_WEIGHTS", "models/none.dat")
    assert find_witness() is None


@needs_dlib
def test_an_open_mouth_is_seen_and_shut_eyes_are(samples: Path) -> None:
    spec, seen = CropSpec(), find_witness()
    assert seen is not None
    portrait = np.asarray(cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB), np.uint8)
    scale = spec.eye_distance_fraction * 256 / 55  # her outer eye corners are 55 px apart
    matrix = np.array([[scale, 0, 128 - scale * 224], [0, scale, spec.eyes_y_fraction * 256 - scale * 114]])
    crop = np.asarray(cv2.warpAffine(portrait, matrix, (256, 256)), np.uint8)
    smile = seen.openings(crop, spec)
    small = seen.openings(np.asarray(cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA), np.uint8), spec)
    assert 0.03 < smile.mouth < 0.2
    assert 0.15 < smile.eyes < 0.45
    assert abs(small.mouth - smile.mouth) < 0.04, "at any size"
    shut = crop.copy()
    for x in (128 - 29, 128 + 29):
        cv2.ellipse(shut, (x, 103), (18, 8), 0, 0, 360, crop[125, x].tolist(), -1)
    assert seen.openings(shut, spec).eyes < smile.eyes

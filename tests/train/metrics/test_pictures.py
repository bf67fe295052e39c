"""Every measure of pictures on numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from retarget.pipeline.faces import canonical_face
from retarget.train.metrics.pictures import (
    dilated,
    edited_region,
    hull_mask,
    masked_absolute,
    mean_absolute,
    mean_square,
    perceptual_distance,
    psnr,
    region_masks,
    sharpness_ratio,
    ssim,
)


def _flat(level: int, size: int = 32) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


def _noise(size: int = 64, seed: int = 0, amplitude: float = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(128 + amplitude * rng.standard_normal((size, size, 1)), 0, 255).astype(np.uint8).repeat(3, 2)


def test_l1_and_psnr_are_on_full_range() -> None:
    assert mean_absolute(_flat(0), _flat(51)) == pytest.approx(0.2)
    assert mean_square(_flat(51), _flat(0)) == pytest.approx(0.04)
    assert psnr(0.01) == pytest.approx(20)
    assert psnr(0.0) == math.inf


def test_ssim_is_one_for_the_same_and_less_for_a_blurred_picture() -> None:
    picture = _noise()
    assert ssim(picture, picture) == pytest.approx(1, abs=1e-5)
    # Two flat pictures differ in luminance alone: (2ab + c1) / (a^2 + b^2 + c1).
    a, b, c1 = 100 / 255, 150 / 255, 0.01**2
    wanted = (2 * a * b + c1) / (a * a + b * b + c1)
    assert ssim(_flat(100), _flat(150)) == pytest.approx(wanted, abs=1e-3)


def test_the_edited_region_is_the_changed_pixels_and_their_neighbours() -> None:
    after = _flat(100)
    after[10, 10] += 2  # below what counts
    after[20, 20, 1] += 3
    only = np.zeros((32, 32), bool)
    only[20, 20] = True
    np.testing.assert_array_equal(edited_region(_flat(100), after), dilated(only, 2))


def test_dilated_by_one_is_a_cross() -> None:
    only = np.zeros((5, 5), bool)
    only[2, 2] = True
    assert np.argwhere(dilated(only, 1)).tolist() == [[1, 2], [2, 1], [2, 2], [2, 3], [3, 2]]


def test_sharpness_ratio_is_the_amplitude_of_detail_that_is_left() -> None:
    picture = _noise(amplitude=40)
    halved = (128 + (picture.astype(float) - 128) / 2).round().astype(np.uint8)
    ratio = sharpness_ratio(picture, halved)
    assert ratio is not None
    assert ratio == pytest.approx(0.5, abs=0.01)


def test_sharpness_counts_only_where_something_was_edited() -> None:
    picture = _noise()
    edited = picture.copy()
    edited[:20, :20] = 128  # flat there, untouched elsewhere
    ratio = sharpness_ratio(picture, edited)
    assert ratio is not None
    assert ratio < 0.5  # over the whole picture it would be 0.95
    assert sharpness_ratio(picture, picture) is None
    assert sharpness_ratio(_flat(100), _flat(200)) is None


def test_hull_mask_of_a_square() -> None:
    square = np.array([[4, 4], [12, 4], [12, 12], [4, 12], [8, 8]], float)
    mask = hull_mask(square, 16)
    assert mask[4:12, 4:12].all()
    assert mask.sum() <= 9 * 9  # OpenCV counts pixels on the edge


def test_region_masks_cover_lips_and_eyes_and_not_each_other() -> None:
    points = 40 * canonical_face() + (64, 50, 0)
    masks = region_masks(points, 128)
    for index, region in ((13, "mouth"), (17, "mouth"), (159, "eyes"), (386, "eyes")):
        x, y = points[index, :2].astype(int)
        assert masks[region][y, x], index
    assert not (masks["mouth"] & masks["eyes"]).any()
    nose_x, nose_y = points[4, :2].astype(int)
    assert not masks["mouth"][nose_y, nose_x]
    assert 0 < masks["mouth"].mean() < 0.2


def test_masked_absolute_looks_inside_only() -> None:
    other = _flat(0)
    other[:16] = 51
    mask = np.zeros((32, 32), bool)
    mask[:16] = True
    assert masked_absolute(_flat(0), other, mask) == pytest.approx(0.2)
    assert masked_absolute(_flat(0), other, ~mask) == 0
    assert math.isnan(masked_absolute(_flat(0), other, np.zeros((32, 32), bool)))


def test_perceptual_distance_of_orthogonal_features_is_two_inside_the_mask() -> None:
    one = torch.zeros(1, 2, 8, 8)
    one[:, 0] = 3.0
    other = one.clone()
    other[:, :, :4] = torch.tensor([0.0, 5.0])[None, :, None, None]  # orthogonal in the upper half
    upper = torch.zeros(1, 1, 16, 16)
    upper[:, :, :8] = 1
    assert perceptual_distance([one], [other], upper) == pytest.approx(2)
    assert perceptual_distance([one], [other], 1 - upper) == pytest.approx(0)
    assert perceptual_distance([one, one], [other, one], upper) == pytest.approx(1)  # the mean of the levels
    assert perceptual_distance([one], [one * 7], upper) == pytest.approx(0, abs=1e-6)  # lengths do not count

"""Crops of mouth and eyes sit where the landmarks say."""

import torch

from retarget.model.mesh import LEFT_EYE, MOUTH, RIGHT_EYE
from retarget.train.gan.regions import EYE_SIDE, MOUTH_SIDE, eye_crops, feature_mask, mouth_crops


def points_at(mouth: tuple[float, float], right: tuple[float, float], left: tuple[float, float]) -> torch.Tensor:
    points = torch.zeros(1, 478, 3)
    for (upper, lower), place in ((MOUTH, mouth), (RIGHT_EYE, right), (LEFT_EYE, left)):
        points[0, [*upper, *lower], :2] = torch.tensor(place, dtype=torch.float32)
    return points


def test_a_crop_shows_the_pixels_around_its_middle() -> None:
    # a picture whose red is its x and whose green is its y, both of pixel centres
    size = 100
    axis = torch.arange(size) + 0.5
    picture = torch.stack([axis.expand(size, size), axis[:, None].expand(size, size), torch.zeros(size, size)])[
        None
    ]
    points = points_at((50, 70), (30, 40), (70, 40))
    side = round(MOUTH_SIDE * size)
    mouth = mouth_crops(picture, points, side)  # a pixel of the crop is a pixel of the picture
    assert mouth.shape == (1, 3, side, side)
    torch.testing.assert_close(mouth[0, 0, 0], 50 - side / 2 + torch.arange(side) + 0.5, atol=1e-3, rtol=0)
    torch.testing.assert_close(mouth[0, 1, :, 0], 70 - side / 2 + torch.arange(side) + 0.5, atol=1e-3, rtol=0)
    side = round(EYE_SIDE * size)
    right, left = eye_crops(picture, points, side)
    torch.testing.assert_close(right[0, 0], 30 - side / 2 + torch.arange(side) + 0.5, atol=1e-3, rtol=0)
    torch.testing.assert_close(left[0, 0], 70 + side / 2 - torch.arange(side) - 0.5, atol=1e-3, rtol=0)  # mirrored


def test_gradients_reach_the_picture() -> None:
    picture = torch.zeros(1, 3, 64, 64, requires_grad=True)
    mouth_crops(picture, points_at((32, 40), (20, 20), (40, 20)), 16).sum().backward()
    assert picture.grad is not None
    assert picture.grad[0, 0, 40, 32] > 0
    assert picture.grad[0, 0, 2, 2] == 0


def test_the_mask_covers_the_features_and_nothing_far() -> None:
    mask = feature_mask(points_at((50, 70), (30, 40), (70, 40)), 100)[0, 0]
    assert mask.max() == 1
    assert [mask[y, x].item() for x, y in ((50, 70), (30, 40), (70, 40))] == [1, 1, 1]
    assert [mask[y, x].item() for x, y in ((5, 5), (50, 95), (95, 60))] == [0, 0, 0]
    assert 0 < mask[70, 50 + 15] < 1  # a soft edge, within a radius of 18

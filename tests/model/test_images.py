import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from retarget.model.images import box_mean, from_model, to_model, warp


def test_ends_and_middle_of_the_range() -> None:
    image = to_model(np.array([[[0, 255, 51]]], np.uint8))
    assert image.shape == (3, 1, 1)
    assert image.flatten().tolist() == pytest.approx([-1.0, 1.0, -0.6])


def test_all_values_come_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(from_model(to_model(pixels)).numpy(), pixels)


def test_axes_keep_their_order() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    image = to_model(pixels)
    assert image.shape == (2, 3, 5, 7)
    assert image[1, 2, 3, 4].item() == pytest.approx(pixels[1, 3, 4, 2] / 127.5 - 1)


def test_numpy_and_tensor_agree_and_inputs_stay() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
    before = pixels.copy()
    assert torch.equal(to_model(pixels), to_model(torch.from_numpy(pixels)))
    assert np.array_equal(pixels, before)


def test_read_only_and_backwards_arrays() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (4, 6, 3), np.uint8)
    expected = to_model(pixels[::-1].copy())
    pixels.flags.writeable = False
    assert torch.equal(to_model(pixels[::-1]), expected)


def test_from_model_rounds_and_clips() -> None:
    levels = torch.tensor([-3.0, -1.0, 0.001, 1.0, 2.0]).view(1, 1, 5).expand(3, 1, 5)
    assert from_model(levels)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 3), np.uint8)]
)
def test_to_model_refuses(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected \(..., H, W, 3\) uint8 pixels, got"):
        to_model(wrong)


@pytest.mark.parametrize("wrong", [torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(4, 4, 3)])
def test_from_model_refuses(wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected a \(..., 3, H, W\) float image, got"):
        from_model(wrong)


def random_image(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_no_flow_is_an_exact_identity() -> None:
    image = random_image(32, 64)
    assert torch.equal(warp(image, torch.zeros(1, 2, 32, 64)), image)


def test_whole_pixel_moves_are_exact_and_point_the_right_way() -> None:
    image = random_image(32, 64)
    flow = torch.zeros(1, 2, 32, 64)
    flow[:, 0], flow[:, 1] = 3, -2
    moved = warp(image, flow)
    assert torch.equal(moved[..., 2:, :-3], image[..., :-2, 3:])  # output p shows p + (3, -2)
    assert torch.equal(moved[..., 2:, -3:], image[..., :-2, -1:].expand(-1, -1, -1, 3))  # the edge repeats


def test_warp_agrees_with_scipy_at_an_odd_size() -> None:
    image = random_image(19, 23)
    flow = torch.randn(1, 2, 19, 23, generator=torch.Generator().manual_seed(4)) * 4
    rows, columns = np.mgrid[:19, :23].astype(np.float64)
    where = [rows + flow[0, 1].numpy(), columns + flow[0, 0].numpy()]
    expected = [map_coordinates(c.double().numpy(), where, order=1, mode="nearest") for c in image[0]]
    assert np.allclose(warp(image, flow)[0].numpy(), np.stack(expected), atol=2e-5)


def test_half_precision_images_are_sampled_at_precise_places() -> None:
    ramp = torch.arange(512).expand(1, 1, 4, 512).half() / 512
    flow = torch.zeros(1, 2, 4, 512, dtype=torch.float16)
    assert torch.equal(warp(ramp, flow), ramp)


def test_warp_passes_gradients_to_both_inputs() -> None:
    image = torch.rand(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    # Away from whole positions, where bilinear sampling has a kink.
    flow = torch.full((1, 2, 4, 4), 0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(warp, (image, flow))


def test_warp_refuses_a_flow_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"needs a \(1, 2, 8, 8\) flow, got \(1, 2, 4, 4\)"):
        warp(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 4, 4))


@pytest.mark.parametrize("radius_px", [0, 1, 4])
def test_thebox_mean_is_the_average_pool(radius_px: int) -> None:
    maps = torch.rand(2, 2, 40, 24)
    pooled = torch.nn.functional.avg_pool2d(maps, 2 * radius_px + 1, 1, radius_px, count_include_pad=False)
    torch.testing.assert_close(box_mean(maps, radius_px), pooled)
    assert not box_mean(torch.zeros(1, 1, 16, 16), radius_px).any()

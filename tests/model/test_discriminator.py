import json
from typing import Any

import pytest
import torch

from retarget.model.discriminator import Discriminator, DiscriminatorConfig


def make(**changes: Any) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(DiscriminatorConfig(**({"width": 2, "au_count": 5, "crop_px": 128} | changes)))


@pytest.mark.parametrize(("crop_px", "patches"), [(128, 2), (256, 4)])
def test_shapes(crop_px: int, patches: int) -> None:
    judged = make(crop_px=crop_px)(torch.randn(3, 3, crop_px, crop_px))
    assert judged.realism.shape == (3, 1, patches, patches)
    assert judged.au.shape == (3, 5)
    assert [x.shape[1] for x in judged.features] == [2, 4, 8, 16, 32, 64]
    assert [x.shape[-1] for x in judged.features] == [crop_px // 2 ** (i + 1) for i in range(6)]


def test_parameters_by_hand() -> None:
    widths = [3, 2, 4, 8, 16, 32, 64]
    convs = sum(16 * widths[i] * widths[i + 1] + widths[i + 1] for i in range(6))
    heads = 9 * 64 + 2 * 2 * 64 * 5
    assert sum(p.numel() for p in make().parameters()) == convs + heads


def test_gradients_reach_every_parameter() -> None:
    critic = make()
    judged = critic(torch.randn(2, 3, 128, 128))
    (judged.realism.square().sum() + judged.au.square().sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in critic.parameters())


def test_gradient_penalty_can_be_differentiated() -> None:
    """WGAN-GP needs the gradient of a gradient."""
    critic, image = make(), torch.randn(2, 3, 128, 128, requires_grad=True)
    (slope,) = torch.autograd.grad(critic(image).realism.sum(), image, create_graph=True)
    (slope.flatten(1).norm(dim=1) - 1).square().mean().backward()
    assert critic.realism_head.weight.grad is not None
    assert critic.realism_head.weight.grad.abs().sum() > 0


def test_samples_are_judged_alone() -> None:
    critic, image = make(), torch.randn(2, 3, 128, 128)
    assert torch.allclose(critic(image).au[1:], critic(image[1:]).au, atol=1e-5)


def test_leak_is_a_hundredth() -> None:
    critic = make()
    pre = critic.layers[0][0](torch.randn(1, 3, 128, 128))
    assert torch.equal(critic.layers[0][1](pre), torch.where(pre > 0, pre, 0.01 * pre))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="crop_px is 100, expected a multiple of 64"):
        make(crop_px=100)
    with pytest.raises(ValueError, match=r"DiscriminatorConfig\.width is 0"):
        make(width=0)
    with pytest.raises(ValueError, match=r"image is \(1, 3, 64, 64\), this critic judges \(B, 3, 128, 128\)"):
        make()(torch.zeros(1, 3, 64, 64))


def test_config_survives_json() -> None:
    one = DiscriminatorConfig(width=8, crop_px=128)
    assert DiscriminatorConfig(**json.loads(json.dumps(one.as_json()))) == one

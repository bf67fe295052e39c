"""Networks start as they are told."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from retarget.model.discriminator import Discriminator, DiscriminatorConfig
from retarget.model.ganimation import GanimationConfig, GanimationGenerator
from retarget.train.gan.initial import start_normal
from retarget.train.gan.load import load_options


def test_convolutions_start_normal_and_norms_stay() -> None:
    torch.manual_seed(0)
    generator = GanimationGenerator(GanimationConfig(width=16, residual_blocks=1))
    start_normal(generator, 0.02)
    convolutions = [m for m in generator.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert any(isinstance(layer, nn.ConvTranspose2d) for layer in convolutions)
    for layer in convolutions:
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert abs(layer.weight.mean().item()) < 0.002
    norms = [m for m in generator.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert all(bool((norm.weight == 1).all()) for norm in norms)


def test_biases_start_at_nothing() -> None:
    critic = Discriminator(DiscriminatorConfig(width=4, layers=2, crop_px=32))
    start_normal(critic, 0.02)
    biases = [m.bias for m in critic.modules() if isinstance(m, nn.Conv2d) and m.bias is not None]
    assert biases
    assert not any(bool(bias.any()) for bias in biases)


def test_the_papers_networks_start_as_in_the_released_code() -> None:
    for name in ("paper", "paper-kmsf1", "ganimation-relative"):
        assert load_options(name).generator.initial_std == 0.02
    assert load_options("default").generator.initial_std is None

import json

import pytest
import torch
from torch import nn

from retarget.model.blocks import BlockStyle
from retarget.model.ganimation import GanimationConfig, GanimationGenerator, ResidualBlock
from retarget.model.generator import compose

TINY = GanimationConfig(width=4, residual_blocks=2, au_count=3)


def make() -> GanimationGenerator:
    torch.manual_seed(0)
    return GanimationGenerator(TINY)


def test_parameters_by_hand() -> None:
    w, c, blocks = 4, 3, 2
    norms = 2 * (w + 2 * w + 4 * w + blocks * 2 * 4 * w + 2 * w + w)
    weights = 49 * (3 + c) * w + 16 * w * 2 * w + 16 * 2 * w * 4 * w + blocks * 2 * 9 * (4 * w) ** 2
    weights += 16 * 4 * w * 2 * w + 16 * 2 * w * w + 49 * w * 4
    assert sum(p.numel() for p in make().parameters()) == norms + weights


def test_published_size() -> None:
    with torch.device("meta"):
        generator = GanimationGenerator(GanimationConfig(au_count=17))
    assert sum(p.numel() for p in generator.parameters()) == pytest.approx(8.5e6, rel=0.02)


def test_the_edit_is_still_and_bounded() -> None:
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    edit = make()(image, torch.rand(2, 3))
    assert edit.flow.count_nonzero() == edit.shade.count_nonzero() == 0
    assert edit.mask.shape == (2, 1, 32, 32)
    assert 0 < edit.mask.min() < edit.mask.max() < 1
    assert edit.paint.abs().max() <= 1


def test_full_attention_keeps_the_image() -> None:
    """GANimation's A says what to keep, so A = 1 is the identity and A = 0 the colour image."""
    generator, image = make(), torch.rand(1, 3, 32, 32) * 2 - 1
    generator.attention = AlwaysAnswer(50.0)
    assert torch.equal(compose(image, generator(image, torch.ones(1, 3))), image)
    generator.attention = AlwaysAnswer(-200.0)
    edit = generator(image, torch.ones(1, 3))
    assert torch.allclose(compose(image, edit), edit.paint, atol=1e-6)


class AlwaysAnswer(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full_like(x[:, :1], self.value)


def test_residual_blocks_add_to_their_input() -> None:
    block, x = ResidualBlock(4, style=BlockStyle("instance", kernel=3)), torch.randn(1, 4, 8, 8)
    assert not torch.equal(block(x), x)
    nn.init.zeros_(block.norm.weight)
    assert torch.equal(block(x), x)


def test_gradients_reach_every_parameter() -> None:
    generator, image = make(), torch.rand(2, 3, 32, 32)
    compose(image, generator(image, torch.rand(2, 3))).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())


def test_config_survives_json_and_refuses() -> None:
    assert GanimationConfig(**json.loads(json.dumps(TINY.as_json()))) == TINY
    with pytest.raises(ValueError, match=r"GanimationConfig\.width is 0, expected a number from 1"):
        GanimationConfig(width=0)

"""GANimation's generator (Pumarola et al. 2018), the paper's baseline, from its published description.

It answers with a colour image and an attention mask of what to *keep*: `(1 - A) * colour + A * image`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import BlockStyle, ConvBlock, with_planes
from .generator import Edit, EditInput, Head
from .network_configs import GanimationConfig as GanimationConfig


class GanimationGenerator(Head):
    """(image, condition) -> Edit. The condition is absolute action units, or relative ones ("w/ v_rel")."""

    config: GanimationConfig

    def __init__(self, config: GanimationConfig) -> None:
        super().__init__()
        self.config = config
        self.geometry = None
        width = config.width
        wide = BlockStyle("instance", kernel=7)
        narrow = BlockStyle("instance", kernel=3)
        self.body = nn.Sequential(
            ConvBlock(3 + config.au_count, width, style=wide),
            ConvBlock(width, 2 * width, style=narrow, size="half"),
            ConvBlock(2 * width, 4 * width, style=narrow, size="half"),
            *(ResidualBlock(4 * width, style=narrow) for _ in range(config.residual_blocks)),
            ConvBlock(4 * width, 2 * width, style=narrow, size="double"),
            ConvBlock(2 * width, width, style=narrow, size="double"),
        )
        self.color = nn.Conv2d(width, 3, 7, padding=3, bias=False)
        self.attention = nn.Conv2d(width, 1, 7, padding=3, bias=False)

    @property
    def moves(self) -> bool:
        return False

    @property
    def learnt(self) -> nn.Module:
        return self

    def edit(self, given: EditInput, condition: Tensor) -> Edit:
        edit: Edit = self(given.image, condition)
        return edit

    def forward(self, image: Tensor, condition: Tensor) -> Edit:
        """The edit for `image` (B, 3, S, S) in [-1, 1], S a multiple of 4, and `condition` (B, C)."""
        features = self.body(with_planes(image, condition))
        kept = self.attention(features).sigmoid()
        still = image.new_zeros(image.shape[0], 2, *image.shape[2:])
        return Edit(still, 1 - kept, paint=self.color(features).tanh(), shade=torch.zeros_like(image))


class ResidualBlock(nn.Module):
    """x + norm(conv(block(x))): two convolutions, no activation after the sum."""

    def __init__(self, channels: int, *, style: BlockStyle) -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels, style=style)
        self.second = nn.Conv2d(channels, channels, style.kernel, padding=style.kernel // 2, bias=False)
        self.norm = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of x (B, channels, H, W)."""
        change: Tensor = self.norm(self.second(self.first(x)))
        return x + change

"""GANimation's generator (Pumarola et al. 2018), the paper's baseline, from its published description.

It answers with a colour image and an attention mask of what to *keep*: `(1 - A) * colour + A * image`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from . import action_units
from .blocks import BlockStyle, ConvBlock, with_planes
from .generator import Edit, EditInput, Head


@dataclass(frozen=True)
class GanimationConfig:
    """What is needed besides the tensors to rebuild a GanimationGenerator. Plain types, for JSON."""

    width: int = 64
    """Channels at full size."""
    residual_blocks: int = 6
    au_count: int = action_units.COUNT
    """C, the length of the condition."""
    crop_px: int = 128
    """S, the side of the crops it was trained on; it is convolutional and works on any multiple of 4."""

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("residual_blocks", 0), ("au_count", 1), ("crop_px", 16)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"GanimationConfig.{name} is {value!r}, expected a number from {least}")

    def as_json(self) -> dict[str, Any]:
        """Plain types, ready for `json.dump`."""
        return asdict(self)


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

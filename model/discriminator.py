"""The critic: is it real, and which expression does it show (paper, section 3.2; GANimation's network)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from torch import Tensor, nn

from .network_configs import DiscriminatorConfig as DiscriminatorConfig


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the critic says of a batch."""

    realism: Tensor
    """(B, 1, h, w) with h = w = S / 2**layers: a Wasserstein critic's score per patch, unbounded."""
    au: Tensor
    """(B, C): the absolute action units it sees; unbounded, trained towards [0, 1]."""
    features: tuple[Tensor, ...]
    """Per layer (B, width * 2**i, S / 2**(i + 1), ...), for feature matching."""


class Discriminator(nn.Module):
    """Image -> Judgement. No norm layer: the gradient penalty is per sample, norms mix or rescale it."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [3, *(config.width * 2**i for i in range(config.layers))]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(narrow, wide, 4, stride=2, padding=1), nn.LeakyReLU(0.01))
            for narrow, wide in itertools.pairwise(widths)
        )
        self.realism_head = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)
        self.au_head = nn.Conv2d(widths[-1], config.au_count, config.crop_px // 2**config.layers, bias=False)

    def forward(self, image: Tensor) -> Judgement:
        """The judgement of `image` (B, 3, S, S) in [-1, 1].

        Raises:
            ValueError: the image has another size.
        """
        size = self.config.crop_px
        if image.shape[1:] != (3, size, size):
            raise ValueError(f"image is {tuple(image.shape)}, this critic judges (B, 3, {size}, {size})")
        features = []
        x = image
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return Judgement(self.realism_head(x), self.au_head(x).flatten(1), tuple(features))

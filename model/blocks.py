"""The layers every network here is made of: convolutions, conditioning, and the multi-scale fusion (MSF).

Relative action units enter in one of two ways. *Planes* is the paper's: constant planes beside the features,
then convolution and norm. Instance norm subtracts what is constant over a channel, so such planes act only
through the zero padding at the picture's edge. *Modulation* computes the same linear function of the action
units per channel, plus a gain, and applies it after the norm, where nothing takes it away again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .network_configs import Norm as Norm

Activation = Literal["relu", "leaky"]
Conditioning = Literal["planes", "modulation"]
Size = Literal["same", "half", "double"]

_RESAMPLE = 4
"""Kernel of every stride-2 layer (paper, section 3.2)."""


@dataclass(frozen=True)
class BlockStyle:
    """What all blocks of one network have in common."""

    norm: Norm
    kernel: int = 5
    """Of the layers that keep the resolution (odd)."""
    separable: bool = False
    """Depthwise, then 1x1, instead of dense, in the layers that keep the resolution."""
    conditioning: Conditioning = "planes"


class ConvBlock(nn.Module):
    """Convolution, norm, activation; `size` says how the output's sides compare with the input's."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        style: BlockStyle,
        size: Size = "same",
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.conv = _convolution(in_channels, out_channels, style, size)
        self.norm = _norm(style.norm, out_channels)
        self.activation = nn.ReLU() if activation == "relu" else nn.LeakyReLU(0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(B, out, H, W), its sides as `size` says, for x (B, in, H, W)."""
        out: Tensor = self.activation(self.norm(self.conv(x)))
        return out


class ConditionedBlock(ConvBlock):
    """A ConvBlock that also hears the relative action units: (B, in, H, W), (B, C) -> (B, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, au_count: int, *, style: BlockStyle) -> None:
        planes = au_count if style.conditioning == "planes" else 0
        super().__init__(in_channels + planes, out_channels, style=style)
        self.modulation = None if planes else nn.Linear(au_count, 2 * out_channels, bias=False)

    def forward(self, x: Tensor, delta_au: Tensor) -> Tensor:  # type: ignore[override]
        """(B, out, H, W) for x (B, in, H, W) and delta_au (B, C)."""
        if self.modulation is None:
            planes = with_planes(x, delta_au)
            return super().forward(planes)
        gain, shift = self.modulation(delta_au)[:, :, None, None].chunk(2, dim=1)
        out: Tensor = self.activation(self.norm(self.conv(x)) * (1 + gain) + shift)
        return out


def with_planes(x: Tensor, condition: Tensor) -> Tensor:
    """(B, N + C, H, W): features (B, N, H, W) with each entry of condition (B, C) as one constant plane."""
    planes = condition[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes.to(x.dtype)], dim=1)


class MultiScaleFusion(nn.Module):
    """The MSF module (paper, section 3.3): a skip connection that edits the features it carries.

    Inputs are the encoder's features f_i (B, fine, H, W), the next deeper fusion f'_{i+1}
    (B, coarse, H/2, W/2) and the relative action units; the output f'_i is (B, fine, H, W):

        fine   = conv [f_i, v]                 coarse  = [down [f_i, v], f'_{i+1}]
        fine'  = [conv fine, up coarse]        coarse' = [down fine, conv coarse]
        f'_i   = conv [fine', up coarse']
    """

    def __init__(self, fine: int, coarse: int, au_count: int, *, style: BlockStyle) -> None:
        super().__init__()
        self.enter = ConditionedBlock(fine, fine, au_count, style=style)
        # Modulated features already carry the condition; with planes the paper concatenates it here as well.
        self.enter_is_planes = style.conditioning == "planes"
        beside = au_count if self.enter_is_planes else 0
        self.descend = ConvBlock(fine + beside, coarse // 2, style=style, size="half", activation="leaky")
        self.exchange = _Exchange(fine, coarse + coarse // 2, coarse, style=style)
        self.ascend = ConvBlock(coarse, fine, style=style, size="double", activation="leaky")
        self.leave = ConvBlock(2 * fine, fine, style=style)

    def forward(self, features: Tensor, deeper: Tensor, delta_au: Tensor) -> Tensor:
        """f'_i, from f_i, f'_{i+1} and v as above."""
        fine = self.enter(features, delta_au)
        below = self.descend(with_planes(features, delta_au) if self.enter_is_planes else fine)
        fine, coarse = self.exchange(fine, torch.cat([below, deeper], dim=1))
        out: Tensor = self.leave(torch.cat([fine, self.ascend(coarse)], dim=1))
        return out


class _Exchange(nn.Module):
    """Two resolutions in, two out, each half from itself and half from the other."""

    def __init__(self, fine: int, coarse_in: int, coarse: int, *, style: BlockStyle) -> None:
        super().__init__()
        self.stay_fine = ConvBlock(fine, fine - fine // 2, style=style)
        self.rise = ConvBlock(coarse_in, fine // 2, style=style, size="double", activation="leaky")
        self.sink = ConvBlock(fine, coarse // 2, style=style, size="half", activation="leaky")
        self.stay_coarse = ConvBlock(coarse_in, coarse - coarse // 2, style=style)

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        return (
            torch.cat([self.stay_fine(fine), self.rise(coarse)], dim=1),
            torch.cat([self.sink(fine), self.stay_coarse(coarse)], dim=1),
        )


class MsfUNet(nn.Module):
    """U-Net whose `k_msf` deepest skips are MSF modules (all of them: the paper's generator).

    With four levels and width w: a stem at full size with w channels, four halvings to 2w, 4w, 8w, 8w, and
    three skips at 1/8, 1/4 and 1/2 of the size. The paper's k_MSF counts MSF modules among these three; it
    grows from the deepest because each module needs the fusion below it, and the lowest one takes the
    bottleneck as its f'_{i+1}. Channels stop at 8w, as in the authors' trainer.

    The action units also enter at the bottleneck, as in that trainer, and not at the picture: without it
    k_msf = 0 would be unconditional, and there (8x8 for a 128 px picture) zero padding reaches three quarters
    of the positions, so that constant planes survive an instance norm; at the picture they hardly would.
    """

    def __init__(
        self, in_channels: int, width: int, *, levels: int, k_msf: int, au_count: int, style: BlockStyle
    ) -> None:
        super().__init__()
        sizes = [width * min(2**i, 8) for i in range(levels + 1)]
        self.widths = tuple(sizes)
        """Channels at 1, 1/2, 1/4, ... of the size."""
        # The inputs differ in kind, so the stem is always dense; at full size a large dense kernel is dear.
        dense = BlockStyle(style.norm, 3 if style.separable else style.kernel)
        self.stem = ConvBlock(in_channels, width, style=dense, activation="leaky")
        self.downs = nn.ModuleList(
            ConvBlock(sizes[i], sizes[i + 1], style=style, size="half", activation="leaky") for i in range(levels)
        )
        self.bottleneck = ConditionedBlock(sizes[-1], sizes[-1], au_count, style=style)
        skips = range(levels - 1, 0, -1)
        self.fusions = nn.ModuleList(
            MultiScaleFusion(sizes[i], sizes[i + 1], au_count, style=style) for i in list(skips)[:k_msf]
        )
        """Deepest first."""
        self.ups = nn.ModuleList(
            ConvBlock(sizes[i] * (1 if i == levels else 2), sizes[i - 1], style=style, size="double")
            for i in range(levels, 0, -1)
        )
        """Deepest first."""

    def forward(self, x: Tensor, delta_au: Tensor) -> list[Tensor]:
        """The decoder's features for x (B, in, H, W) and delta_au (B, C), deepest first.

        Item j is (B, widths[levels - 1 - j], H / 2^(levels - 1 - j), ...); the last one has full size.
        """
        encoded = [self.stem(x)]
        for down in self.downs:
            encoded.append(down(encoded[-1]))
        fused = out = self.bottleneck(encoded.pop(), delta_au)
        decoded = []
        for depth, up in enumerate(self.ups):
            out = up(out)
            decoded.append(out)
            skip = encoded.pop()
            if depth == len(self.ups) - 1:
                break  # full size has no skip: only the stem is there
            if depth < len(self.fusions):
                skip = fused = self.fusions[depth](skip, fused, delta_au)
            out = torch.cat([out, skip], dim=1)
        return decoded


def zero_initialised(conv: nn.Conv2d) -> nn.Conv2d:
    """The same layer, answering 0 to everything until it is trained."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _convolution(in_channels: int, out_channels: int, style: BlockStyle, size: Size) -> nn.Module:
    bias = style.norm == "none"  # a norm's own shift makes another one idle
    if size == "double":
        return nn.ConvTranspose2d(in_channels, out_channels, _RESAMPLE, stride=2, padding=1, bias=bias)
    if size == "half":
        return nn.Conv2d(in_channels, out_channels, _RESAMPLE, stride=2, padding=1, bias=bias)
    same = style.kernel // 2
    if not style.separable:
        return nn.Conv2d(in_channels, out_channels, style.kernel, padding=same, bias=bias)
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, style.kernel, padding=same, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=bias),
    )


def _norm(norm: Norm, channels: int) -> nn.Module:
    if norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.GroupNorm(math.gcd(channels, 8), channels) if norm == "group" else nn.Identity()

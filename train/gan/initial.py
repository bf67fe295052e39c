"""How networks start, where that is not as torch has it."""

from __future__ import annotations

from torch import nn


def start_normal(module: nn.Module, std: float) -> None:
    """Every convolution starts as N(0, std) with a bias of 0, as in the released code of both papers (0.02)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

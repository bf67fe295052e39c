"""Exponential moving average of weights: what is evaluated and shipped."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def averaged(module: M) -> M:
    """A copy of the module to hold the average; never trained itself."""
    return copy.deepcopy(module).requires_grad_(False).eval()


@torch.no_grad()
def update(average: nn.Module, module: nn.Module, *, decay: float, step: int) -> None:
    """average = d * average + (1 - d) * module, with d = min(decay, (1 + step) / (10 + step)).

    So the first steps, from random weights, are soon forgotten. Buffers are copied.
    """
    keep = min(decay, (1 + step) / (10 + step))
    for mean, value in zip(average.parameters(), module.parameters(), strict=True):
        mean.lerp_(value, 1 - keep)
    for kept, current in zip(average.buffers(), module.buffers(), strict=True):
        kept.copy_(current)

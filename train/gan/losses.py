"""The losses: pure functions of tensors. Weights and which of them apply are the options' business.

Equations are those of Ling et al. 2020 (section 3.4), mask losses GANimation's (Pumarola et al. 2018). A critic's
score of a picture is the mean of its patch map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E D(fake) - E D(real), to be minimised: the first two terms of Eq. 3, negated. Any shapes of scores."""
    return fake.mean() - real.mean()


def adversarial_loss(fake: Tensor) -> Tensor:
    """-E D(fake), to be minimised by the generator (Eq. 4, negated)."""
    return -fake.mean()


def gradient_penalty(
    score: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    alpha: Tensor,
    *,
    of: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """E (|grad D(x^)|_2 - 1)^2 on x^ = alpha * real + (1 - alpha) * fake (Eq. 3; Gulrajani et al. 2017).

    `real`, `fake` (B, ...), `alpha` (B,) in [0, 1]; `score` maps them to (B, ...), whose mean (or sum) per sample
    is D.
    Kept differentiable with respect to the critic's parameters: the double backward.
    """
    blend = alpha.view(-1, *[1] * (real.ndim - 1))
    mixed = (blend * real.detach() + (1 - blend) * fake.detach()).requires_grad_()
    scores = score(mixed).reshape(len(mixed), -1)
    value = (scores.mean(1) if of == "mean" else scores.sum(1)).sum()
    (gradient,) = torch.autograd.grad(value, mixed, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def condition_loss(seen: Tensor, wanted: Tensor) -> Tensor:
    """Mean square of the difference of action units (B, C) (Eq. 5 and 6, divided by C as in the authors' code)."""
    return (seen - wanted).square().mean()


def reconstruction_loss(picture: Tensor, again: Tensor) -> Tensor:
    """Mean absolute difference (Eq. 7)."""
    return (picture - again).abs().mean()


def total_variation(picture: Tensor) -> Tensor:
    """Sum of absolute differences of neighbouring pixels, per picture (B, C, H, W), mean over the batch."""
    down = (picture[..., 1:, :] - picture[..., :-1, :]).abs().flatten(1).sum(1)
    right = (picture[..., :, 1:] - picture[..., :, :-1]).abs().flatten(1).sum(1)
    return (down + right).mean()


def pixel_loss(picture: Tensor, target: Tensor, weight: Tensor, *, scales: int = 3) -> Tensor:
    """Weighted mean absolute difference, averaged over `scales` sizes, each half the last.

    `picture`, `target` (B, C, H, W); `weight` (B, 1, H, W), not negative.
    """
    total = picture.new_zeros(())
    for scale in range(scales):
        if scale:
            picture, target, weight = (F.avg_pool2d(x, 2) for x in (picture, target, weight))
        total = total + _weighted((picture - target).abs(), weight)
    return total / scales


def gradient_loss(picture: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference of both finite differences: edges where edges are, not blur."""
    rest = picture - target
    down, right = rest[..., 1:, :] - rest[..., :-1, :], rest[..., :, 1:] - rest[..., :, :-1]
    return _weighted(down.abs(), weight[..., 1:, :]) + _weighted(right.abs(), weight[..., :, 1:])


def feature_loss(features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean over layers and samples of |f - g|_1 / |g|_1: features of two pictures, each layer by its own size."""
    parts = [
        ((one - other).abs().flatten(1).mean(1) / (other.abs().flatten(1).mean(1) + 1e-6)).mean()
        for one, other in zip(features, wanted, strict=True)
    ]
    return torch.stack(parts).mean()


def _weighted(value: Tensor, weight: Tensor) -> Tensor:
    """Mean over samples of each one's weighted mean, so that any share of a batch counts alike."""
    total = (value * weight).flatten(1).sum(1)
    return (total / (weight.flatten(1).sum(1) * value.shape[1] + 1e-6)).mean()

"""How far lips and lids part and shut under a displacement: they meet, never cross, never come ajar by a hair.

A displacement is (B, 478, 2) pixels, for the landmarks `points` (B, 478, 2) pixels; `down` (B, 2), of unit length,
is where the chin lies in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .mesh import LEFT_EYE, MOUTH, OPENINGS, RIGHT_EYE

SLIT, _OVERLAP = 0.08, 0.02
"""Relative to an opening's width: a gap that closes below the first is shut, with the second as overlap."""

_LEFT, _NARROW = (0.35, 0.55), (0.1, 0.16)
"""Of the gap between lips: what the move leaves of it, and that over the mouth's width. Below the first of each
they are meant to touch, from the second on they are not."""

_GIVE_WAY = (0.12, 0.08, 0.08)
"""Canonical units, by opening: how far around it skin follows its edge."""

SHUT, _PARTED = 0.04, 0.14
"""Gap of an opening over its width: below the first nothing of the inside is seen, from the second on enough."""

_AJAR, _OPEN = 0.05, 0.12
"""Gap, after the move, over the width: what is shut and would part by less than the first stays shut (the linear
model is not that exact, and such a slit is read as an open mouth); by the second or more it parts as it should."""


def met(points: Tensor, displacement: Tensor, down: Tensor) -> Tensor:
    """Displacement with every opening's upper chain kept above its lower one, along `down` (B, 2).

    What all but closes is closed, and skin then overlaps skin a little: a slit of squeezed teeth or eyeball, a
    pixel high, is worse than none.
    """
    out = displacement.clone()
    # The lower lid hardly moves.
    for opening, lower_gives in ((MOUTH, 0.5), (RIGHT_EYE, 0.0), (LEFT_EYE, 0.0)):
        upper, lower = list(opening[0][1:-1]), list(opening[1][1:-1])
        corners = points[:, [opening[0][0], opening[0][-1]]]
        width = (corners[:, 1] - corners[:, 0]).norm(dim=-1)[:, None, None]
        slit, overlap = SLIT * width, _OVERLAP * width
        target = points + out
        gap = ((target[:, lower] - target[:, upper]) * down[:, None]).sum(-1, keepdim=True)
        before = ((points[:, lower] - points[:, upper]) * down[:, None]).sum(-1, keepdim=True)
        closing = ((before - gap) / (0.5 * before.clamp(min=0) + 1e-3)).clamp(0, 1)
        squeezed = torch.where(gap < slit, gap * (slit + overlap) / slit - overlap, gap)
        wanted = gap + closing * (squeezed - gap)
        if opening is MOUTH:
            wanted = wanted - _touching(before, gap, width) * (wanted + overlap).clamp(min=0)
        # Landmarks of a closed mouth already overlap a little; that much is left as it is.
        wanted = wanted.maximum(before.clamp(max=0) - closing * overlap * (before > 0))
        change = (wanted - gap) * down[:, None]
        out[:, upper] -= change * (1 - lower_gives)
        out[:, lower] += change * lower_gives
    return out


def brought_together(
    points: Tensor, displacement: Tensor, down: Tensor, share: Tensor, followers: Sequence[Tensor]
) -> Tensor:
    """Displacement that takes away so much (B,), in [0, 1], of the gap that it leaves between the lips.

    Both give way alike, and the skin around follows as in `kept_shut`.
    """
    upper, lower = (list(chain) for chain in MOUTH)
    target = points + displacement
    gap = ((target[:, lower] - target[:, upper]) * down[:, None]).sum(-1).clamp(min=0)
    half = gap * share[:, None] / 2
    out = displacement
    for weights, by in zip(followers[:2], (half, -half), strict=True):
        out = out + torch.einsum("kj,bj->bk", weights, by)[..., None] * down[:, None]
    return out


def _touching(before: Tensor, gap: Tensor, width: Tensor) -> Tensor:
    """(B, 1, 1) in [0, 1]: how far lips whose gaps were and become so (B, n, 1) are meant to touch.

    Models of motion fall short of what is asked: lips that lose most of their gap were asked to shut.
    """
    widest, left = before.amax(1, keepdim=True), gap.amax(1, keepdim=True)
    lost = (_LEFT[1] - left / widest.clamp(min=1e-6)) / (_LEFT[1] - _LEFT[0])
    narrow = (_NARROW[1] - left / width.clamp(min=1e-6)) / (_NARROW[1] - _NARROW[0])
    return lost.clamp(0, 1) * narrow.clamp(0, 1) * (widest > 0)


def shutting(points: Tensor, displacement: Tensor) -> Tensor:
    """(B, 3) in [0, 1]: how far each opening, in the order of OPENINGS, is about to be shut by the move: 1 where
    lips or lids that were apart meet, exactly 0 where nothing moves."""
    upper, lower = ([index for opening in OPENINGS for index in opening[side]] for side in (0, 1))
    apart, parted = (p[:, lower] - p[:, upper] for p in (points, displacement))
    gap = apart.norm(dim=-1)
    closed_by = -(parted * apart).sum(-1) / (gap + 1e-3)
    sizes = [len(opening[0]) for opening in OPENINGS]
    out = []
    for opening, before, closed in zip(OPENINGS, gap.split(sizes, 1), closed_by.split(sizes, 1), strict=True):
        width = (points[:, opening[0][-1]] - points[:, opening[0][0]]).norm(dim=-1, keepdim=True).clamp(min=1e-6)
        widest, place = before.max(1, keepdim=True)
        lost = closed.gather(1, place)
        nearly = (2 - (widest - lost) / (SLIT * width)).clamp(0, 1)
        out.append(nearly * (3 * lost / (widest + 1e-3)).clamp(0, 1))
    return torch.cat(out, 1)


def kept_shut(
    points: Tensor, displacement: Tensor, down: Tensor, followers: Sequence[Tensor], *, may_open: bool
) -> Tensor:
    """Displacement with every opening parted no further than what can be seen through it allows; if it `may_open`,
    that is so only where it would be left ajar.

    The lips and lids give way as a whole: what is taken from their edge is taken from the skin around it too,
    falling off over `_GIVE_WAY` canonical units. `followers` are those of the mean shape.
    """
    out = displacement.clone()
    for opening, pair in zip(OPENINGS, zip(followers[::2], followers[1::2], strict=True), strict=True):
        upper, lower = (list(chain) for chain in opening)
        width = (points[:, upper[-1]] - points[:, upper[0]]).norm(dim=-1)[:, None].clamp(min=1e-6)
        rise = -(displacement[:, upper] * down[:, None]).sum(-1)
        fall = (displacement[:, lower] * down[:, None]).sum(-1)
        gap = ((points[:, lower] - points[:, upper]) * down[:, None]).sum(-1).clamp(min=0)
        seen = ((gap.amax(1, keepdim=True) / width - SHUT) / (_PARTED - SHUT)).clamp(0, 1)
        excess = (rise + fall - gap * seen).clamp(min=0)  # parts by at most `gap` more, by nothing if shut
        if may_open:
            wanted = (gap + rise + fall).amax(1, keepdim=True) / width
            excess = excess * (1 - ((wanted - _AJAR) / (_OPEN - _AJAR)).clamp(0, 1))
        share = rise.clamp(min=0) / (rise.clamp(min=0) + fall.clamp(min=0)).clamp(min=1e-6)
        for weights, back in zip(pair, (excess * share, -excess * (1 - share)), strict=True):
            out += torch.einsum("kj,bj->bk", weights, back)[..., None] * down[:, None]
    return out


def followers(mean_shape: Tensor) -> list[Tensor]:
    """(478, n) weights for the upper and the lower chain of each opening, in the order of OPENINGS: how much of
    what the chain's n landmarks do the skin around them does too. It takes its time.

    `mean_shape` (478, 3) is canonical.
    """
    return [
        _followers(mean_shape, list(chain), [*upper, *lower], reach)
        for (upper, lower), reach in zip(OPENINGS, _GIVE_WAY, strict=True)
        for chain in (upper, lower)
    ]


def _followers(mean_shape: Tensor, chain: list[int], opening: list[int], reach: float) -> Tensor:
    """(478, len(chain)) weights that carry a value on a chain to the skin on its side of the opening."""
    distance = torch.cdist(mean_shape[:, :2], mean_shape[opening, :2])
    nearest = distance.argmin(1)
    mine = torch.tensor([index in chain for index in opening], device=mean_shape.device)[nearest]
    near = torch.cdist(mean_shape[:, :2], mean_shape[chain, :2])
    kernel = torch.exp(-near.square() / (2 * (0.3 * reach) ** 2)) + 1e-12
    kernel = kernel / kernel.sum(1, keepdim=True)
    falloff = torch.exp(-near.amin(1).square() / (2 * reach**2)) * mine
    return kernel * falloff[:, None]

"""What is seen through mouth and eyes after a displacement: how it moves, and how much of it is new.

`points` (B, 478, 2) are the landmarks in pixels, `displacement` (B, 478, 2) is where they go.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .mesh import LEFT_EYE, LEFT_IRIS, MOUTH, OPENINGS, RIGHT_EYE, RIGHT_IRIS, STABLE
from .openings import SHUT, SLIT

_RIMS = ((0.03, 0.02, 0.02), (0.025, 0.04, 0.04))
"""Relative to the width of each opening: how far into the upper and into the lower one of its lips or lids, as the
mesh has them, teeth and eyeball may show."""

_EDGES = tuple([index for opening in OPENINGS for index in opening[side][1:-1]] for side in (0, 1))
"""The upper and the lower edges of all openings, without their corners."""

_SURELY_OPEN = 0.125
"""Gap between the lips over the mouth's width: landmarks of the inner lips lie a little inside the red, and from
this on it is surely a gap."""

_SLIDING = 0.8
"""Of a gap between the lips: how far a lip may slide over what is seen in it."""

_TEETH = 0.95
"""Share of the height of a smile that the upper teeth take up; below them the mouth parts first."""

_SMILE, _GAPE = 0.3, 0.5
"""Gap over the mouth's width: up to the first it is a smile full of teeth, from the second on it gapes."""

_STRETCHED, _NEW = 1.25, 2.0
"""Growth of an opening's gap up to which its inside is only stretched, and from which on it counts as new."""


def revealed(points: Tensor, displacement: Tensor) -> Tensor:
    """(B, 2) in [0, 1]: how much of what is seen through the mouth (0) and the eyes (1) after the move was not
    seen before, and has to be made up. What parts by less than a quarter shows what it showed, stretched.
    """
    target = points + displacement
    per_opening = []
    for upper, lower in OPENINGS:
        width = (points[:, upper[-1]] - points[:, upper[0]]).norm(dim=-1).clamp(min=1e-6)
        before, after = ((p[:, lower] - p[:, upper]).norm(dim=-1).amax(1) for p in (points, target))
        growth = after / before.maximum(SHUT * width)
        per_opening.append(((growth - _STRETCHED) / (_NEW - _STRETCHED)).clamp(0, 1))
    mouth, right, left = per_opening
    return torch.stack([mouth, right.maximum(left)], 1)


def opening_content(points: Tensor, displacement: Tensor, *, carried: bool = False) -> Tensor:
    """(B, K, 2) how what is seen *through* each opening's outline moves, chain by chain.

    Lips slide over teeth (`_mouth_content`); if the mouth was shut, only the seam between them is stretched, so
    that an opening is filled with the seam's dark and not with lip. An eye that opens stretches with the lids for
    lack of anything better; otherwise the lids slide over an eyeball that moves with the gaze alone. If it is
    `carried`, what is seen in the mouth goes with its lips, as from one picture of a mouth to another like it.
    """
    lips = [displacement[:, list(chain)] for chain in MOUTH]
    parts = lips if carried else _mouth_content(points, displacement)
    for eye, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        upper, lower = list(eye[0]), list(eye[1])
        height = (points[:, lower] - points[:, upper]).norm(dim=-1).mean(1)
        target = points + displacement
        target_height = (target[:, lower] - target[:, upper]).norm(dim=-1).mean(1)
        opening = ((target_height - height) / (0.1 * height + 1e-3)).clamp(0, 1)[:, None, None]
        gaze = displacement[:, list(iris)].mean(1, keepdim=True)
        parts += [gaze.lerp(displacement[:, list(chain)], opening) for chain in eye]
    return torch.cat(parts, 1)


def rims(points: Tensor, displacement: Tensor) -> Tensor:
    """(B, 478, 2) how much further out than their own the edges of lips and lids take their pixels as they shut.

    The mesh's edge lies a little inside teeth or eyeball; shut, that would be a bright line between the lips.
    """
    # All openings at once: many small steps are what costs time here.
    upper, lower = (list(chain) for chain in _EDGES)
    ends = points[:, [opening[0][-1] for opening in OPENINGS]] - points[:, [opening[0][0] for opening in OPENINGS]]
    sizes = torch.tensor([len(opening[0]) - 2 for opening in OPENINGS], device=points.device)
    width = ends.norm(dim=-1, keepdim=True).repeat_interleave(sizes, 1, output_size=len(upper))
    apart = points[:, lower] - points[:, upper]
    before = apart.norm(dim=-1, keepdim=True)
    # From the displacement itself: exactly nothing where nothing moves.
    parted = displacement[:, lower] - displacement[:, upper]
    closed_by = -(parted * apart).sum(-1, keepdim=True) / (before + 1e-3)
    closing = (2.5 * closed_by / (before + 1e-3) - 0.5).clamp(0, 1)  # from a fifth to three fifths closed
    gap = before - closed_by
    nearly = (2 - gap / (SLIT * width)).clamp(0, 1)
    rim = width * closing * nearly * apart / (before + 1e-3)
    out = torch.zeros_like(points)
    above, below = torch.tensor(_RIMS, dtype=points.dtype, device=points.device).repeat_interleave(sizes, 1)[
        ..., None
    ]
    out[:, upper] = -above * rim
    out[:, lower] = below * rim
    return out


def _mouth_content(points: Tensor, displacement: Tensor) -> list[Tensor]:
    """(B, K, 2) per chain, such that target - content is the source point shown at that lip's edge.

    Lips slide over the teeth: a lip that moves inwards uncovers nothing and pulls nothing along, one that moves
    outwards takes what is at its edge with it.
    """
    upper, lower = (points[:, list(chain)] for chain in MOUTH)
    moved_upper, moved_lower = (displacement[:, list(chain)] for chain in MOUTH)
    width = (upper[:, -1] - upper[:, 0]).norm(dim=-1)
    gap = (lower - upper).norm(dim=-1, keepdim=True)
    height = gap.amax(1)[:, 0]
    target_height = ((lower + moved_lower) - (upper + moved_upper)).norm(dim=-1).amax(1)
    doubt = 1 - (height / (_SURELY_OPEN * width + 1e-3)).clamp(0, 1)
    # Only a mouth that opens needs its seam: one that keeps still, or shuts, shows what it showed.
    opening = ((target_height - height) / (0.03 * width + 1e-3)).clamp(0, 1)
    to_seam = (doubt * opening)[:, None, None]
    seam = (upper + lower) / 2
    down, most = _downwards(points), _SLIDING * (1 - doubt[:, None, None]) * gap
    out = []
    for at, moved, side in ((upper, moved_upper, 1), (lower, moved_lower, -1)):
        inwards = side * ((moved - _still(points, displacement, at)) * down).sum(-1, keepdim=True)
        shown = at + side * down * inwards.clamp(min=0).minimum(most)
        out.append(at + moved - shown.lerp(seam, to_seam))
    return out


def mouth_middle(points: Tensor, displacement: Tensor, *, carried: bool = False) -> tuple[Tensor, Tensor]:
    """((B, n, 2), (B, n, 2)) a line across the open mouth: where it goes, and how what is seen there moves.

    Above it hangs what belongs to the skull (the upper teeth), which keeps its place and size; below it a jaw that
    drops stretches what was between the teeth and the lower lip. In a mouth that is wide open the line is in the
    dark in the middle. If it is `carried`, it goes with the lips.
    """
    upper, lower = (points[:, list(chain)] for chain in MOUTH)
    moved_upper, moved_lower = (displacement[:, list(chain)] for chain in MOUTH)
    if carried:
        along = (moved_upper + moved_lower) / 2
        return (upper + lower) / 2 + along, along
    gap = (lower - upper).norm(dim=-1, keepdim=True)
    widest = gap.amax(1, keepdim=True)
    share = widest / ((upper[:, -1:] - upper[:, :1]).norm(dim=-1, keepdim=True) + 1e-6)
    # In a mouth that is hardly open it is the seam; see `_mouth_content`.
    central = ((share - _SMILE) / (_GAPE - _SMILE)).maximum(1 - share / _SURELY_OPEN).clamp(0, 1)
    line = upper.lerp(lower, _TEETH + (0.5 - _TEETH) * central)
    # Towards the corners there is nothing inside: it goes with the lips.
    inside = (2 * gap / (widest + 1e-3)).clamp(0, 1)
    content = ((moved_upper + moved_lower) / 2).lerp(_still(points, displacement, line), inside)
    top, column = upper + moved_upper, lower + moved_lower - upper - moved_upper
    along = ((line + content - top) * column).sum(-1, keepdim=True) / (
        column.square().sum(-1, keepdim=True) + 1e-6
    )
    return top + along.clamp(0.02, 0.98) * column, content


def _downwards(points: Tensor) -> Tensor:
    """(B, 1, 2) from the forehead to the chin, square to the mouth; unit length."""
    across = points[:, MOUTH[0][-1]] - points[:, MOUTH[0][0]]
    return nn.functional.normalize(torch.stack([-across[:, 1], across[:, 0]], -1), dim=-1)[:, None]


def _still(points: Tensor, displacement: Tensor, at: Tensor) -> Tensor:
    """(B, n, 2) how points `at` (B, n, 2) would move if they were fixed to the skull: shift, turn and growth of
    the landmarks that no expression moves, by least squares. Exactly nothing where those keep still."""
    stable, moved = points[:, list(STABLE)], displacement[:, list(STABLE)]
    middle, shift = stable.mean(1, keepdim=True), moved.mean(1, keepdim=True)
    arm, swing = stable - middle, moved - shift
    power = arm.square().sum((1, 2))[:, None, None] + 1e-6
    growth = (arm * swing).sum((1, 2))[:, None, None] / power
    turn = (arm[..., 0] * swing[..., 1] - arm[..., 1] * swing[..., 0]).sum(1)[:, None, None] / power
    reach = at - middle
    return shift + growth * reach + turn * torch.stack([-reach[..., 1], reach[..., 0]], -1)

"""The edge of an upper lid with its lashes: it goes with the lid as it is, while the skin above it stretches.

Between the edge and the fold above it lie lashes. Stretched together with the lid's skin they would be drawn all
over a lid that shuts; so a band of skin along the edge is placed and not stretched, and the rest does the
stretching.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .mesh import LANDMARKS, LEFT_EYE, RIGHT_EYE

_FOLDS = (
    (130, 247, 30, 29, 27, 28, 56, 190, 243),
    (359, 467, 260, 259, 257, 258, 286, 414, 463),
)
"""The landmarks next above those of the upper lids' edges, one for each, along the lid's fold."""

_EDGES = (RIGHT_EYE[0], LEFT_EYE[0])

_LASHES = 0.12
"""Of an eye's width: the height of the band that is placed."""

_OF_LID = 0.6
"""Of the lid's height: the most that the band takes of it."""

_GIVE = 1.1
"""Growth of a lid's height up to which the band grows along."""

LASH_EDGES = 2 * [index for edge in _EDGES for index in edge]
"""The landmarks of the lids' edges below the vertices of both bands: first those along the edges, then those along
the upper rims."""

LASH_POINTS = len(LASH_EDGES)


LASH_WINDING = -1
"""The sign of the area of `lash_triangles()` in the picture where the eye is seen."""


@dataclass(frozen=True, eq=False)
class LashBands:
    """The bands of both upper lids."""

    points: Tensor
    """(B, n, 2) pixels, where they lie; n is LASH_POINTS."""
    displacement: Tensor
    """(B, n, 2) where they go."""
    rims: Tensor
    """(B, 478, 2) how much further out than its own a lid's edge takes the pixels of the stretched skin, so that
    it meets the band where that ends. Exactly nothing where nothing moves."""


def lash_bands(points: Tensor, displacement: Tensor) -> LashBands:
    """Of landmarks `points` (B, 478, 2) and where they go, `displacement` (B, 478, 2), in pixels."""
    rims = torch.zeros_like(points)
    edges, tops, edge_moves, top_moves = [], [], [], []
    for edge, fold in zip((list(edge) for edge in _EDGES), (list(fold) for fold in _FOLDS), strict=True):
        at, moved = points[:, edge], displacement[:, edge]
        width = (at[:, -1] - at[:, 0]).norm(dim=-1)[:, None, None]
        lid = points[:, fold] - at
        moved_lid = lid + displacement[:, fold] - moved
        height, moved_height = (v.norm(dim=-1, keepdim=True) + 1e-3 for v in (lid, moved_lid))
        band = (_LASHES * width).minimum(_OF_LID * height)
        # A lid that folds away takes its band with it, and one that hardly stretches too.
        share = band / height
        moved_share = share * (_GIVE * height / moved_height).clamp(max=1)
        top = at + share * lid
        edges.append(at)
        tops.append(top)
        edge_moves.append(moved)
        top_moves.append(moved + moved_share * moved_lid - share * lid)
        rims[:, edge] = (share - moved_share) / (1 - moved_share) * lid
    return LashBands(torch.cat(edges + tops, 1), torch.cat(edge_moves + top_moves, 1), rims)


def lash_triangles() -> Tensor:
    """(T, 3) the bands' own, the right eye's first; their vertices follow on the mesh's."""
    out, start, half = [], LANDMARKS, LASH_POINTS // 2
    # The chains of the right eye run from the outer corner inwards, the left eye's likewise: mirrored.
    for edge, is_mirrored in zip(_EDGES, (False, True), strict=True):
        for i in range(start, start + len(edge) - 1):
            quad = [(i, i + 1, half + i), (i + 1, half + i + 1, half + i)]
            out += [triangle[::-1] if is_mirrored else triangle for triangle in quad]
        start += len(edge)
    return torch.tensor(out)

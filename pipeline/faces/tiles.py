"""A pyramid of overlapping tiles, so that a detector finds faces that are small in their picture."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

SMALLEST_FACE_IN_TILE = 0.12
"""Face size, relative to the tile, that the detector still finds most of the time."""

SMALLEST_TILE_PX = 64

TILE_OVERLAP = 0.36


def tiles(width: int, height: int, min_face_px: float) -> Iterator[tuple[int, int, int, int]]:
    """(left, top, width, height): the whole picture, then overlapping squares, each level half the last, down to
    tiles in which the smallest face is just large enough."""
    yield 0, 0, width, height
    for side in _sides(width, height, max(SMALLEST_TILE_PX, int(min_face_px / SMALLEST_FACE_IN_TILE))):
        for top in _starts(height, side):
            for left in _starts(width, side):
                yield left, top, min(side, width), min(side, height)


def _sides(width: int, height: int, smallest: int) -> Iterator[int]:
    side = min(width, height)
    if side < max(width, height) and side >= SMALLEST_TILE_PX:
        yield side
    while side > smallest:
        side = max(side // 2, smallest)
        yield side


def _starts(length: int, side: int) -> list[int]:
    """Evenly spread starts of intervals of `side` that cover `length` and overlap by `TILE_OVERLAP` or more."""
    if side >= length:
        return [0]
    count = math.ceil((length - side) / (side * (1 - TILE_OVERLAP))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]

"""Which frame of the person a part comes from, over a shot: the one that fits best, held as long as it fits.

A cost for every frame and every candidate, and the cheapest path through them (Viterbi). The plate itself is a
candidate: where it shows what is asked, nothing is borrowed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .looks import Looks

PLATE = -1
"""Stands for no reference."""

CANDIDATES = 48
"""References that a part is chosen from."""

_SHAPE, _TURN, _SHORT, _WIDE, _SIZE, _SPEED = 10.0, 1.0, 8.0, 4.0, 0.3, 5.0
"""Of the mean distance of the shape's points, canonical; of the largest difference of the rotations' entries; of
a gap that lacks, and of one that is too much, over the width; of halves of the size; of motion."""

_FOREIGN = 0.1
"""Another clip's light and make-up are others."""

_ENOUGH = 0.95
"""Share of the wanted gap from which a reference shows enough."""

_BORROWED = 0.15
"""A frame of another moment has to fit that much better than the plate."""

_SWITCH = 0.6
"""Cost of going over to another reference, in frames of a 25th of a second."""

_SURE = 0.3
"""Advantage over the plate from which a piece is replaced wholly."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is to be shown in n frames, and what the plate shows."""

    seconds: NDArray[np.float64]
    shapes: tuple[NDArray[np.float32], ...]
    """A piece each: (n, k, 2) after the edit."""
    gaps: NDArray[np.float64]
    """(n, pieces)"""
    plate_shapes: tuple[NDArray[np.float32], ...]
    plate_gaps: NDArray[np.float64]
    rotations: NDArray[np.float32]
    """(n, 3, 3)"""
    sizes_px: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chosen:
    """The path of a part."""

    look: NDArray[np.int64]
    """(n,) index of the look, or PLATE."""
    shares: NDArray[np.float64]
    """(n, pieces) in [0, 1]: how much of each piece it takes."""


def candidates(looks: Looks, most: int = CANDIDATES) -> NDArray[np.int64]:
    """Indices of looks that cover them all as well as so many can, by shape and pose; the sharper of two alike."""
    flat = np.concatenate([shape.reshape(len(looks), -1) / np.sqrt(shape.shape[1]) for shape in looks.shapes], 1)
    points = np.concatenate([_SHAPE * flat, _TURN * looks.rotations.reshape(len(looks), -1)], 1).astype(np.float32)
    lacking = _SIZE * np.log2(looks.sizes_px.max() / looks.sizes_px) + _SPEED * looks.speeds
    chosen = [int(lacking.argmin())]
    nearest = np.full(len(looks), np.inf)
    while len(chosen) < min(most, len(looks)):
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
        gain = nearest - lacking
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
    return np.array(sorted(chosen))


def choose(wanted: Wanted, looks: Looks) -> Chosen:
    """The cheapest path. Takes n * len(looks) numbers of memory."""
    plate, borrowed = _piece_costs(wanted, looks)
    pieces = plate.shape[1]
    best = np.minimum(plate[:, None], borrowed)  # a piece that fits better as it is stays the plate's
    around = _around(wanted, looks) + _BORROWED
    cost = np.concatenate([plate.sum(1, keepdims=True), best.sum(2) + around], 1) / pieces
    state = _cheapest(cost * _weights(wanted.seconds)[:, None])
    look = state - 1
    shares = np.zeros_like(plate)
    rows = np.flatnonzero(look != PLATE)
    gain = plate[rows] - borrowed[rows, look[rows]] - _BORROWED
    shares[rows] = np.clip(gain / _SURE, 0, 1)
    return Chosen(look, shares)


def _piece_costs(wanted: Wanted, looks: Looks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """((n, pieces), (n, m, pieces)) how badly the plate, and each look, shows what is wanted of each piece."""
    plate, borrowed = [], []
    for i, shape in enumerate(wanted.shapes):
        gap = wanted.gaps[:, i]
        off = np.linalg.norm(shape - wanted.plate_shapes[i], axis=2).mean(1)
        plate.append(_SHAPE * off + _gap_cost(gap, wanted.plate_gaps[:, i]))
        off = np.stack([np.linalg.norm(one - looks.shapes[i], axis=2).mean(1) for one in shape])
        borrowed.append(_SHAPE * off + _gap_cost(gap[:, None], looks.gaps[None, :, i]))
    return np.stack(plate, 1), np.stack(borrowed, 2)


def _gap_cost(wanted: NDArray[np.float64], shown: NDArray[np.float64]) -> NDArray[np.float64]:
    short = np.maximum(0, _ENOUGH * wanted - shown)
    wide = np.maximum(0, shown - wanted - 0.05) * (wanted < 0.1)
    return _SHORT * short + _WIDE * wide


def _around(wanted: Wanted, looks: Looks) -> NDArray[np.float64]:
    """(n, m) what else speaks against a look."""
    turned = np.abs(wanted.rotations[:, None] - looks.rotations[None]).max((2, 3))
    smaller = np.maximum(0, np.log2(wanted.sizes_px[:, None] / looks.sizes_px[None]))
    own = _SPEED * looks.speeds + _FOREIGN * looks.is_foreign
    return np.asarray(_TURN * turned + _SIZE * smaller + own[None], np.float64)


def _weights(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) for how long each frame is shown, in 25ths of a second."""
    if len(seconds) < 2:
        return np.ones(len(seconds))
    return np.clip(np.gradient(seconds) / 0.04, 0.1, 4)


def _cheapest(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the state in each frame, of costs (n, states): staying is free, going over is not."""
    count = len(cost)
    total, came_from = cost[0].copy(), np.zeros(cost.shape, np.int64)
    for i in range(1, count):
        best = int(total.argmin())
        stays = total <= total[best] + _SWITCH
        came_from[i] = np.where(stays, np.arange(len(total)), best)
        total = np.where(stays, total, total[best] + _SWITCH) + cost[i]
    path = np.zeros(count, np.int64)
    path[-1] = total.argmin()
    for i in range(count - 1, 0, -1):
        path[i - 1] = came_from[i, path[i]]
    return path

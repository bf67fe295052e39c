"""Which faces an evaluation edits, towards what: chosen once, by a seed, for every method alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import relative

SWEEP_UNITS = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU09", "AU10", "AU12", "AU15", "AU17", "AU20", "AU25", "AU26", "AU45",
)  # fmt: skip
"""The action units of the sweeps: brows, lids, cheeks, nose, lips and jaw."""

SWEEP_VALUES = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.25)
"""Relative values of a sweep, as the paper's figures have them."""

STRIP_ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

PAIRS_A_CLIP = 4
"""Candidates of one clip; more would be the same moments again."""

Units = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trial:
    """One edit: a source face and what is asked of it."""

    source: int
    """Row of the dataset."""
    target: int
    """Row whose expression is asked for."""
    delta_au: Units
    """(C,) target - source, in [-1, 1]."""


def spread(identity: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Up to `count` positions in random order; no identity gives a second one before each has given one."""
    order = rng.permutation(len(identity))
    turn = np.zeros(len(identity), np.int64)
    given: dict[int, int] = {}
    for position in order:
        who = int(identity[position])
        turn[position] = given.get(who, 0)
        given[who] = int(turn[position]) + 1
    return np.asarray(order[np.argsort(turn[order], kind="stable")][:count], np.int64)


def unpaired_trials(
    sources: Sequence[int],
    pool: Sequence[int],
    expressions: Mapping[int, Units],
    *,
    targets: int,
    min_request: float,
    gaze: bool,
    rng: np.random.Generator,
) -> list[Trial]:
    """Up to `targets` edits of each source, towards expressions drawn from the pool.

    Targets whose request is smaller than `min_request` (l2 norm) are passed over: a ratio to doing nothing says
    nothing where next to nothing is asked.
    """
    trials: list[Trial] = []
    for source in sources:
        found = 0
        for target in rng.permutation(np.asarray(pool, np.int64)):
            if found == targets:
                break
            delta = relative(expressions[source], expressions[int(target)], gaze=gaze)
            if int(target) != source and np.linalg.norm(delta) >= min_request:
                trials.append(Trial(source, int(target), delta))
                found += 1
    return trials


def paired_rows(
    expressions: Units,
    angles: NDArray[np.float32],
    clip: NDArray[np.int64],
    identity: NDArray[np.int64],
    *,
    count: int,
    pose_degrees: float,
    min_request: float,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """(source, target) positions of one clip: similar pose, expressions far apart; spread over identities.

    Args:
        expressions: (n, C). angles: (n, 3) degrees; no angle of a pair differs by more than `pose_degrees`.
    """
    found: list[tuple[int, int]] = []
    for number in np.unique(clip):
        rows = np.flatnonzero(clip == number)
        found += _pairs_of_clip(expressions, angles, rows, pose_degrees=pose_degrees, min_request=min_request)
    # Which of the two is the source is left to chance: mouths open in some and close in others.
    turned = [(b, a) if rng.random() < 0.5 else (a, b) for a, b in found]
    chosen = spread(np.array([identity[a] for a, _ in turned], np.int64), count, rng)
    return [turned[i] for i in chosen]


def _pairs_of_clip(
    expressions: Units,
    angles: NDArray[np.float32],
    rows: NDArray[np.intp],
    *,
    pose_degrees: float,
    min_request: float,
) -> list[tuple[int, int]]:
    """Up to PAIRS_A_CLIP disjoint pairs, the furthest apart first."""
    units, poses = expressions[rows], angles[rows]
    distance = np.linalg.norm(units[:, None] - units[None], axis=-1)
    turned = np.abs(poses[:, None] - poses[None]).max(-1)
    distance[(turned > pose_degrees) | (distance < min_request)] = 0
    out: list[tuple[int, int]] = []
    while len(out) < PAIRS_A_CLIP and distance.size and distance.max() > 0:
        a, b = np.unravel_index(int(distance.argmax()), distance.shape)
        out.append((int(rows[a]), int(rows[b])))
        distance[[a, b]] = 0
        distance[:, [a, b]] = 0
    return out

"""How far mouth and eyes are opened: no further than the footage shows this person's.

What lies behind lips and lids cannot be made from nothing. Where no frame shows them so far open, the units that
open them are held back, and the plan says so. Wrong is worse than less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

NOTEWORTHY = 0.9
"""Less than this share of an opening is worth a word to the user."""

ALIKE_TURN = 0.4
"""Largest difference of two rotations' entries, about 24 degrees, up to which a frame's mouth can be another's."""

_GRAIN_SECONDS = 0.12
"""What holds back is drawn out and smoothed over this time, so that nothing pops."""

Array = NDArray[np.float32]
Gaps = Callable[[Array], NDArray[np.float64]]
"""(n, C) relative action units -> (n, openings) how far each opening is open then, over its width."""


@dataclass(frozen=True)
class Opener:
    """What opens a mouth or an eye."""

    units: tuple[str, ...]
    """Action units that part it."""
    shutters: tuple[str, ...]
    """Action units whose going away parts it."""
    always: float
    """A gap, over the width, that can always be shown: a dark slit."""
    slack: float
    """How much further than any frame shows it may go: its inside is stretched by so much."""


MOUTH_OPENER = Opener(("AU25", "AU26", "AU16", "AU10", "AU22"), ("AU24", "AU28", "AU17"), 0.12, 1.15)
RIGHT_EYE_OPENER = Opener(("AU05R",), ("AU45R", "AU07R"), 0.1, 1.4)
LEFT_EYE_OPENER = Opener(("AU05L",), ("AU45L", "AU07L"), 0.1, 1.4)


def held_back(
    delta: Array, openers: Sequence[Opener], shown: NDArray[np.float64], gaps: Gaps, seconds: NDArray[np.float64]
) -> tuple[Array, NDArray[np.float64]]:
    """Relative action units (n, C) that open nothing further than is shown.

    Args:
        shown: (n, openings) the largest gap, over the width, that can be shown.

    Returns:
        The units, and (n, openings) in [0, 1] how much of the opening is left: 1 where nothing is held back.
    """
    most = np.maximum(shown * [o.slack for o in openers], [o.always for o in openers])
    asked, none = gaps(delta), gaps(_scaled(delta, openers, np.zeros(shown.shape)))
    room = (most - none) / np.maximum(asked - none, 1e-6)
    left = np.where(asked > most, np.clip(room, 0, 1), 1.0)
    left = np.stack([_drawn_out(column, seconds) for column in left.T], 1)
    return _scaled(delta, openers, left), left


def _scaled(delta: Array, openers: Sequence[Opener], left: NDArray[np.float64]) -> Array:
    """The units with so much (n, openings) left of what opens."""
    out = delta.copy()
    for opener, share in zip(openers, left.T, strict=True):
        for names, sign in ((opener.units, 1), (opener.shutters, -1)):
            columns = [unit for name in names for unit in action_units.resolve(name)]
            part = out[:, columns]
            out[:, columns] = np.where(sign * part > 0, part * share[:, None], part)
    return out


def _drawn_out(left: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) nowhere more than was left, and smooth."""
    if len(left) < 2:
        return left
    reach = max(1, round(_GRAIN_SECONDS / float(np.median(np.diff(seconds))) / 2))
    padded = np.pad(left, 2 * reach, mode="edge")
    least = np.min(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)
    return np.asarray(np.convolve(least, np.ones(2 * reach + 1) / (2 * reach + 1), mode="valid"), np.float64)

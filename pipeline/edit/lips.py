"""Lips that are to touch: asked for by name, or because the driver's do.

What transfers of an expression is the departure from rest, so a source whose mouth rests ajar would never shut it
for a driver's p, b or m. Contact is told apart from that: it holds whatever either rest is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..records import TOUCHING_AU25, Target

_PART = action_units.resolve("AU25")[0]

Array = NDArray[np.float32]


def touching(target: Target, gain: NDArray[np.float64], allowed: NDArray[np.float64]) -> Array:
    """(n,) in [0, 1]: how far the lips are to touch, of a face that (n,) so much may be done to.

    Args:
        gain: (C,) of each action unit; that of the one that parts the lips counts.
    """
    if target.lips_together is None:
        return np.zeros(len(allowed), np.float32)
    return np.asarray(target.lips_together * np.clip(gain[_PART], 0, 1) * allowed, np.float32)


def lips_shut(delta: Array, own: NDArray[np.floating], touch: Array) -> Array:
    """Relative action units (n, C) that leave lips no further apart than contact (n,) allows.

    A driver's contact fades while its lips part by TOUCHING_AU25, and up to as much they may be apart: so a face
    that is driven by itself stays as it is.
    """
    apart = own[:, _PART] + delta[:, _PART]
    too_far = np.maximum(apart - TOUCHING_AU25 * (1 - touch), 0)
    out = delta.copy()
    out[:, _PART] -= (touch * too_far).astype(np.float32)
    return out

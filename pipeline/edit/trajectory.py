"""Expression over time turned into relative action units (paper Eq. 1, 2).

    v_rel(t) = strength * gain * weight(t) * (value(t) - own(t))     where the driver replaces
    v_rel(t) = strength * gain * weight(t) * value(t)                where it adds

`own` is the performance measured from its own neutral, `value` the driver's from its own: what transfers is the
departure from rest, never another person's resting face.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..records import Target

Series = NDArray[np.float64]

MAX_INTENSITY = 1.25
"""What the edited expression may reach: a quarter beyond FACS's maximum, as in the paper's figures."""

YAW_FADE_DEGREES = (28.0, 46.0)
PITCH_FADE_DEGREES = (25.0, 45.0)
"""(full effect up to, none beyond): outside, half of the face is hidden and a warp tears it. Strong smiles on real
profiles: whole at 28 degrees of yaw, torn lips from 34 on."""


NORM_KNEE, NORM_MOST = 2.0, 2.8
"""Length of a vector of relative action units up to which it is done as asked, and which it never reaches: the
network has seen 1.6, and beyond 2 the geometry's folds and the network's paint are not proven."""


def relative(
    own: NDArray[np.floating],
    neutral: NDArray[np.floating],
    target: Target,
    *,
    gain: NDArray[np.floating],
) -> NDArray[np.float32]:
    """(n, C) float32 relative action units in [-1.25, 1.25].

    Args:
        own: (n, C) the performance's absolute action units; neutral: (C,) its resting ones.
        gain: (C,) or (n, C) strength times per-unit gain times fade.

    The edited expression `own + v_rel` is kept within [0, 1.25]: a smile that is not there cannot be taken
    away.
    """
    value = target.values.astype(np.float64)
    change = np.where(target.additive, value, value - (own - neutral))
    wanted = own + gain * target.weight * change
    return np.asarray(np.clip(wanted, np.minimum(own, 0), MAX_INTENSITY) - own, np.float32)


def softened(delta: NDArray[np.float32]) -> NDArray[np.float32]:
    """Relative action units (n, C), the longest vectors shortened: as asked up to NORM_KNEE, below NORM_MOST."""
    length = np.linalg.norm(delta.astype(np.float64), axis=1, keepdims=True)
    room = NORM_MOST - NORM_KNEE
    kept = NORM_KNEE + room * (1 - np.exp(-np.maximum(length - NORM_KNEE, 0) / room))
    return np.asarray(np.where(length > NORM_KNEE, delta * (kept / np.maximum(length, 1e-9)), delta), np.float32)


def facing(yaw_degrees: Series, pitch_degrees: Series, roll_radians: Series) -> Series:
    """(n,) float64 in [0, 1]: how much of an edit the head's pose allows.

    Yaw and pitch say where in the picture the nose points; what counts is where it points from the head's own
    axes, so that a face that lies on its side and nods is one that nods.
    """
    yaw, pitch = np.radians(yaw_degrees), np.radians(pitch_degrees)
    x, y, z = np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)
    c, s = np.cos(roll_radians), np.sin(roll_radians)
    own_yaw, own_pitch = np.arctan2(c * x + s * y, z), np.arcsin(np.clip(c * y - s * x, -1, 1))
    return fade(np.degrees(np.abs(own_yaw)), *YAW_FADE_DEGREES) * fade(
        np.degrees(np.abs(own_pitch)), *PITCH_FADE_DEGREES
    )


def fade(x: Series, full: float, none: float) -> Series:
    """1 at `full`, 0 at `none`, smooth between."""
    t = np.clip((none - np.asarray(x, np.float64)) / (none - full), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float64)

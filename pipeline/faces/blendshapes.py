"""ARKit and MediaPipe blendshapes -> action units: one function for capture files and for the tracker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

LIPS_PART_WEIGHTS: Mapping[str, float] = {
    # Apple defines mouthClose as closing the lips whatever the jaw does, so an open jaw parts the lips only
    # as far as mouthClose does not make up for it. Raised and lowered lips part them too: half of each mean.
    "jawOpen": 1.0,
    "mouthClose": -1.0,
    "mouthLowerDownLeft": 0.25,
    "mouthLowerDownRight": 0.25,
    "mouthUpperUpLeft": 0.25,
    "mouthUpperUpRight": 0.25,
}
"""AU25 as a weighted sum of blendshapes, clamped to [0, 1]."""

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    **{entry: {s: 1 / len(shapes) for s in shapes} for entry, shapes in action_units.BLENDSHAPES_OF.items()},
    "AU25": LIPS_PART_WEIGHTS,
}
"""Per action-unit entry, the weight of each blendshape it is made of."""

NAMES: tuple[str, ...] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft",
    "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""ARKit's 52 blendshapes. MediaPipe has 51 of them (no tongueOut) plus `_neutral`."""


def known_name(name: str) -> str | None:
    """ARKit's own name of the blendshape that a column's name means, None if it means none.

    Any case and any writing that people use: `eyeBlinkLeft`, `EyeBlink_L`, `eye_blink_left`, `Eye Blink Left`,
    `blendShapes.EyeBlinkLeft`, `head|eyeBlinkLeft`.
    """
    last = re.split(r"[.:|]", name)[-1]
    return _SPELLINGS.get(re.sub(r"[^a-z0-9]", "", last.lower()))


def count_known(names: Iterable[str]) -> int:
    """How many of ARKit's blendshapes are among the names, in any spelling of `known_name`."""
    return len({known_name(name) for name in names} - {None})


def from_blendshapes(
    names: Sequence[str], values: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Action units ((n, C) float32 in [0, 1]) and which of them the blendshapes can tell ((C,) bool).

    `names` are the blendshapes of the columns of `values` ((n, k), in [0, 1]), spelled as `known_name` takes
    them, in any order; unknown ones are ignored. An action unit is filled when every shape it is made of is there;
    the others are 0.

    Raises:
        ValueError: `values` has not one column per name.
    """
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"{len(names)} blendshape names need values (n, {len(names)}), got {values.shape}")
    matrix, filled = mixing_matrix(tuple(names))
    mixed = np.asarray(values, np.float64) @ matrix
    return np.clip(mixed, 0, 1).astype(np.float32), filled.copy()


@cache
def mixing_matrix(names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((k, C) float64 weights, (C,) bool): how blendshapes add up to action units, and which are complete."""
    column = {known: i for i, name in enumerate(names) if (known := known_name(name)) is not None}
    matrix = np.zeros((len(names), action_units.COUNT))
    filled = np.zeros(action_units.COUNT, np.bool_)
    for entry, weights in WEIGHTS.items():
        if all(shape in column for shape in weights):
            index = action_units.NAMES.index(entry)
            filled[index] = True
            for shape, weight in weights.items():
                matrix[column[shape], index] = weight
    return matrix, filled


def _spellings() -> dict[str, str]:
    """Each name, and `...L` and `...R` for those that are one of two sides, without case and separators."""
    found = {name.lower(): name for name in NAMES}
    for name in NAMES:
        for side in ("Left", "Right"):
            base = name.removesuffix(side)
            if base not in (name, "jaw", "mouth"):  # these two move to a side, and have none
                found[(base + side[0]).lower()] = name
    return found


_SPELLINGS = _spellings()

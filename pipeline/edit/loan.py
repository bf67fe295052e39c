"""What is borrowed: parts of a face, from other frames of the same person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .parts import Part

Key = tuple[int, int, int]
"""A moment of a track: shot, face, and which of the track's moments."""


@dataclass(frozen=True)
class Loan:
    """A part of a face at one moment, from another."""

    part: Part
    key: Key
    """Of the moment that lends."""
    shares: tuple[float, ...]
    """In [0, 1], a piece each: how much of it is borrowed."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """Where a reference is to be taken from."""

    key: Key
    crop_from_display: NDArray[np.float64]
    """(2, 3) similarity."""
    landmarks: NDArray[np.float32]
    """(478, 3) in crop pixels."""


@dataclass(frozen=True, eq=False)
class Loans:
    """All of a clip."""

    by_moment: Mapping[Key, Sequence[Loan]]
    """What a moment borrows."""
    sightings: Mapping[int, Sequence[Sighting]]
    """What to read, by index of the frame."""

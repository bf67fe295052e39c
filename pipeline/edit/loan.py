"""What is borrowed: parts of a face, from other frames of the same person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .parts import Part

Moment = tuple[int, int, int]
"""Of a track: shot, face, and which of the track's moments."""

Key = tuple[int, int, int, int]
"""What lends: as `Moment`, then the number of the clip, 0 for the source itself."""


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
    scale: float = 1.0
    """In (0, 1]: how much smaller it is kept, so that it is as large as where it goes."""


@dataclass(frozen=True, eq=False)
class Loans:
    """All of a clip."""

    by_moment: Mapping[Moment, Sequence[Loan]]
    """What a moment borrows."""
    sightings: Mapping[int, Mapping[int, Sequence[Sighting]]]
    """What to read, by number of the clip, then by index of the frame."""

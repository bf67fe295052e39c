"""How the face of a driver is measured, before it is played."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from ..faces import FaceSelection, TrackOptions


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """How the face of a clip, picture or capture is measured before it is played."""

    faces: FaceSelection = field(default_factory=FaceSelection)
    """Whose expression a clip gives. A driver's own `face` picks another place in the same order."""
    smooth_seconds: float = 0.2
    gaze: bool = False
    """Whether the eyes' direction is part of what is asked."""
    neutral_picture: Path | None = None
    """A picture of the driver's resting face, in place of `DriverOptions.neutral`."""
    sequence_rate: Fraction = Fraction(24)
    """Frames a second of image sequences."""
    track: TrackOptions = field(default_factory=TrackOptions)

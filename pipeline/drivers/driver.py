"""What a driver is: the wanted expression as a function of the source's seconds, and how it is played."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, Protocol

from ..errors import OptionError

if TYPE_CHECKING:  # options are filled and told wrong without numpy
    import numpy as np
    from numpy.typing import NDArray

    from ..records import Target

Mode = Literal["match", "add"]
After = Literal["release", "hold", "loop"]
Neutral = Literal["auto", "none"] | float


class Driver(Protocol):
    """Says what expression is wanted at any moment of the source."""

    @property
    def duration_seconds(self) -> float:
        """Second of the source at which the performance is over, offset included; inf for a still."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings for the user, one line each."""
        ...

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:
        """What is asked of one face at N moments.

        `seconds` (N,) float64 count from the source's first frame; `face` is the position of the face among
        those selected in the run, from 0.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class DriverOptions:
    """How a clip or capture file is played on the source."""

    mode: Mode = "match"
    """match: take on the driver's expression. add: add its departure from neutral to the performance."""
    offset_seconds: float = 0.0
    """The driver's time 0 is at this second of the source; may be negative."""
    after: After | None = None
    """After the driver's end: back to the performance, stay, or start again. None: release for sampled
    drivers, hold for keyframed curves."""
    release_seconds: float = 0.5
    """Length of the ramp after the end (release), and of the one before a start later than the source's."""
    neutral: Neutral = "auto"
    """What the driver's expression is measured from: estimated, nothing, or the driver at this second."""
    face: int = 0
    """Which face of a file with several, from 0."""
    frame_rate: Fraction | None = None
    """Frames a second of a capture or image sequence; None: as it says itself, else 30 or the sequences' rate."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.offset_seconds):
            raise OptionError(f"driver offset {self.offset_seconds} is not a time; give seconds")
        if not (math.isfinite(self.release_seconds) and self.release_seconds >= 0):
            raise OptionError(f"driver release {self.release_seconds} is not a length; give seconds, 0 or more")
        if self.face < 0:
            raise OptionError(f"driver face {self.face} is negative; faces count from 0")
        if isinstance(self.neutral, float | int) and not (math.isfinite(self.neutral) and self.neutral >= 0):
            raise OptionError(f"driver neutral {self.neutral} is no time in the driver; give seconds, 0 or more")

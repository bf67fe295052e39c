"""How a driver's request becomes relative action units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retarget.model import action_units
from retarget.model.action_units import Region
from retarget.model.suggestions import suggestion

from ..errors import OptionError, UnknownActionUnitError
from ..faces import FaceSelection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REGIONS: tuple[Region, ...] = ("upper", "lower", "eyes", "mouth")


@dataclass(frozen=True)
class PlanOptions:
    """How a driver's request becomes relative action units."""

    strength: float = 1.0
    gains: Mapping[str, float] | None = None
    """Per action unit, by any of its names: {"AU12": 0.5}."""
    regions: tuple[str, ...] = ()
    """Parts of the face (upper, lower, eyes, mouth) and action units that may change; empty: all."""
    smooth_seconds: float = 0.2
    neutral: NDArray[np.float32] | float | str = "auto"
    """What the source's expression is measured from: "auto" (estimated per face), "none", a second of the
    clip, or (C,) values."""
    faces: FaceSelection = field(default_factory=FaceSelection)

    def __post_init__(self) -> None:
        if not math.isfinite(self.strength) or abs(self.strength) > 10:
            raise OptionError(f"strength {self.strength} makes no sense; 1 is as driven, 0 nothing, 2 double")
        if not 0 <= self.smooth_seconds <= 5:
            raise OptionError(f"smoothing over {self.smooth_seconds} s makes no sense; use 0 (off) to 5 seconds")
        self.gain_of_units()  # says at once what names or numbers are wrong

    def gain_of_units(self) -> list[float]:
        """(C,) strength times each unit's gain, 0 outside the regions."""
        gain = [self.strength] * action_units.COUNT
        for name, value in (self.gains or {}).items():
            if not math.isfinite(value) or abs(value) > 10:
                raise OptionError(f"gain {value} of {name} makes no sense; 1 is as driven, 0 nothing, 2 double")
            for unit in action_units.resolve(name):
                gain[unit] *= value
        if not self.regions:
            return gain
        inside = units_of(self.regions)
        return [value if unit in inside else 0.0 for unit, value in enumerate(gain)]


def units_of(regions: Sequence[str]) -> tuple[int, ...]:
    """Vector indices of a mix of regions and action units.

    Raises:
        UnknownActionUnitError: neither a region nor an action unit.
    """
    wanted: set[int] = set()
    for name in regions:
        if name.lower() in REGIONS:
            wanted.update(action_units.in_regions([name.lower()]))  # type: ignore[list-item]
            continue
        try:
            wanted.update(action_units.resolve(name))
        except UnknownActionUnitError as error:
            hint = suggestion(name.lower(), REGIONS, "")
            rest = f"; {hint}" if hint else f", and {error}"
            raise UnknownActionUnitError(f"region {name!r} is none of {', '.join(REGIONS)}{rest}") from error
    return tuple(sorted(wanted))

"""How a face sits in the square crop a network sees: the contract of training crops and inference crops."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CropSpec:
    """A square crop, placed by the outer corners of the eyes. Stored in every checkpoint."""

    size_px: int = 256
    """Side of the crop."""
    eye_distance_fraction: float = 0.34
    """Distance of the outer eye corners, seen from the front, as a fraction of the side."""
    eyes_y_fraction: float = 0.40
    """Height of the midpoint of the eyes below the upper edge, as a fraction of the side."""

    def __post_init__(self) -> None:
        if not isinstance(self.size_px, int) or self.size_px < 16:
            raise ValueError(f"CropSpec.size_px is {self.size_px}, expected a whole number from 16")
        for name in ("eye_distance_fraction", "eyes_y_fraction"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise ValueError(f"CropSpec.{name} is {value}, expected a fraction between 0 and 1")

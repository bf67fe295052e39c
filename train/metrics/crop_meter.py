"""The pipeline's own measure of a face, on crops: what `meter.Meter` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retarget.pipeline.faces import Landmarker
from retarget.pipeline.records import Face


@dataclass(frozen=True, eq=False)
class Measured:
    """What the tracker sees in a crop."""

    action_units: NDArray[np.float32]
    """(46,) absolute, in [0, 1]."""
    landmarks: NDArray[np.float32]
    """(478, 3) crop pixels."""


class CropMeter:
    """The pipeline's own measure of a face, on crops: a `Meter`.

    A context manager that owns its landmarker; not for several threads at once.
    """

    def __init__(self) -> None:
        self._landmarker = Landmarker()

    def __enter__(self) -> Self:
        self._landmarker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._landmarker.__exit__(kind, error, trace)

    def measure(self, crop: NDArray[np.uint8], near: NDArray[np.floating]) -> Measured | None:
        """The face in a crop (S, S, 3) uint8 RGB, looked for at landmarks `near` (478, 3) in crop pixels.

        None where no face is seen there, or one of quite another size or place.
        """
        face: Face | None = self._landmarker.near(crop, near)
        return None if face is None else Measured(face.action_units, face.landmarks)

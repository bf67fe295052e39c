"""What passes between plan, network and blend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records import Frame


@dataclass(frozen=True, eq=False)
class FaceRequest:
    """What is asked for one face in one frame."""

    crop_from_display: NDArray[np.float64]
    """(2, 3) similarity."""
    landmarks: NDArray[np.float32]
    """(478, 3) in crop pixels."""
    delta_au: NDArray[np.float32]
    """(C,) relative action units."""
    source_au: NDArray[np.float32]
    """(C,) what the face expresses by itself; of use to networks that take the target and not the change."""


@dataclass(frozen=True, eq=False)
class FaceEdit:
    """The generator's answer, at the resolution of the crop."""

    crop_from_display: NDArray[np.float64]
    """(2, 3) similarity."""
    flow: NDArray[np.float32]
    """(S, S, 2) backward flow in crop pixels (x, y)."""
    residual: NDArray[np.float32] | None
    """(S, S, 3) RGB in units of full range, added to the moved plate: `compose - warp`, so that the plate's own
    detail stays under whatever is painted. None where nothing is painted."""


@dataclass(frozen=True, eq=False)
class FrameRequest:
    """A frame and what is asked of its faces."""

    frame: Frame
    faces: Sequence[FaceRequest]


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """A frame, still as it was, and the edits to blend into it."""

    frame: Frame
    edits: Sequence[FaceEdit]


@dataclass(frozen=True, eq=False)
class EditedFrame:
    """A frame before and after, and the edits between."""

    source: Frame
    result: Frame
    """The very same as `source` where nothing was changed."""
    edits: Sequence[FaceEdit]

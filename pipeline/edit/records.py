"""What passes between plan, network and blend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..records import Frame

if TYPE_CHECKING:
    from .parts import Part, Window
    from .references import Reference


@dataclass(frozen=True, eq=False)
class FillRequest:
    """A part of the face that another frame shows better."""

    part: Part
    reference: Reference
    shares: tuple[float, ...]
    """In [0, 1], a piece of the part each: how much of it is the reference's."""


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
    fills: Sequence[FillRequest] = ()
    own_motion: NDArray[np.float32] | None = None
    """(478, 3) canonical units: what this person's motion adds to the general one; None: nothing."""
    lips_together: float = 0.0
    """In [0, 1]: how far the lips are to touch, whatever else is asked of them."""


@dataclass(frozen=True, eq=False)
class Fill:
    """What a reference gives to a face, over a window of its crop."""

    reference: Reference
    window: Window
    flow: NDArray[np.float32]
    """(side, side, 2) crop pixels (x, y): pixel p of the face's crop shows pixel p + flow of the reference's."""
    share: NDArray[np.float32]
    """(side, side) in [0, 1]."""
    shade: NDArray[np.float32]
    """(side, side, 3) RGB in units of full range, added to the reference: its light made the plate's."""


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
    fills: Sequence[Fill] = ()
    """Laid over all that, one after another."""


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

"""How a face looks in source and output, in numbers that can be compared over time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..faces import chain, crop_matrix
from ..media import sample_rgb
from ..records import Frame, VideoInfo
from .series import Series

FACE_PX = 96
"""Side of the aligned crop whose sharpness and brightness are compared; film faces are rarely smaller."""
_CROP = CropSpec(size_px=FACE_PX)
_INNER = np.s_[24:90, 18:78]
"""Of the crop: the face without hair and background."""
CELLS = 12
"""A side of the grid on which colour is compared over time."""
CELL_CHANGE_LEVELS = 28
"""CIELAB difference, of 255, that makes a cell another thing; an opening mouth changes some, too."""


@dataclass(frozen=True, eq=False)
class Look:
    """How a face looks in one frame."""

    sharpness: float
    """Standard deviation of the Laplacian over that of the luma itself, so that contrast and exposure have no
    part in it."""
    luma: NDArray[np.float32]
    """(h, w) of the inner face, 8-bit levels."""
    cells: NDArray[np.uint8]
    """(CELLS * CELLS, 3) CIELAB of the face, coarse."""


def look_at(frame: Frame, info: VideoInfo, placed: Series) -> Look:
    """The inner face that is placed (4,) as `faces.alignment` says."""
    matrix = chain(crop_matrix(placed, _CROP), info.display_from_coded)
    inner = np.ascontiguousarray(sample_rgb(frame, info.color, matrix, (FACE_PX, FACE_PX))[_INNER])
    luma = cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = cv2.Laplacian(luma, cv2.CV_32F)
    coarse = cv2.resize(inner, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    cells = np.asarray(cv2.cvtColor(coarse, cv2.COLOR_RGB2LAB), np.uint8).reshape(-1, 3)
    return Look(float(detail.std() / (luma.std() + 4)), luma, cells)


class LookSeries:
    """One face as it looks in both films, over the n moments of its track. Holds half a kilobyte a moment."""

    def __init__(self, frames: NDArray[np.int64]) -> None:
        """`frames`: (n,) indices of the track's frames, increasing."""
        self._frames = frames
        self.sharpness = np.full((len(frames), 2), np.nan)
        """(n, 2) source, output."""
        self.pop = np.full((len(frames), 2), np.nan)
        """(n, 2), see `FaceSeries.pop`."""
        self._cells = np.zeros((len(frames), CELLS**2, 3), np.uint8)
        self._changes: dict[int, NDArray[np.float32]] = {}  # by frame, of the last three

    def add(self, at: int, before: Look, after: Look) -> None:
        """The track's moment `at`, in source and output; moments come in order, and some may be left out."""
        self.sharpness[at] = before.sharpness, after.sharpness
        self._cells[at] = before.cells
        frame = int(self._frames[at])
        last = {f: change for f, change in self._changes.items() if f >= frame - 2}
        self._changes = last | {frame: after.luma - before.luma}
        if len(last) == 2:
            self.pop[at - 1] = _pop(*self._changes.values())

    @property
    def covered(self) -> Series:
        """(n,) share of the face in the source whose colour is unlike its median over time.

        A change of light, which all of the face shares, does not count.
        """
        change = self._cells.astype(np.float64) - np.median(self._cells, axis=0)
        change -= np.median(change, axis=1, keepdims=True)
        return np.asarray((np.abs(change).max(axis=2) > CELL_CHANGE_LEVELS).mean(axis=1), np.float64)


def _pop(
    first: NDArray[np.float32], middle: NDArray[np.float32], last: NDArray[np.float32]
) -> tuple[float, float]:
    """What `FaceSeries.pop` says of the middle of three changes.

    An edit that is missing in one frame departs by all it does elsewhere; one that moves, only as much as its
    neighbours differ.
    """
    departs = float(np.abs(middle - (first + last) / 2).mean())
    apart = float(np.abs(first - last).mean()) / 2
    return departs - apart, float(np.abs(first).mean() + np.abs(last).mean()) / 2

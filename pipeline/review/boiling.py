"""Boiling: what changes from frame to frame in an edited face and no movement explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from .face_view import REGIONS, VIEW, Picture, Regions
from .series import Series

FLOOR_LEVELS = 1.0
"""Added to both residuals (in squares): a still plate has none, and what a codec leaves behind is not boiling."""

WINDOW_FRAMES = 9
"""A third of a second: boiling goes on for a while."""

Levels = NDArray[np.float32]
_PLACES: Levels = np.moveaxis(np.indices((VIEW.size_px, VIEW.size_px), np.float32)[::-1], 0, -1)


@dataclass(frozen=True, eq=False)
class _Film:
    """One film's face box at a moment."""

    picture: Picture
    luma: NDArray[np.uint8]

    @classmethod
    def of(cls, picture: Picture) -> _Film:
        return cls(picture, np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8))


@dataclass(frozen=True, eq=False)
class _Moment:
    at: int
    frame: int
    source: _Film
    output: _Film
    regions: Regions


class Boiling:
    """Of one face, moment by moment.

    Optical flow (DIS, Kroeger et al. 2016) leads from a picture to the one before and the one after. What those
    two show there, averaged, is what the picture would be if all of it only moved, and evenly; the rest is the
    residual. The source is led along its own flow; of the output counts, pixel by pixel, what is left along the
    source's flow or along its own, whichever is less: an edit may ride on the head, or move as the driver does.
    Holds three moments.
    """

    def __init__(self, moments: int) -> None:
        self.residual = np.full((moments, len(REGIONS), 2), np.nan)
        """(n, regions, 2) of source and output: RMS over a region and its channels, in 8-bit levels; NaN where a
        neighbouring frame is missing, or the region lies beyond the box."""
        self._last: list[_Moment] = []
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def add(self, at: int, frame: int, source: Picture, output: Picture, regions: Regions) -> None:
        """The moment `at`, which is that frame; moments come in order."""
        self._last = [kept for kept in self._last if kept.frame >= frame - 2]
        self._last.append(_Moment(at, frame, _Film.of(source), _Film.of(output), regions))
        if len(self._last) < 3:
            return
        before, now, after = self._last
        along_source = [self._towards(now.source, other.source) for other in (before, after)]
        of_source = of_output = _left(now.source, (before.source, after.source), along_source)
        if not all(np.array_equal(m.source.picture, m.output.picture) for m in self._last):
            around = before.output, after.output
            along_own = [self._towards(now.output, other) for other in around]
            of_output = np.minimum(_left(now.output, around, along_source), _left(now.output, around, along_own))
        for i, region in enumerate(REGIONS):
            inside = now.regions[region]
            self.residual[now.at, i] = [_rms(left[inside]) for left in (of_source, of_output)]

    def _towards(self, now: _Film, other: _Film) -> Levels:
        """(H, W, 2) where each pixel of `now` is in `other`."""
        return np.asarray(self._flow.calc(now.luma, other.luma, None) + _PLACES, np.float32)


def _rms(squares: Levels) -> float:
    return float(np.sqrt(squares.mean())) if squares.size else float("nan")


def _left(now: _Film, around: Sequence[_Film], along: Sequence[Levels]) -> Levels:
    """(H, W) mean square over the channels of what the two pictures around do not explain."""
    led = [
        cv2.remap(f.picture, way, None, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        for f, way in zip(around, along, strict=True)
    ]
    left = now.picture - 0.5 * (led[0].astype(np.float32) + led[1])
    return np.asarray(np.square(left).mean(axis=2), np.float32)


def windowed(values: Series) -> Series:
    """(n, ...) RMS over the `WINDOW_FRAMES` around each moment, of those that are known; NaN stays."""
    known = np.isfinite(values)
    squares, count = (
        uniform_filter1d(part, WINDOW_FRAMES, axis=0, mode="constant")
        for part in (np.where(known, np.square(values), 0), known.astype(np.float64))
    )
    return np.where(known, np.sqrt(np.maximum(squares, 0) / np.where(known, count, 1)), np.nan)


def boiling_ratio(residual: Series) -> Series:
    """(..., 2) residuals of source and output -> (...) the output's over the source's: 1 is no boiling."""
    source, output = np.moveaxis(np.hypot(residual, FLOOR_LEVELS), -1, 0)
    return np.asarray(output / source, np.float64)

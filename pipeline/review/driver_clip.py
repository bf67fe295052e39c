"""The driver's picture at a moment of the source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..drivers import kind_of_driver
from ..media import VideoReader
from ..options import RetargetOptions
from ..records import Frame


def is_clip(driver: Path) -> bool:
    """Whether a driver is a clip or picture, which can be shown."""
    return kind_of_driver(driver) == "clip"


class DriverClip:
    """The pictures of a driver clip by the source's time. Holds two frames."""

    def __init__(self, reader: VideoReader, duration_seconds: float, options: RetargetOptions) -> None:
        """`duration_seconds` of the clip alone: a looping driver starts again after it."""
        self.info = reader.info
        self._reader, self._duration, self._options = reader, duration_seconds, options
        self._frames: Iterator[Frame] = iter(())
        self._first_seconds = 0.0
        self._current: Frame | None = None
        self._next: Frame | None = None

    def at(self, seconds: float) -> Frame:
        """The frame shown at a second of the source; before the driver's start its first, after its end its last.

        Times should increase: going back means decoding from the beginning.
        """
        own = seconds - self._options.driver_offset_seconds
        if self._options.after == "loop" and np.isfinite(self._duration) and own > 0:
            own %= self._duration
        if self._current is None or own < self._own_seconds(self._current):
            self._restart()
        while self._next is not None and self._own_seconds(self._next) <= own + 1e-6:
            self._current, self._next = self._next, next(self._frames, None)
        assert self._current is not None, "an opened clip has a frame"
        return self._current

    def _restart(self) -> None:
        if self._current is not None and self._current.index == 0:
            return
        self._frames = iter(self._reader)
        self._current, self._next = next(self._frames, None), next(self._frames, None)
        self._first_seconds = self._current.seconds if self._current else 0.0

    def _own_seconds(self, frame: Frame) -> float:
        return frame.seconds - self._first_seconds

"""Faces of other frames, as they were filmed: their native planes around the face, kept on disk for the run."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..faces import chain
from ..media import sample_rgb
from ..records import Box, Frame, VideoInfo
from .loan import Key, Sighting

_LOADED = 12
"""References that are held in memory: those that a few frames in a row need."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A face in another frame."""

    frame: Frame
    """The planes inside of `box`."""
    box: Box
    """Coded pixels, aligned to chroma."""
    crop_from_display: NDArray[np.float64]
    """(2, 3) similarity."""
    landmarks: NDArray[np.float32]
    """(478, 3) in crop pixels."""
    info: VideoInfo
    crop: CropSpec

    @property
    def coded_from_crop(self) -> NDArray[np.float64]:
        """(2, 3) crop pixels -> coded pixels inside of the box."""
        coded_from_display = self.info.coded_from_display
        display_from_crop = _inverse(self.crop_from_display)
        matrix = chain(coded_from_display, display_from_crop)
        matrix[:, 2] -= (self.box.left, self.box.top)
        return matrix

    @cached_property
    def picture(self) -> NDArray[np.uint8]:
        """(S, S, 3) uint8 RGB: its crop."""
        size = (self.crop.size_px, self.crop.size_px)
        return sample_rgb(self.frame, self.info.color, _inverse(self.coded_from_crop), size)


@dataclass(frozen=True, eq=False)
class _Stored:
    sighting: Sighting
    frame_index: int
    box: Box
    offset: int


class References:
    """What was borrowed from, in a temporary file without a name; `_LOADED` of them are held in memory.

    Filled by one thread, then read by several.
    """

    def __init__(self, info: VideoInfo, crop: CropSpec) -> None:
        self._info, self._crop = info, crop
        self._file = tempfile.TemporaryFile(prefix="retarget-references-")  # noqa: SIM115 - lives as long as this
        self._stored: dict[Key, _Stored] = {}
        self._loaded: dict[Key, Reference] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._stored)

    def collect(self, frames: Iterable[Frame], wanted: Mapping[int, Sequence[Sighting]]) -> Iterator[Frame]:
        """Takes what is wanted, by frame index, from frames as they come by."""
        for frame in frames:
            for sighting in wanted.get(frame.index, ()):
                self._add(frame, sighting)
            yield frame

    def get(self, key: Key) -> Reference:
        """One that was collected."""
        with self._lock:
            # Put at the end: the first is the one that was not asked for longest.
            found = self._loaded.pop(key, None) or self._read(self._stored[key])
            while len(self._loaded) >= _LOADED:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[key] = found
            return found

    def _add(self, frame: Frame, sighting: Sighting) -> None:
        box = _box(sighting, self._info)
        if box.is_empty or sighting.key in self._stored:
            return
        offset = self._file.seek(0, 2)
        for i, plane in enumerate(frame.planes):
            part = box.scaled_down(*frame.pixel_format.plane_shift(i))
            self._file.write(np.ascontiguousarray(plane[part.top : part.bottom, part.left : part.right]).tobytes())
        self._format = frame.pixel_format
        self._time_base = frame.time_base
        self._stored[sighting.key] = _Stored(sighting, frame.index, box, offset)

    def _read(self, stored: _Stored) -> Reference:
        self._file.seek(stored.offset)
        planes = []
        for i in range(self._format.plane_count):
            part = stored.box.scaled_down(*self._format.plane_shift(i))
            count = part.width * part.height
            data = self._file.read(count * self._format.dtype.itemsize)
            planes.append(np.frombuffer(data, self._format.dtype).reshape(part.height, part.width))
        frame = Frame(stored.frame_index, 0, self._time_base, tuple(planes), self._format)
        sighting = stored.sighting
        return Reference(frame, stored.box, sighting.crop_from_display, sighting.landmarks, self._info, self._crop)


def _box(sighting: Sighting, info: VideoInfo) -> Box:
    """Coded pixels around the face, brows to chin."""
    points = sighting.landmarks[:, :2].astype(np.float64)
    coded = chain(info.coded_from_display, _inverse(sighting.crop_from_display))
    placed = points @ coded[:, :2].T + coded[:, 2]
    low, high = np.floor(placed.min(0)).astype(int) - 2, np.ceil(placed.max(0)).astype(int) + 2
    pixel_format = info.pixel_format
    step_x, step_y = 1 << pixel_format.chroma_shift_x, 1 << pixel_format.chroma_shift_y
    box = Box(int(low[0]), int(low[1]), int(high[0]), int(high[1])).aligned(step_x, step_y)
    return box.clipped(info.width, info.height)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2], np.float64)

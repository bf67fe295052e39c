"""Faces of other frames, as they were filmed: their native planes around the face, kept on disk for the run.

Those of other clips are kept in the source's pixel format and colour.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..faces import chain
from ..media import adapted, sample_rgb
from ..records import Box, Frame, PixelFormat, Plane, VideoInfo
from .loan import Key, Sighting

_NO_TIME = Fraction(1)

_LOADED = 12
"""References that are held in memory: those that a few frames in a row need."""

_SPARE_PX = 2
"""Around the mesh, of coded pixels: what is looked up between pixels needs neighbours."""


@dataclass(frozen=True, eq=False)
class Reference:
    """A face in another frame."""

    frame: Frame
    """The planes inside of `box`, in the format of the frames that borrow; perhaps smaller."""
    box: Box
    """Coded pixels of its clip, aligned to chroma."""
    crop_from_display: NDArray[np.float64]
    """(2, 3) similarity."""
    landmarks: NDArray[np.float32]
    """(478, 3) in crop pixels."""
    info: VideoInfo
    """Of its clip, but for the format, which is as `frame` has it."""
    crop: CropSpec

    @property
    def coded_from_crop(self) -> NDArray[np.float64]:
        """(2, 3) crop pixels -> pixels of `frame`."""
        coded_from_display = self.info.coded_from_display
        display_from_crop = _inverse(self.crop_from_display)
        matrix = chain(coded_from_display, display_from_crop)
        matrix[:, 2] -= (self.box.left, self.box.top)
        kept = np.array([self.frame.width / self.box.width, self.frame.height / self.box.height])
        return np.asarray(matrix * kept[:, None], np.float64)

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
    size: tuple[int, int]
    """(width, height) as it is kept."""
    offset: int


class References:
    """What was borrowed from, in a temporary file without a name; `_LOADED` of them are held in memory.

    Filled by one thread, then read by several.
    """

    def __init__(self, info: VideoInfo, crop: CropSpec, others: Sequence[VideoInfo] = ()) -> None:
        """`info`: the source's, whose format all are kept in. `others`: of the clips 1, 2, ..."""
        self._clips, self._crop = (info, *others), crop
        self._file = tempfile.TemporaryFile(prefix="retarget-references-")  # noqa: SIM115 - lives as long as this
        self._stored: dict[Key, _Stored] = {}
        self._loaded: dict[Key, Reference] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Key) -> bool:
        """Whether it was collected: a face outside of the picture is not."""
        return key in self._stored

    def __len__(self) -> int:
        return len(self._stored)

    def collect(
        self, frames: Iterable[Frame], wanted: Mapping[int, Sequence[Sighting]], clip: int = 0
    ) -> Iterator[Frame]:
        """Takes what is wanted, by frame index, from the frames of a clip as they come by."""
        for frame in frames:
            for sighting in wanted.get(frame.index, ()):
                self._add(frame, sighting, self._clips[clip])
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

    def _add(self, frame: Frame, sighting: Sighting, info: VideoInfo) -> None:
        source = self._clips[0]
        box = _box(sighting, info, (info.pixel_format, source.pixel_format))
        if box.is_empty or sighting.key in self._stored:
            return
        size = (max(1, round(sighting.scale * box.width)), max(1, round(sighting.scale * box.height)))
        planes: Sequence[Plane] = _cut(frame, box)
        theirs, ours = (info.pixel_format, info.color), (source.pixel_format, source.color)
        if sighting.scale < 1 or not _is_alike(info, source):
            planes = adapted(planes, theirs, ours, size)
        offset = self._file.seek(0, 2)
        for plane in planes:
            self._file.write(np.ascontiguousarray(plane).tobytes())
        self._stored[sighting.key] = _Stored(sighting, frame.index, box, size, offset)

    def _read(self, stored: _Stored) -> Reference:
        self._file.seek(stored.offset)
        source, planes = self._clips[0], []
        for i in range(source.pixel_format.plane_count):
            width, height = source.pixel_format.plane_size(i, *stored.size)
            data = self._file.read(width * height * source.pixel_format.dtype.itemsize)
            planes.append(np.frombuffer(data, source.pixel_format.dtype).reshape(height, width))
        frame = Frame(stored.frame_index, 0, _NO_TIME, tuple(planes), source.pixel_format)
        sighting = stored.sighting
        clip = self._clips[sighting.key[-1]]
        info = replace(clip, pixel_format=source.pixel_format, color=source.color)
        return Reference(frame, stored.box, sighting.crop_from_display, sighting.landmarks, info, self._crop)


def _cut(frame: Frame, box: Box) -> list[Plane]:
    """A frame's planes inside of a box."""
    parts = [box.scaled_down(*frame.pixel_format.plane_shift(i)) for i in range(len(frame.planes))]
    return [
        plane[part.top : part.bottom, part.left : part.right]
        for plane, part in zip(frame.planes, parts, strict=True)
    ]


def _is_alike(one: VideoInfo, other: VideoInfo) -> bool:
    """Whether the same samples mean the same."""
    same_color = (one.color.matrix, one.color.full_range) == (other.color.matrix, other.color.full_range)
    return same_color and one.pixel_format == other.pixel_format


def _box(sighting: Sighting, info: VideoInfo, formats: Sequence[PixelFormat]) -> Box:
    """Coded pixels around the face, brows to chin, aligned to the chroma of all formats."""
    points = sighting.landmarks[:, :2].astype(np.float64)
    coded = chain(info.coded_from_display, _inverse(sighting.crop_from_display))
    placed = points @ coded[:, :2].T + coded[:, 2]
    step_x = 1 << max(pixel_format.chroma_shift_x for pixel_format in formats)
    step_y = 1 << max(pixel_format.chroma_shift_y for pixel_format in formats)
    wide = Box.around(np.concatenate([placed - _SPARE_PX, placed + _SPARE_PX]))
    return wide.aligned(step_x, step_y).clipped(info.width, info.height)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2], np.float64)

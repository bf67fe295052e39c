"""The typed records that cross between stages. Frozen, and checked when they are made.

Two coordinate systems occur. *Coded* pixels are those of the decoded planes. *Display* pixels are upright
and square: rotation metadata and the sample aspect ratio applied, at the same resolution. Landmarks, crops
and boxes of faces are in display pixels; `VideoInfo.coded_from_display` leads to the planes. A coordinate
(0, 0) is the *corner* of the first pixel, so its centre is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

Plane = NDArray[Any]
"""One component of a picture: (height, width) uint8, or uint16 for more than 8 bits (value, not shifted)."""

LANDMARKS = 478
"""Points of the face mesh."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: left and top inside, right and bottom just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def is_empty(self) -> bool:
        return self.width <= 0 or self.height <= 0

    @classmethod
    def around(cls, points: NDArray[np.floating]) -> Box:
        """The smallest box of whole pixels that holds points (n, 2)."""
        (left, top), (right, bottom) = np.floor(points.min(0)), np.ceil(points.max(0))
        return cls(int(left), int(top), int(right), int(bottom))

    def clipped(self, width: int, height: int) -> Box:
        """The part inside a picture of that size."""
        return Box(max(self.left, 0), max(self.top, 0), min(self.right, width), min(self.bottom, height))

    def aligned(self, step_x: int, step_y: int) -> Box:
        """The smallest box around this one whose edges are multiples of the steps (chroma blocks)."""
        return Box(
            self.left // step_x * step_x,
            self.top // step_y * step_y,
            -(-self.right // step_x) * step_x,
            -(-self.bottom // step_y) * step_y,
        )

    def scaled_down(self, shift_x: int, shift_y: int) -> Box:
        """The same box on a plane subsampled by 2**shift; edges round outwards."""
        return Box(
            self.left >> shift_x,
            self.top >> shift_y,
            -(-self.right >> shift_x),
            -(-self.bottom >> shift_y),
        )


Family = Literal["yuv", "rgb", "gray"]


@dataclass(frozen=True)
class PixelFormat:
    """A planar pixel format: what the planes of a frame mean."""

    name: str
    """FFmpeg's name: "yuv420p10le", "gbrp", "gray"."""
    family: Family
    """yuv: planes Y, Cb, Cr. rgb: planes G, B, R (FFmpeg's order). gray: one plane."""
    depth_bits: int
    """Significant bits of a sample, 8..16."""
    chroma_shift_x: int = 0
    """log2 of the horizontal subsampling of planes 1 and 2."""
    chroma_shift_y: int = 0
    """log2 of the vertical subsampling of planes 1 and 2."""
    has_alpha: bool = False
    """Whether the last plane is alpha (never edited)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.depth_bits == 8 else np.uint16)

    @property
    def plane_count(self) -> int:
        return (1 if self.family == "gray" else 3) + self.has_alpha

    @property
    def color_plane_count(self) -> int:
        return self.plane_count - self.has_alpha

    def plane_shift(self, index: int) -> tuple[int, int]:
        """(x, y) log2 subsampling of a plane."""
        subsampled = self.family == "yuv" and index in (1, 2)
        return (self.chroma_shift_x, self.chroma_shift_y) if subsampled else (0, 0)

    def plane_size(self, index: int, width: int, height: int) -> tuple[int, int]:
        """(width, height) of a plane of a picture of that size; odd sizes round up as FFmpeg does."""
        shift_x, shift_y = self.plane_shift(index)
        return -(-width >> shift_x), -(-height >> shift_y)


@dataclass(frozen=True)
class Color:
    """How samples mean colour, as ITU-T H.273 code points; `matrix` and `full_range` are already resolved."""

    matrix: Literal["bt601", "bt709", "bt2020", "rgb"]
    """Which luma coefficients the Y'CbCr of the rectangle conversion uses (guessed by size if untagged)."""
    full_range: bool
    """True: 0..255; False: 16..235 (at 8 bits)."""
    tag_range: int = 0
    """AVColorRange as found (0 = untagged); written to the output unchanged, like the three below."""
    tag_matrix: int = 2
    tag_primaries: int = 2
    tag_transfer: int = 2


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before decoding it."""

    path: Path
    width: int
    """Coded width in pixels."""
    height: int
    pixel_format: PixelFormat
    """Of the frames handed out (packed formats are unpacked losslessly)."""
    native_format_name: str
    """FFmpeg's name of the format in the file."""
    color: Color
    time_base: Fraction
    frame_rate: Fraction
    """Average rate, for timecode, progress and encoder hints; never for timing."""
    start_seconds: float
    """Presentation time of the first frame as the header says."""
    duration_seconds_from_header: float
    """May lie; 0 if unknown."""
    frame_count_from_header: int
    """May lie; 0 if unknown. Only for a progress bar."""
    rotation_degrees: int = 0
    """Clockwise turn that shows the coded picture upright: 0, 90, 180 or 270."""
    sample_aspect_ratio: Fraction = Fraction(1)
    codec_name: str = ""
    audio_streams: int = 0
    is_still: bool = False
    """A single picture, shown for as long as asked."""
    start_timecode: str = ""
    """Timecode of the file's first frame, as written in it; empty if it has none."""

    @property
    def display_width(self) -> int:
        return self._upright_size[0]

    @property
    def display_height(self) -> int:
        return self._upright_size[1]

    @property
    def _upright_size(self) -> tuple[int, int]:
        square_width = max(1, round(self.width * self.sample_aspect_ratio))
        if self.rotation_degrees in (90, 270):
            return self.height, square_width
        return square_width, self.height

    @property
    def coded_from_display(self) -> NDArray[np.float64]:
        """(2, 3) float64 affine: display (x, y, 1) -> coded (x, y). Corner-based coordinates."""
        wide, high = self.display_width, self.display_height
        turn = {
            0: [[1, 0, 0], [0, 1, 0]],
            90: [[0, 1, 0], [-1, 0, wide]],  # clockwise to upright: coded x runs down the display
            180: [[-1, 0, wide], [0, -1, high]],
            270: [[0, -1, high], [1, 0, 0]],
        }[self.rotation_degrees]
        matrix = np.array(turn, np.float64)
        square_width = wide if self.rotation_degrees in (0, 180) else high
        matrix[0] *= self.width / square_width
        return matrix

    @property
    def display_from_coded(self) -> NDArray[np.float64]:
        """(2, 3) float64 affine: coded (x, y, 1) -> display (x, y)."""
        return np.linalg.inv(np.vstack([self.coded_from_display, (0, 0, 1)]))[:2]


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture in its own pixel format. Treat the planes as read-only; edit with `with_planes`."""

    index: int
    """Position in presentation order, from 0."""
    pts: int
    """Presentation time in `time_base` units, exactly as the container says."""
    time_base: Fraction
    planes: tuple[Plane, ...]
    """Per component (h, w) uint8 or uint16, views of the decoder's buffer."""
    pixel_format: PixelFormat
    duration: int = 0
    """In `time_base` units; 0 if unknown."""
    is_corrupt: bool = False
    """The decoder said that it had to conceal something."""
    native: Any = field(default=None, repr=False)
    """The decoder's own frame, so that an unedited picture is handed on untouched; None for synthetic ones."""

    def __post_init__(self) -> None:
        if len(self.planes) != self.pixel_format.plane_count:
            raise ValueError(
                f"{self.pixel_format.name} has {self.pixel_format.plane_count} planes, got {len(self.planes)}"
            )
        for i, plane in enumerate(self.planes):
            wanted = self.pixel_format.plane_size(i, self.width, self.height)
            if (plane.shape[1], plane.shape[0]) != wanted or plane.dtype != self.pixel_format.dtype:
                raise ValueError(
                    f"plane {i} of {self.pixel_format.name} is {plane.dtype} {plane.shape[::-1]}, "
                    f"expected {self.pixel_format.dtype} {wanted}"
                )

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])

    @property
    def seconds(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    def with_planes(self, planes: Sequence[Plane]) -> Frame:
        """The same moment with other pixels; planes that are the very same arrays count as untouched."""
        return replace(self, planes=tuple(planes))

    def __repr__(self) -> str:
        return f"Frame({self.index}, pts={self.pts}, {self.width}x{self.height} {self.pixel_format.name})"


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame, as tracked."""

    face_id: int
    """Identity within its shot, from 0 in order of appearance."""
    landmarks: NDArray[np.float32]
    """(478, 3) float32: x, y in display pixels, z in the same unit (smaller is nearer the camera)."""
    action_units: NDArray[np.float32]
    """(action_units.COUNT,) float32 in [0, 1]: the face's absolute expression, not yet relative to a neutral."""
    rotation: NDArray[np.float32]
    """(3, 3) float32 head rotation: canonical (front-facing) -> display axes (x right, y down, z away)."""
    confidence: float = 1.0
    """[0, 1]: how far the measurement can be believed."""

    def __post_init__(self) -> None:
        for name, array, shape in (
            ("landmarks", self.landmarks, (LANDMARKS, 3)),
            ("action_units", self.action_units, (action_units.COUNT,)),
            ("rotation", self.rotation, (3, 3)),
        ):
            if array.shape != shape:
                raise ValueError(f"Face.{name} has shape {array.shape}, expected {shape}")

    @property
    def size_px(self) -> float:
        """The longer side of the landmarks' bounding box, in display pixels."""
        points = self.landmarks[:, :2]
        return float((points.max(axis=0) - points.min(axis=0)).max())

    @property
    def center(self) -> tuple[float, float]:
        points = self.landmarks[:, :2]
        middle = (points.max(axis=0) + points.min(axis=0)) / 2
        return float(middle[0]), float(middle[1])

    @property
    def yaw_degrees(self) -> float:
        """Turn to the side; positive when the subject's nose points to the right of the picture."""
        return float(np.degrees(np.arctan2(-self.rotation[0, 2], self.rotation[2, 2])))

    @property
    def pitch_degrees(self) -> float:
        """Nod; positive when the nose points down."""
        return float(np.degrees(np.arcsin(np.clip(-self.rotation[1, 2], -1, 1))))

    def __repr__(self) -> str:
        x, y = self.center
        return f"Face(id={self.face_id}, {self.size_px:.0f} px at ({x:.0f}, {y:.0f}), conf={self.confidence:.2f})"


@dataclass(frozen=True)
class TrackedFrame:
    """What tracking found in one frame; holds no pixels."""

    index: int
    pts: int
    seconds: float
    shot: int
    """Number of the shot, from 0; smoothing and identities never cross shots."""
    faces: tuple[Face, ...]


TOUCHING_AU25 = 0.03
"""AU25 from which a tracked face's lips do not touch at all any more; at 0 they do."""


@dataclass(frozen=True, eq=False)
class Target:
    """What a driver asks of one face at N moments, before strength and gains.

    The performance at moment i is moved, per action unit, by
    `weight * (value - own)` where `additive` is False (be like this) and by `weight * value` where it is True
    (add this to your own).
    """

    values: NDArray[np.float32]
    """(N, C) float32, unit range, measured from the driver's neutral; additive ones may be negative."""
    weight: NDArray[np.float32]
    """(N, C) float32 in [0, 1]: 0 leaves the action unit to the performance; ramps lie between."""
    additive: NDArray[np.bool_]
    """(N, C) bool."""
    lips_together: NDArray[np.float32] | None = None
    """(N,) float32 in [0, 1]: how far the lips are to touch, whatever the units that part them say; None: no
    word about that."""

    def __post_init__(self) -> None:
        shapes = {self.values.shape, self.weight.shape, self.additive.shape}
        if len(shapes) != 1 or self.values.ndim != 2 or self.values.shape[1] != action_units.COUNT:
            raise ValueError(f"Target needs three (N, {action_units.COUNT}) arrays, got {sorted(shapes)}")


@dataclass(frozen=True, eq=False)
class ExpressionSeries:
    """One face's expression over time: what tracking a clip or reading a capture file gives."""

    seconds: NDArray[np.float64]
    """(n,) strictly increasing, from the clip's first frame = 0."""
    values: NDArray[np.float32]
    """(n, C) float32, absolute expression in [0, 1]."""
    filled: NDArray[np.bool_]
    """(C,) bool: the action units the file knows about; the rest stay the performance's own."""
    confidence: NDArray[np.float32]
    """(n,) float32 in [0, 1]."""

    def __post_init__(self) -> None:
        n, count = len(self.seconds), action_units.COUNT
        if self.values.shape != (n, count) or self.filled.shape != (count,) or self.confidence.shape != (n,):
            raise ValueError(
                f"ExpressionSeries of {n} moments has values {self.values.shape}, filled {self.filled.shape}, "
                f"confidence {self.confidence.shape}; expected ({n}, {count}), ({count},), ({n},)"
            )
        if n == 0 or (np.diff(self.seconds) <= 0).any():
            raise ValueError("ExpressionSeries needs at least one moment and strictly increasing seconds")

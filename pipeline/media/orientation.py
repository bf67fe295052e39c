"""How a picture is turned and mirrored to be shown: the display matrix of a file.

FFmpeg's layout (AV_PKT_DATA_DISPLAYMATRIX): nine numbers a b u, c d v, x y w, of which a b c d are 16.16 fixed
point;
(x, y) of the coded picture is shown at (a x + c y, b x + d y).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame

from .side_data import side_data_of

_ONE = 1 << 16


@dataclass(frozen=True)
class Orientation:
    """Of a picture: what has to be done to show it upright."""

    rotation_degrees: int = 0
    """Clockwise, 0, 90, 180 or 270; before the mirror."""
    is_mirrored: bool = False
    """Whether left and right are exchanged then."""
    matrix: tuple[int, ...] = ()
    """As found; empty if there is none."""


def orientation_of(native: VideoFrame, codec: str) -> Orientation:
    """The nearest of the eight orientations to what a picture's display matrix says; `codec` is the decoder's."""
    data = side_data_of(native, codec).get(SideDataType.DISPLAYMATRIX)
    if data is None:
        return Orientation(-round(native.rotation / 90) * 90 % 360)
    matrix = np.frombuffer(data, np.int32)[:9]
    a, b, c, d = (float(matrix[i]) for i in (0, 1, 3, 4))
    is_mirrored = a * d - b * c < 0
    # A mirror behind the turn: x is shown where -x would be.
    turn = np.degrees(np.arctan2(b, -a if is_mirrored else a))
    return Orientation(round(float(turn) / 90) * 90 % 360, is_mirrored, tuple(int(value) for value in matrix))


def matrix_of(rotation_degrees: int, *, is_mirrored: bool) -> tuple[int, ...]:
    """The display matrix of one of the eight orientations, at its place (0, 0)."""
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[rotation_degrees // 90]
    mirror = -1 if is_mirrored else 1
    a, b, c, d = mirror * cos, sin, -mirror * sin, cos
    return (a * _ONE, b * _ONE, 0, c * _ONE, d * _ONE, 0, 0, 0, 1 << 30)

"""The planes of FFmpeg's pictures as arrays, without a copy where none is needed."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame

from ..records import Color, Frame, PixelFormat, Plane


def plane_views(native: VideoFrame, pixel_format: PixelFormat) -> tuple[Plane, ...]:
    """Views of a planar picture's buffers: (h, w) uint8 or uint16 each, without the padding at the line ends."""
    views = []
    for i in range(pixel_format.plane_count):
        plane = native.planes[i]
        width, height = pixel_format.plane_size(i, native.width, native.height)
        strides = (abs(plane.line_size), pixel_format.dtype.itemsize)
        view: Plane = np.ndarray((height, width), pixel_format.dtype, buffer=memoryview(plane), strides=strides)
        views.append(view)
    return tuple(views)


def native_from_planes(frame: Frame, color: Color) -> VideoFrame:
    """A new picture of FFmpeg's with the frame's samples, times and these colour tags."""
    native = VideoFrame(frame.width, frame.height, frame.pixel_format.name)
    fill_planes(native, frame)
    native.pts, native.time_base, native.duration = frame.pts, frame.time_base, frame.duration
    native.color_range, native.colorspace = color.tag_range, color.tag_matrix
    native.color_primaries, native.color_trc = color.tag_primaries, color.tag_transfer
    return native


def fill_planes(native: VideoFrame, frame: Frame) -> None:
    """Writes the frame's samples into a picture of its size and format."""
    for view, plane in zip(plane_views(native, frame.pixel_format), frame.planes, strict=True):
        view[:] = plane


def is_untouched(frame: Frame) -> bool:
    """Whether every plane is still the decoder's own memory (which is handed out read-only)."""
    if frame.native is None:
        return False
    planes = zip(frame.planes, frame.native.planes, strict=False)
    line = frame.parity or 0
    return all(
        not p.flags.writeable and p.ctypes.data == own.buffer_ptr + line * own.line_size for p, own in planes
    )

"""Pictures in another pixel format, size or colour, by swscale."""

from __future__ import annotations

import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from ..records import Color, Frame, PixelFormat, VideoInfo
from .color import over_neutral
from .formats import without_j
from .planes import fill_planes, is_untouched, native_from_planes

_SWSCALE_BY_MATRIX = {
    "bt601": Colorspace.ITU601,
    "bt709": Colorspace.ITU709,
    "bt2020": Colorspace.BT2020,
    "rgb": Colorspace.ITU709,
}
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
_PROXY_COLOR = Color("rgb", True)
_per_thread = threading.local()


def proxy(frame: Frame, info: VideoInfo, max_side_px: int) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB of a frame: upright, square pixels, longer side at most `max_side_px`.

    Never larger than the display size. Scaling and colour conversion are one swscale call; high dynamic
    range is not tone-mapped. What is transparent lies over a neutral gray. May be called from several threads
    at once.
    """
    shrink = min(1.0, max_side_px / max(info.display_width, info.display_height))
    width, height = (max(1, round(side * shrink)) for side in (info.display_width, info.display_height))
    if info.rotation_degrees in (90, 270):
        width, height = height, width
    if not hasattr(_per_thread, "converter"):
        _per_thread.converter = Converter()
    converter: Converter = _per_thread.converter
    is_whole = frame.parity is None and is_untouched(frame)
    native = frame.native if is_whole else native_from_planes(frame, info.color)
    has_alpha = info.pixel_format.has_alpha
    name = "rgba" if has_alpha else "rgb24"
    small = converter.scale(
        native, width, height, name, info.color, _PROXY_COLOR, interpolation=Interpolation.BILINEAR
    )
    picture: NDArray[np.uint8] = np.asarray(small.to_ndarray(), np.uint8)
    if has_alpha:
        eight = replace(info.pixel_format, depth_bits=8)
        picture = over_neutral(np.ascontiguousarray(picture[..., :3]), picture[..., 3], eight)
    turned = np.rot90(picture, -info.rotation_degrees // 90)
    return np.ascontiguousarray(turned[:, ::-1] if info.is_mirrored else turned)


class Converter:
    """Changes pixel format, size or colour through one swscale context; not for two threads at once."""

    def __init__(self) -> None:
        self._swscale = VideoReformatter()

    def to_planar(self, native: VideoFrame, wanted: PixelFormat) -> VideoFrame:
        """The picture unpacked into `wanted`; the very picture if it is so already."""
        if without_j(native.format.name) == wanted.name and min(p.line_size for p in native.planes) > 0:
            return native
        return self._swscale.reformat(native, format=wanted.name, interpolation=_EXACT)

    def convert(self, native: VideoFrame, name: str, source: Color, target: Color) -> VideoFrame:
        """The picture in pixel format `name`, at its own size."""
        return self.scale(native, native.width, native.height, name, source, target, interpolation=_EXACT)

    def scale(
        self,
        native: VideoFrame,
        width: int,
        height: int,
        name: str,
        source: Color,
        target: Color,
        *,
        interpolation: int,
    ) -> VideoFrame:
        """The picture at that size in pixels, in pixel format `name` and the colour `target`."""
        source_matrix = source.matrix if source.matrix != "rgb" else target.matrix
        target_matrix = target.matrix if target.matrix != "rgb" else source.matrix
        return self._swscale.reformat(
            native,
            width,
            height,
            name,
            src_colorspace=_SWSCALE_BY_MATRIX[source_matrix],
            dst_colorspace=_SWSCALE_BY_MATRIX[target_matrix],
            src_color_range=_range_of(source.full_range),
            dst_color_range=_range_of(target.full_range),
            interpolation=interpolation,
        )


def _range_of(full_range: bool) -> ColorRange:
    return ColorRange.JPEG if full_range else ColorRange.MPEG


def _extended(frame: Frame, size: tuple[int, int]) -> Frame:
    """The frame with its last column and row repeated up to that (width, height)."""
    planes = []
    for i, plane in enumerate(frame.planes):
        width, height = frame.pixel_format.plane_size(i, *size)
        rows, columns = height - plane.shape[0], width - plane.shape[1]
        planes.append(np.pad(plane, ((0, rows), (0, columns)), mode="edge"))
    return replace(frame, planes=tuple(planes), native=None)


class Preparation:
    """Turns frames into what an encoder takes, changing only what was edited or the encoder asks for."""

    def __init__(
        self, info: VideoInfo, pixel_format: str, color: Color, *, size: tuple[int, int] | None = None
    ) -> None:
        """`pixel_format` (FFmpeg's name), `color` and `size` are the encoder's; `info` describes the frames. A
        size
        (width, height) beyond the frames' repeats their last column and row; None: theirs."""
        self._size = size or (info.width, info.height)
        self._info, self._pixel_format, self._color = info, pixel_format, color
        self._converter = Converter()
        self._duplicates: Graph | None = None

    def prepare(self, frame: Frame) -> VideoFrame:
        """The picture in the encoder's format; the source's own object where nothing has to change."""
        if (frame.width, frame.height) != self._size:
            frame = _extended(frame, self._size)
        native = frame.native if is_untouched(frame) else self._edited(frame)
        if without_j(native.format.name) == self._pixel_format:
            return native
        return self._converter.convert(native, self._pixel_format, self._info.color, self._color)

    def _edited(self, frame: Frame) -> VideoFrame:
        if frame.native is None:
            return native_from_planes(frame, self._info.color)
        copy = self._duplicate(frame.native)
        fill_planes(copy, frame)
        return copy

    def _duplicate(self, native: VideoFrame) -> VideoFrame:
        """A writable copy with its side data (captions, HDR metadata), which a new picture would lack."""
        if self._duplicates is None:
            graph = Graph()
            base = native.time_base or Fraction(1, 1000)
            source = graph.add_buffer(
                width=native.width, height=native.height, format=native.format, time_base=base
            )
            graph.link_nodes(source, graph.add("copy"), graph.add("buffersink")).configure()
            self._duplicates = graph
        self._duplicates.push(native)
        copy = self._duplicates.pull()
        assert isinstance(copy, VideoFrame)
        return copy

"""Video, pictures and image sequences in and out; the only user of PyAV.

Frames stay as decoded: own pixel format and bit depth, own pts and time base. What a frame does not change
(times, colour tags, aspect, rotation, audio, subtitles, chapters, metadata) comes out as it went in.

Memory: reading holds the decoder's pictures and the last good one; writing holds what the encoder looks
ahead plus about a second of encoded packets. Neither grows with the clip.

A long output can be made in pieces (see `pieces.py`): each is encoded by itself, and its packets are written both
to the output and to a file of its own, from which a later run takes them as they are.

Matroska stores times in whole milliseconds, so an .mkv output rounds to those; .mp4 and .mov keep the
source's time base and are exact.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import av
import av.logging
import cv2
import numpy as np
from av.codec.codec import UnknownCodecError, find_best_pix_fmt_of_list
from av.codec.context import Flags as CodecFlags
from av.codec.context import ThreadType
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Discard, Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ..errors import OptionError, VideoOpenError, VideoReadError, VideoWriteError
from ..files import SequencePattern, check_output, find_sequence, parse_pattern
from ..records import Color, Frame, PixelFormat, Plane, VideoInfo
from .pieces import About, Piece, Pieces, PieceWriter, StoredPacket, kept_pieces, note_pictures, noted_pictures

# FFmpeg's chatter goes nowhere: what matters of it reaches the user as one of our errors or notes.
av.logging.set_level(None)

STILL_RATE = Fraction(25)
"""Pictures per second of a still that is shown for some time."""
TRIM_TOLERANCE_SECONDS = Fraction(1, 2000)
"""What Matroska rounds times by: a trim point of 113/24 s still hits frame 113, stored as 4.708 s."""
SEEK_WORTH_SECONDS = 4.0
"""Below this trim start, decoding from the beginning is as quick as seeking."""

_MUXER_BY_SUFFIX = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_PICTURE_ENCODER_BY_SUFFIX = {".png": "png", ".tif": "tiff", ".tiff": "tiff"}
# fmt: off
_PICTURE_SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".bmp", ".dpx", ".exr", ".tga", ".ppm", ".pgm",
    ".pnm", ".jp2", ".j2k", ".sgi", ".psd",
})
# fmt: on
_ENCODER_BY_CODEC = {"h264": "libx264", "hevc": "libx265", "prores": "prores_ks", "ffv1": "ffv1"}
# Narrower than what FFmpeg would mux: FFV1 in .mp4 or ProRes in .mp4 is a file no editor opens.
_SUFFIXES_BY_CODEC = {"prores": (".mov", ".mkv"), "ffv1": (".mkv",)}
# Matroska's own field for the aspect is out of PyAV's reach; these write it into the video stream as well.
_ASPECT_IN_STREAM = frozenset({"libx264", "libx265", "h264_nvenc", "hevc_nvenc", "mpeg4"})
# What these encode in pieces is known to go together: each piece begins with a picture that needs no earlier one,
# and all have one header.
_ENCODERS_IN_PIECES = frozenset(_ENCODER_BY_CODEC.values())
_CPU_AVX512_SKX = 256  # of OpenCV's CpuFeatures, a name that its Python module lacks
_CODEC_LOSSES = 0x3F  # PixFmtLoss without the "more than needed" bits (64, 128)

_RANGE_FULL = 2  # AVCOL_RANGE_JPEG
_MATRIX_BY_TAG: dict[int, Literal["bt601", "bt709", "bt2020"]] = {
    1: "bt709",
    4: "bt601",
    5: "bt601",
    6: "bt601",
    7: "bt709",  # SMPTE 240M: its coefficients are within 0.002 of these
    9: "bt2020",
    10: "bt2020",
}
_TAG_BY_MATRIX = {"bt601": 6, "bt709": 1, "bt2020": 9, "rgb": 0}
_SWS_BY_MATRIX = {
    "bt601": Colorspace.ITU601,
    "bt709": Colorspace.ITU709,
    "bt2020": Colorspace.BT2020,
    "rgb": Colorspace.ITU709,
}
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT


# Pixel formats


def _suffix_of_depth(depth_bits: int) -> str:
    return "" if depth_bits == 8 else f"{depth_bits}le"


def _rounded_depth(depth_bits: int, available: tuple[int, ...]) -> int:
    return next(depth for depth in available if depth >= depth_bits)


_CHROMA_NAMES = {(0, 0): "444", (1, 0): "422", (1, 1): "420", (0, 1): "440", (2, 0): "411", (2, 2): "410"}


def planar_format(name: str) -> PixelFormat:
    """The planar little-endian pixel format that holds everything a format of FFmpeg holds.

    Raises:
        ValueError: floating point, Bayer, XYZ or hardware formats, which have no such counterpart here.
    """
    native = VideoFormat(name, 64, 64)
    components = native.components
    if not components or native.is_bayer or name.startswith("xyz") or re.search(r"f(16|32)(le|be)$", name):
        raise ValueError(f"pixel format {name} is not supported")
    depth_bits = max(8, *(component.bits for component in components))
    if depth_bits > 16:
        raise ValueError(f"pixel format {name} is not supported")
    has_alpha = native.has_palette or any(component.is_alpha for component in components)
    if native.is_rgb or native.has_palette or (has_alpha and len(components) == 2):
        # Gray with alpha (ya8) has no planar form of its own; three equal colours hold it exactly.
        return _rgb_format(depth_bits, has_alpha=has_alpha)
    if len(components) == 1:
        depth_bits = _rounded_depth(depth_bits, (8, 9, 10, 12, 14, 16))
        return PixelFormat(f"gray{_suffix_of_depth(depth_bits)}", "gray", depth_bits)
    return _yuv_format(native, depth_bits, has_alpha=has_alpha)


def _rgb_format(depth_bits: int, *, has_alpha: bool) -> PixelFormat:
    depths = (8, 10, 12, 14, 16) if has_alpha else (8, 9, 10, 12, 14, 16)
    depth_bits = _rounded_depth(depth_bits, depths)
    name = f"{'gbrap' if has_alpha else 'gbrp'}{_suffix_of_depth(depth_bits)}"
    return PixelFormat(name, "rgb", depth_bits, has_alpha=has_alpha)


def _yuv_format(native: VideoFormat, depth_bits: int, *, has_alpha: bool) -> PixelFormat:
    shift_x = (64 // native.chroma_width(64)).bit_length() - 1
    shift_y = (64 // native.chroma_height(64)).bit_length() - 1
    name = f"{'yuva' if has_alpha else 'yuv'}{_CHROMA_NAMES[shift_x, shift_y]}p{_suffix_of_depth(depth_bits)}"
    VideoFormat(name)  # raises ValueError where FFmpeg has no such format
    return PixelFormat(name, "yuv", depth_bits, shift_x, shift_y, has_alpha)


def _without_j(name: str) -> str:
    """yuvj420p is yuv420p with full range; everything else keeps its name."""
    return name.replace("yuvj", "yuv") if name.startswith("yuvj") else name


def _resolve_color(native: VideoFrame, pixel_format: PixelFormat, *, is_still: bool, codec: str) -> Color:
    tag_matrix = int(native.colorspace)
    is_photo = is_still and codec in ("mjpeg", "webp")
    is_large = native.height >= 720 or native.width >= 1280
    if pixel_format.family == "rgb":
        matrix: Literal["bt601", "bt709", "bt2020", "rgb"] = "rgb"
    else:
        guess: Literal["bt601", "bt709"] = "bt709" if is_large and not is_photo else "bt601"
        matrix = _MATRIX_BY_TAG.get(tag_matrix, guess)
    tag_range = int(native.color_range)
    untagged_full = native.format.name.startswith("yuvj") or (pixel_format.family == "gray" and is_still)
    full_range = tag_range == _RANGE_FULL or pixel_format.family == "rgb" or (tag_range == 0 and untagged_full)
    return Color(matrix, full_range, tag_range, tag_matrix, int(native.color_primaries), int(native.color_trc))


def _range_of(full_range: bool) -> ColorRange:
    return ColorRange.JPEG if full_range else ColorRange.MPEG


def _plane_views(native: VideoFrame, pixel_format: PixelFormat) -> tuple[Plane, ...]:
    """Views of a planar frame's buffers without the padding at the line ends."""
    views = []
    for i in range(pixel_format.plane_count):
        plane = native.planes[i]
        width, height = pixel_format.plane_size(i, native.width, native.height)
        strides = (abs(plane.line_size), pixel_format.dtype.itemsize)
        view: Plane = np.ndarray((height, width), pixel_format.dtype, buffer=memoryview(plane), strides=strides)
        views.append(view)
    return tuple(views)


class _Converter:
    """Changes pixel format, size or colour through one swscale context; not for two threads at once."""

    def __init__(self) -> None:
        self._swscale = VideoReformatter()

    def to_planar(self, native: VideoFrame, wanted: PixelFormat) -> VideoFrame:
        """The frame unpacked into `wanted`; the very frame if it is so already."""
        if _without_j(native.format.name) == wanted.name and min(p.line_size for p in native.planes) > 0:
            return native
        return self._swscale.reformat(native, format=wanted.name, interpolation=_EXACT)

    def convert(
        self, native: VideoFrame, name: str, source: Color, target: Color, *, interpolation: int = _EXACT
    ) -> VideoFrame:
        return self.scale(native, native.width, native.height, name, source, target, interpolation=interpolation)

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
        source_matrix = source.matrix if source.matrix != "rgb" else target.matrix
        target_matrix = target.matrix if target.matrix != "rgb" else source.matrix
        return self._swscale.reformat(
            native,
            width,
            height,
            name,
            src_colorspace=_SWS_BY_MATRIX[source_matrix],
            dst_colorspace=_SWS_BY_MATRIX[target_matrix],
            src_color_range=_range_of(source.full_range),
            dst_color_range=_range_of(target.full_range),
            interpolation=interpolation,
        )


def _native_from_planes(frame: Frame, color: Color) -> VideoFrame:
    native = VideoFrame(frame.width, frame.height, frame.pixel_format.name)
    for view, plane in zip(_plane_views(native, frame.pixel_format), frame.planes, strict=True):
        view[:] = plane
    native.pts, native.time_base, native.duration = frame.pts, frame.time_base, frame.duration
    native.color_range, native.colorspace = color.tag_range, color.tag_matrix
    native.color_primaries, native.color_trc = color.tag_primaries, color.tag_transfer
    return native


def _is_untouched(frame: Frame) -> bool:
    """Whether every plane is still the decoder's own memory (which is handed out read-only)."""
    if frame.native is None:
        return False
    planes = zip(frame.planes, frame.native.planes, strict=False)
    return all(not p.flags.writeable and p.ctypes.data == own.buffer_ptr for p, own in planes)


# Proxy

_PROXY_COLOR = Color("rgb", True)
_per_thread = threading.local()


def proxy(frame: Frame, info: VideoInfo, max_side_px: int) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB of a frame: upright, square pixels, longer side at most `max_side_px`.

    Never larger than the display size. Scaling and colour conversion are one swscale call; high dynamic
    range is not tone-mapped. Does not look at alpha.
    """
    shrink = min(1.0, max_side_px / max(info.display_width, info.display_height))
    width, height = (max(1, round(side * shrink)) for side in (info.display_width, info.display_height))
    if info.rotation_degrees in (90, 270):
        width, height = height, width
    if not hasattr(_per_thread, "converter"):
        _per_thread.converter = _Converter()
    converter: _Converter = _per_thread.converter
    edited = frame.native is None or not _is_untouched(frame)
    native = _native_from_planes(frame, info.color) if edited else frame.native
    small = converter.scale(
        native, width, height, "rgb24", info.color, _PROXY_COLOR, interpolation=Interpolation.BILINEAR
    )
    picture: NDArray[np.uint8] = np.asarray(small.to_ndarray(), np.uint8)
    return np.ascontiguousarray(np.rot90(picture, -info.rotation_degrees // 90))


# Reading


@dataclass(frozen=True)
class _Picture:
    """A decoded picture before it is unpacked into a `Frame`."""

    native: VideoFrame
    pts: int
    is_corrupt: bool


@dataclass(frozen=True)
class _Span:
    """What part of a source is kept, in absolute presentation time of that source."""

    start_seconds: Fraction | None
    """Packets before are left out; None: all."""
    end_seconds: Fraction | None
    shift_seconds: Fraction
    """Subtracted from every time, so that the first kept frame sits at the source's start."""


def _open_container(path: Path) -> InputContainer:
    """An opened input. Always by absolute path: FFmpeg takes `a:b.mp4` for a protocol.

    Raises:
        VideoOpenError: with the reason FFmpeg gives.
    """
    # A picture called `100%d.png` is one picture, not FFmpeg's idea of a sequence.
    options = {"pattern_type": "none"} if path.suffix.lower() in _PICTURE_SUFFIXES else {}
    try:
        return av.open(str(path.absolute()), "r", container_options=options, metadata_errors="replace")
    except PermissionError as error:
        raise VideoOpenError(f"{path}: may not be read; check its permissions") from error
    except (FFmpegError, ValueError, UnicodeError) as error:
        raise VideoOpenError(
            f"{path}: not a video or picture that can be read ({_reason(error)}); is the file complete?"
        ) from error


def _reason(error: BaseException) -> str:
    """FFmpeg's own words for an error, on one line."""
    text = error.strerror if isinstance(error, FFmpegError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _main_video(container: InputContainer, path: Path) -> VideoStream:
    stream = container.streams.best("video")
    if stream is None or stream.disposition & Disposition.attached_pic or container.format.name == "tty":
        raise VideoOpenError(f"{path}: has no video stream; give a video, a picture or an image sequence")
    assert isinstance(stream, VideoStream)
    if stream.codec_context is None:
        raise VideoOpenError(f"{path}: its video codec is unknown here; convert it to H.264 or ProRes first")
    return stream


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise VideoOpenError(f"{path}: is a folder; for an image sequence give a pattern: {path}/name.%04d.png")
    if not path.exists():
        raise VideoOpenError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise VideoOpenError(f"{path}: is empty (0 bytes); copy or download it again")


class _Timeline:
    """Gives every picture its place in time, and says which pictures never came out of the decoder.

    Expects the pts of every packet sent to the decoder (`expect`) and every picture as it comes out
    (`place`), which is in presentation order.
    """

    def __init__(self, stream: VideoStream) -> None:
        rate, base = stream.average_rate or stream.guessed_rate, stream.time_base
        self._step = max(1, round(1 / (rate * base))) if rate and base else 1
        self.latest_pts = -(1 << 62)
        """The latest time any packet had; before all times at first."""
        self._waiting: list[int] = []
        self._last_pts: int | None = None
        self._last_duration = 0

    def expect(self, packet: Packet[Any]) -> None:
        if packet.size and not packet.is_discard and packet.pts is not None:
            heappush(self._waiting, packet.pts)
            self.latest_pts = max(self.latest_pts, packet.pts)

    def place(self, native: VideoFrame) -> int:
        """The picture's pts: its own, else its dts, else the one after the previous; always increasing."""
        pts = native.pts if native.pts is not None else native.dts
        if pts is None:
            pts = 0 if self._last_pts is None else self._last_pts + (self._last_duration or self._step)
        if self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + 1  # two pictures at one time: neither is dropped
        self._last_pts, self._last_duration = pts, native.duration
        return pts

    def skipped(self, before: int | None) -> list[int]:
        """The pts that were expected before that one (None: at all) and not placed; forgets them."""
        missing = []
        while self._waiting and (before is None or self._waiting[0] <= before):
            pts = heappop(self._waiting)
            if pts != before and (self._last_pts is None or pts > self._last_pts):
                missing.append(pts)
        return missing

    def conceal(self, pts: int) -> None:
        self._last_pts, self._last_duration = pts, 0


class _Decoding:
    """One pass over a file: decodes, and fills the place of pictures that do not come out."""

    def __init__(self, path: Path, *, seek_seconds: Fraction | None = None, frame_threads: bool = True) -> None:
        self.path = path
        self._frame_threads = frame_threads
        self._open()
        self._timeline = _Timeline(self.stream)
        self._error_until: int | None = None
        """After an error: pictures up to this time, and on to the next key picture, may be missing."""
        self._previous: _Picture | None = None
        self._filled: set[int] = set()
        """Places already given to a stand-in."""
        self._early: list[int] = []
        """Places before the first picture that came out; filled with that picture."""
        if seek_seconds is not None:
            self._seek(seek_seconds)

    def _open(self) -> None:
        self.container = _open_container(self.path)
        self.stream = _main_video(self.container, self.path)
        context = self.stream.codec_context
        context.thread_type = ThreadType.AUTO if self._frame_threads else ThreadType.SLICE
        # Pictures the decoder had to patch up are wanted, marked, rather than missing.
        context.flags |= CodecFlags.output_corrupt
        for other in self.container.streams:
            if other.index != self.stream.index:
                other.discard = Discard.all

    def close(self) -> None:
        self.container.close()

    def _seek(self, seconds: Fraction) -> None:
        """Goes to a key picture at or before that time, or stays at the beginning.

        Only in containers with an index of key pictures. The packet found is checked: a seek by decode time
        may land on a key picture that is shown only after the wanted one.
        """
        if not {"mov", "matroska"} & set(self.container.format.name.split(",")):
            return
        base = self.stream.time_base or Fraction(1)
        wanted = int(seconds / base)
        with contextlib.suppress(FFmpegError):
            self.container.seek(wanted, stream=self.stream)
            packet = next(self.container.demux(self.stream))
            if packet.pts is not None and packet.is_keyframe and packet.pts <= wanted:
                self.container.seek(wanted, stream=self.stream)
                return
        self.container.close()
        self._open()

    def pictures(self) -> Iterator[_Picture]:
        """Every picture in order of time, each at its own place."""
        for packet in self._packets():
            self._timeline.expect(packet)
            for native in self._decode(packet):
                yield from self._placed(native)
        yield from self._tail()

    def _packets(self) -> Iterator[Packet[Any]]:
        try:
            yield from self.container.demux(self.stream)
        except FFmpegError:
            # The file ends in the middle of something: what was read is what there is.
            self._note_error()
            yield Packet()

    def _decode(self, packet: Packet[Any]) -> list[VideoFrame]:
        try:
            return self.stream.codec_context.decode(packet if packet.size else None)
        except EOFError:
            return []
        except FFmpegError:
            self._note_error()
            return []

    def _note_error(self) -> None:
        self._error_until = self._timeline.latest_pts

    def _placed(self, native: VideoFrame) -> Iterator[_Picture]:
        own_pts = native.pts
        if own_pts in self._filled:
            return  # damage can make a decoder hand a picture out late; its place is taken by then
        if own_pts is not None:
            missing = self._timeline.skipped(own_pts)
            # Without an error, a packet that shows no picture is one that is never meant to (VP8, AV1).
            if self._error_until is not None or native.is_corrupt:
                yield from self._concealed(missing)
            if self._error_until is not None and native.key_frame and own_pts > self._error_until:
                self._error_until = None
        picture = _Picture(native, self._timeline.place(native), bool(native.is_corrupt))
        for pts in self._early:
            yield _Picture(native, pts, True)
        self._early = []
        self._previous = picture
        yield picture

    def _concealed(self, missing: list[int]) -> Iterator[_Picture]:
        self._filled.update(missing)
        for pts in missing:
            self._timeline.conceal(pts)
            if self._previous is None:
                self._early.append(pts)
            else:
                yield _Picture(self._previous.native, pts, True)

    def _tail(self) -> Iterator[_Picture]:
        """The places left when the decoder is drained.

        A frame-threaded decoder that fails while draining keeps the pictures behind the failure to itself,
        so the end is decoded once more without frame threads.
        """
        missing = self._timeline.skipped(None)
        if not missing or self._previous is None:
            return
        again: dict[int, VideoFrame] = {}
        if self._frame_threads:
            again, failed = _decode_again(self.path, missing[0], self.stream.time_base or Fraction(1))
            if failed:
                self._note_error()
        for pts in missing:
            if pts in again:
                self._previous = _Picture(again[pts], pts, bool(again[pts].is_corrupt))
                yield self._previous
            elif self._error_until is not None:
                yield _Picture(self._previous.native, pts, True)


def _decode_again(path: Path, first_pts: int, time_base: Fraction) -> tuple[dict[int, VideoFrame], bool]:
    """The pictures from `first_pts` to the end by pts, decoded plainly; and whether any failed."""
    decoding = _Decoding(path, seek_seconds=first_pts * time_base, frame_threads=False)
    pictures: dict[int, VideoFrame] = {}
    try:
        for packet in decoding._packets():
            for native in decoding._decode(packet):
                if native.pts is not None and native.pts >= first_pts:
                    pictures[native.pts] = native
        return pictures, decoding._error_until is not None
    finally:
        decoding.close()


class _Source(Protocol):
    """Where a reader's pictures come from: a file, a still, an image sequence."""

    @property
    def time_base(self) -> Fraction: ...

    def pictures(self, from_seconds: Fraction | None) -> Iterator[_Picture]:
        """Pictures in order of time; may leave out some that lie before `from_seconds` (absolute)."""
        ...


@dataclass(frozen=True)
class _FileSource:
    path: Path
    time_base: Fraction

    def pictures(self, from_seconds: Fraction | None) -> Iterator[_Picture]:
        decoding = _Decoding(self.path, seek_seconds=from_seconds)
        try:
            yield from decoding.pictures()
        finally:
            decoding.close()


@dataclass(frozen=True)
class _StillSource:
    path: Path
    time_base: Fraction
    count: int

    def pictures(self, from_seconds: Fraction | None) -> Iterator[_Picture]:  # noqa: ARG002 (nothing to seek)
        native = _decode_still(self.path)
        for i in range(self.count):
            yield _Picture(native, i, bool(native.is_corrupt))


@dataclass(frozen=True)
class _SequenceSource:
    files: tuple[Path, ...]
    time_base: Fraction

    def pictures(self, from_seconds: Fraction | None) -> Iterator[_Picture]:
        first = 0 if from_seconds is None else max(0, int(from_seconds / self.time_base) - 1)
        for i, file in enumerate(self.files[first:], first):
            native = _decode_still(file)
            yield _Picture(native, i, bool(native.is_corrupt))


def _decode_still(path: Path) -> VideoFrame:
    decoding = _Decoding(path, frame_threads=False)
    try:
        picture = next(decoding.pictures(), None)
    finally:
        decoding.close()
    if picture is None:
        raise VideoReadError(f"{path}: the picture cannot be decoded; is the file complete?")
    return picture.native


class VideoReader:
    """A video, picture or image sequence: iterate it for its `Frame`s, as often as you like.

    Each iteration decodes from the beginning (of the trim range), in order of presentation, and drops or
    doubles nothing. Holds the decoder's own pictures and the last good one.
    """

    def __init__(
        self,
        source: _Source,
        info: VideoInfo,
        *,
        first_pts: int,
        trim: tuple[Fraction | None, Fraction | None],
        first_number: int | None = None,
        hdr_parameters: str = "",
    ) -> None:
        self.info = info
        self.hdr_parameters = hdr_parameters
        """Mastering display and light level of HDR10 as x265 wants them; empty if the source has none."""
        self.decode_failures = 0
        """Pictures of the latest iteration that the decoder could not make, or only in part."""
        self.first_number: int | None = first_number
        """Number in the file name of the first kept picture of an image sequence."""
        self._source = source
        self._first_pts = first_pts
        self._trim_start, self._trim_end = trim
        self._iterations: list[Iterator[Frame]] = []
        self.shift_pts = self._find_shift()
        """Pts of the first kept frame minus that of the source's first; 0 without trimming."""
        self.info = _trimmed_info(info, self._trim_start, self._trim_end)
        if self.first_number is not None:
            self.first_number += self.shift_pts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for iteration in self._iterations:
            iteration.close()  # type: ignore[attr-defined]
        self._iterations.clear()

    def __iter__(self) -> Iterator[Frame]:
        iteration = self._frames()
        self._iterations = [iteration]
        return iteration

    @property
    def _from_seconds(self) -> Fraction | None:
        """Where to seek to, in absolute time; None when it would not pay."""
        if self._trim_start is None or self._trim_start < SEEK_WORTH_SECONDS:
            return None
        return self._first_pts * self._source.time_base + self._trim_start - TRIM_TOLERANCE_SECONDS

    def _kept(self) -> Iterator[_Picture]:
        for picture in self._source.pictures(self._from_seconds):
            seconds = (picture.pts - self._first_pts) * self._source.time_base + TRIM_TOLERANCE_SECONDS
            if self._trim_end is not None and seconds >= self._trim_end:
                return
            if self._trim_start is None or seconds >= self._trim_start:
                yield picture

    def _find_shift(self) -> int:
        if self._trim_start is None and self._trim_end is None:
            return 0
        first = next(self._kept(), None)
        if first is None:
            raise VideoOpenError(
                f"{self.info.path}: no frame between {_shown(self._trim_start, 'its start')} and "
                f"{_shown(self._trim_end, 'its end')}; it lasts {self.info.duration_seconds_from_header:g} s"
            )
        return first.pts - self._first_pts

    def _frames(self) -> Iterator[Frame]:
        self.decode_failures = 0
        converter = _Converter()
        for index, picture in enumerate(self._kept()):
            self.decode_failures += picture.is_corrupt
            yield self._frame(index, picture, converter)

    def _frame(self, index: int, picture: _Picture, converter: _Converter) -> Frame:
        native, info = picture.native, self.info
        if (native.width, native.height) != (info.width, info.height):
            raise VideoReadError(
                f"{info.path}: the picture changes from {info.width}x{info.height} to {native.width}x"
                f"{native.height} at frame {index}; split it into clips of one size"
            )
        if native.format.name != info.native_format_name:
            native = converter.convert(native, info.pixel_format.name, info.color, info.color)
        planar = converter.to_planar(native, info.pixel_format)
        planes = _plane_views(planar, info.pixel_format)
        for plane in planes:
            plane.flags.writeable = False
        return Frame(
            index=index,
            pts=picture.pts,
            time_base=self._source.time_base,
            planes=planes,
            pixel_format=info.pixel_format,
            duration=native.duration,
            is_corrupt=picture.is_corrupt,
            native=planar,
        )

    @property
    def span(self) -> _Span:
        """The kept part of the source's other streams."""
        base = self._source.time_base
        start = self._first_pts * base
        return _Span(
            None if self._trim_start is None else start + self.shift_pts * base,
            None if self._trim_end is None else start + self._trim_end,
            self.shift_pts * base,
        )


def _trimmed_info(info: VideoInfo, start: Fraction | None, end: Fraction | None) -> VideoInfo:
    """The info with the expected length of the kept part; what is not known stays 0."""
    whole = info.duration_seconds_from_header
    if whole == 0 or (start is None and end is None):
        return info
    seconds = max(0.0, min(whole, float(end or whole)) - float(start or 0))
    return replace(
        info,
        duration_seconds_from_header=seconds,
        frame_count_from_header=round(info.frame_count_from_header * seconds / whole),
    )


def _shown(seconds: Fraction | None, otherwise: str) -> str:
    return otherwise if seconds is None else f"{float(seconds):g} s"


def open_video(
    path: str | Path,
    *,
    trim_start: float | None = None,
    trim_end: float | None = None,
    sequence_rate: Fraction = Fraction(24),
    still_seconds: float | None = None,
    still_rate: Fraction | None = None,
) -> VideoReader:
    """A reader of a video file, a still picture, or an image sequence (`shot.%04d.png`, `shot.####.tif`).

    Keeps frames with `trim_start <= seconds from the first frame < trim_end`. A still is one frame, or is
    shown for `still_seconds` at `still_rate` (default 25); a sequence has `sequence_rate` frames a second.

    Raises:
        VideoOpenError: the file cannot be used, or nothing lies within the trim range.
        OptionError: a time or rate that makes no sense.
    """
    trim = _checked_trim(trim_start, trim_end)
    for name, value in (("sequence_rate", sequence_rate), ("still_rate", still_rate)):
        if value is not None and value <= 0:
            raise OptionError(f"{name} is {value}; it must be above 0 frames per second")
    if still_seconds is not None and still_seconds <= 0:
        raise OptionError(f"still_seconds is {still_seconds}; it must be above 0")
    path = Path(path)
    pattern = parse_pattern(path)
    if pattern is not None:
        return _open_sequence(path, pattern, Fraction(sequence_rate), trim)
    _check_readable(path)
    return _open_file(path, trim, still_seconds, Fraction(still_rate or STILL_RATE))


def _checked_trim(start: float | None, end: float | None) -> tuple[Fraction | None, Fraction | None]:
    if start is not None and start < 0:
        raise OptionError(f"trim start {start:g} s is before the first frame; give 0 or more")
    if end is not None and end <= (start or 0):
        span = f"{start or 0:g} to {end:g} s"
        raise OptionError(f"trim from {span} is empty; the end must lie after the start")
    return (None if start is None else Fraction(start)), (None if end is None else Fraction(end))


def _open_file(
    path: Path, trim: tuple[Fraction | None, Fraction | None], still_seconds: float | None, rate: Fraction
) -> VideoReader:
    decoding = _Decoding(path)
    try:
        first = next(decoding.pictures(), None)
        if first is None:
            raise VideoOpenError(f"{path}: nothing in it can be decoded; is the file complete?")
        info = _file_info(path, decoding, first)
    finally:
        decoding.close()
    if not info.is_still:
        source = _FileSource(path, info.time_base)
        hdr = _hdr_parameters(first.native)
        return VideoReader(source, info, first_pts=first.pts, trim=trim, hdr_parameters=hdr)
    count = 1 if still_seconds is None else max(1, round(still_seconds * rate))
    info = replace(
        info,
        time_base=1 / rate,
        frame_rate=rate,
        start_seconds=0.0,
        duration_seconds_from_header=float(count / rate),
        frame_count_from_header=count,
    )
    return VideoReader(_StillSource(path, info.time_base, count), info, first_pts=0, trim=trim)


def _open_sequence(
    path: Path, pattern: SequencePattern, rate: Fraction, trim: tuple[Fraction | None, Fraction | None]
) -> VideoReader:
    files = find_sequence(pattern, shown_as=str(path))
    first_file = next(iter(files.values()))
    _check_readable(first_file)
    decoding = _Decoding(first_file, frame_threads=False)
    try:
        first = next(decoding.pictures(), None)
        if first is None:
            raise VideoOpenError(f"{first_file}: nothing in it can be decoded; is the file complete?")
        info = _file_info(path, decoding, first)
    finally:
        decoding.close()
    info = replace(
        info,
        time_base=1 / rate,
        frame_rate=rate,
        start_seconds=0.0,
        duration_seconds_from_header=float(len(files) / rate),
        frame_count_from_header=len(files),
        is_still=False,
    )
    source = _SequenceSource(tuple(files.values()), info.time_base)
    return VideoReader(source, info, first_pts=0, trim=trim, first_number=next(iter(files)))


def _file_info(path: Path, decoding: _Decoding, first: _Picture) -> VideoInfo:
    container, stream, native = decoding.container, decoding.stream, first.native
    try:
        pixel_format = planar_format(native.format.name)
    except ValueError as error:
        raise VideoOpenError(f"{path}: {error}; convert it to 16-bit PNG, TIFF or ProRes first") from error
    is_still = container.format.name == "image2" or container.format.name.endswith("_pipe")
    codec = stream.codec_context.name
    time_base = stream.time_base or Fraction(1, 1000)
    rate = stream.average_rate or stream.guessed_rate or STILL_RATE
    seconds = _header_seconds(container, stream)
    return VideoInfo(
        path=path,
        width=native.width,
        height=native.height,
        pixel_format=pixel_format,
        native_format_name=native.format.name,
        color=_resolve_color(native, pixel_format, is_still=is_still, codec=codec),
        time_base=time_base,
        frame_rate=rate,
        start_seconds=float(first.pts * time_base),
        duration_seconds_from_header=seconds,
        frame_count_from_header=stream.frames or round(seconds * rate),
        rotation_degrees=-round(native.rotation / 90) * 90 % 360,
        sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
        codec_name=codec,
        audio_streams=len(container.streams.audio),
        is_still=is_still,
        start_timecode=_start_timecode(container, stream),
    )


def _start_timecode(container: InputContainer, video: VideoStream) -> str:
    """Of the picture where it has one, else of the file (MXF) or its timecode track; as written, or empty."""
    said = (described.metadata.get("timecode") for described in (video, container, *container.streams))
    return next((timecode for timecode in said if timecode), "")


def _hdr_parameters(native: VideoFrame) -> str:
    """HDR10 static metadata of a frame as x265 parameters (units of 1/50000 and 1/10000 candela), or ""."""
    try:
        hanging: list[Any] = list(native.side_data)
    except ValueError:  # PyAV stumbles over kinds of side data it has no name for
        return ""
    parameters = []
    for data in hanging:
        if data.type is SideDataType.MASTERING_DISPLAY_METADATA:
            parameters += _mastering_display(np.frombuffer(data, np.int32))
        elif data.type is SideDataType.CONTENT_LIGHT_LEVEL:
            most, average = np.frombuffer(data, np.uint32)[:2]
            parameters.append(f"max-cll={most},{average}")
    return ":".join(parameters)


def _mastering_display(values: NDArray[np.int32]) -> list[str]:
    """AVMasteringDisplayMetadata: red, green, blue, white as (x, y), least and most luminance."""
    if not (values[20] and values[21]):
        return []
    fractions = [Fraction(int(n), int(d)) for n, d in values[:20].reshape(10, 2)]
    rx, ry, gx, gy, bx, by, wx, wy = (round(f * 50000) for f in fractions[:8])
    least, most = (round(f * 10000) for f in fractions[8:])
    return [f"master-display=G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})"]


def _header_seconds(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return max(0.0, (container.duration or 0) / 1_000_000)


# Writing


@dataclass(frozen=True)
class EncodeOptions:
    """How the output is encoded; what is None is chosen to keep the most."""

    codec: str | None = None
    """"h264", "hevc", "prores", "ffv1", or any video encoder of PyAV ("h264_nvenc"); None: by the suffix."""
    crf: int | None = None
    """Constant quality, lower is better; None: 17 for h264, 18 for hevc. Not for prores and ffv1."""
    preset: str | None = None
    """The encoder's own speed preset; None: "medium" for h264 and hevc."""
    pixel_format: str | None = None
    """FFmpeg's name; None: the source's where the encoder has it, else the nearest that keeps most."""
    profile: str | None = None
    """The encoder's profile; None: for prores "hq", or "4444" for 4:4:4; otherwise its own choice."""
    threads: int = 0
    """Of a film's encoder; 0: by the machine's cores. With frame threads (x264, x265) the bytes of the output
    depend on it, the quality hardly."""


_DEFAULT_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "17", "preset": "medium"},
    "libx265": {"crf": "18", "preset": "medium", "x265-params": "log-level=none"},
    "prores_ks": {"vendor": "apl0"},
    "ffv1": {"level": "3", "slicecrc": "1"},
}


def create_video(
    path: str | Path, *, like: VideoReader | VideoInfo, options: EncodeOptions, overwrite: bool = False
) -> VideoWriter:
    """A writer of a video, an image sequence (`out.%04d.png`) or one picture (`out.png`), as `like` is.

    Times, colour tags, aspect and rotation are those of `like`; audio, subtitles, chapters and metadata are
    copied from its file, restricted to the reader's trim range. The writer is a context manager.

    Raises:
        VideoWriteError: the destination exists (without `overwrite`), is the source, or cannot be made.
        OptionError: an encoder, pixel format or option that does not exist or does not fit the file.
    """
    path = Path(path)
    info = like if isinstance(like, VideoInfo) else like.info
    reader = like if isinstance(like, VideoReader) else None
    pattern = parse_pattern(path)
    if _checked_suffix(path) in _PICTURE_ENCODER_BY_SUFFIX:
        return _create_pictures(path, pattern, info, reader, options, overwrite=overwrite)
    check_output(path, inputs={info.path: "the source itself"}, overwrite=overwrite)
    encoding = _encoding(path, info, options)
    if reader is not None and reader.hdr_parameters:
        encoding = _with_hdr(encoding, reader.hdr_parameters)
    return VideoWriter(path, _FilmPlan(path, info, reader.span if reader else None, encoding))


def check_encode_options(path: str | Path, options: EncodeOptions) -> None:
    """Refuses what no source whatever could be written as, without a source: suffix, encoder and its options.

    Raises:
        OptionError: as `create_video` does.
    """
    path = Path(path)
    rgb = path.suffix.lower() in _PICTURE_ENCODER_BY_SUFFIX
    color = Color("rgb" if rgb else "bt709", full_range=rgb)
    info = VideoInfo(
        path=path.with_name(f"source of {path.name}"),
        width=1920,
        height=1080,
        pixel_format=planar_format("rgb24" if rgb else "yuv420p"),
        native_format_name="yuv420p",
        color=color,
        time_base=Fraction(1, 25),
        frame_rate=Fraction(25),
        start_seconds=0.0,
        duration_seconds_from_header=0.0,
        frame_count_from_header=0,
    )
    _checked_suffix(path)
    if rgb:
        _check_picture_options(path, options)
        _choose_picture_format(path, info, options)
    else:
        _encoding(path, info, options)


def _checked_suffix(path: Path) -> str:
    """The suffix, in lower case, of a file that can be written."""
    suffix = path.suffix.lower()
    if suffix in _PICTURE_ENCODER_BY_SUFFIX:
        return suffix
    if suffix not in _MUXER_BY_SUFFIX:
        raise OptionError(
            f"{path}: cannot write {suffix or 'a file without suffix'}; use .mp4, .mov, .m4v or .mkv, "
            "or an image sequence such as name.%04d.png or name.%04d.tif"
        )
    if parse_pattern(path) is not None:
        raise OptionError(f"{path}: a frame number makes no sense in a {suffix} file; name it without")
    return suffix


def _check_picture_options(path: Path, options: EncodeOptions) -> None:
    if options.codec is not None or options.crf is not None or options.preset or options.profile:
        raise OptionError(f"{path}: pictures take no codec, crf, preset or profile; leave them out")


def _failed(path: Path, error: BaseException) -> VideoWriteError:
    """The error for an output that broke off midway."""
    failure = VideoWriteError(f"{path}: writing failed ({_reason(error)}); check the disk's free space")
    failure.exit_code = 1
    return failure


@dataclass(frozen=True)
class _Encoding:
    """An encoder that was found to work, and what it does to the colour."""

    encoder: str
    pixel_format: str
    options: dict[str, str]
    color: Color
    notes: tuple[str, ...] = ()


def _encoding(path: Path, info: VideoInfo, options: EncodeOptions) -> _Encoding:
    codec = options.codec or "h264"
    suffix = path.suffix.lower()
    allowed = _SUFFIXES_BY_CODEC.get(codec)
    if allowed and suffix not in allowed:
        raise OptionError(f"{path}: {codec} does not fit a {suffix} file; use {' or '.join(allowed)}")
    encoder = _encoder_name(codec, path)
    with av.open(io.BytesIO(), "w", format=_MUXER_BY_SUFFIX[suffix]) as trial:
        if encoder not in trial.supported_codecs:
            fitting = [s for s, muxer in _MUXER_BY_SUFFIX.items() if _muxer_takes(muxer, encoder)]
            raise OptionError(
                f"{path}: {codec} does not fit a {suffix} file; use {' or '.join(fitting) or 'h264'}"
            )
    return _choose_pixel_format(path, info, encoder, options)


def _muxer_takes(muxer: str, encoder: str) -> bool:
    with av.open(io.BytesIO(), "w", format=muxer) as trial:
        return encoder in trial.supported_codecs


def _encoder_name(codec: str, path: Path) -> str:
    name = _ENCODER_BY_CODEC.get(codec, codec)
    try:
        found = av.Codec(name, "w")
    except UnknownCodecError as error:
        known = ", ".join(_ENCODER_BY_CODEC)
        raise OptionError(f"{path}: no encoder is called {codec}; use {known} or an encoder of FFmpeg") from error
    if found.type != "video":
        raise OptionError(f"{path}: {codec} encodes {found.type}, not video; use {', '.join(_ENCODER_BY_CODEC)}")
    return found.name


def _choose_pixel_format(path: Path, info: VideoInfo, encoder: str, options: EncodeOptions) -> _Encoding:
    settings = _encoder_settings(path, encoder, options)
    offered = _offered_formats(encoder)
    wanted = options.pixel_format
    if wanted is not None:
        wanted = _without_j(wanted)
        if wanted not in offered:
            raise OptionError(f"{path}: {encoder} has no pixel format {wanted}; it has {', '.join(offered)}")
        if not _opens(encoder, wanted, info):
            raise OptionError(
                f"{path}: {encoder} cannot hold {info.width}x{info.height} as {wanted}; "
                "leave the pixel format open"
            )
        return _finish_encoding(info, encoder, wanted, options, settings, ())
    rejected: list[str] = []
    for name in _by_loss(offered, info.pixel_format):
        if _opens(encoder, name, info):
            return _finish_encoding(
                info, encoder, name, options, settings, _format_notes(info, encoder, name, rejected)
            )
        rejected.append(name)
    raise OptionError(
        f"{path}: {encoder} cannot encode {info.width}x{info.height} {info.pixel_format.name}; "
        "try another codec, or check that its hardware is there"
    )


def _offered_formats(encoder: str) -> list[str]:
    formats = av.Codec(encoder, "w").video_formats or []
    names = [format_.name for format_ in formats if not format_.name.startswith("yuvj")]
    return [name for name in names if _is_software(name)]


def _is_software(name: str) -> bool:
    try:
        planar_format(name)
    except ValueError:
        return False
    return True


def _by_loss(offered: list[str], source: PixelFormat) -> Iterator[str]:
    """The source's own format first, then by how much is kept."""
    remaining = list(offered)
    if source.name in remaining:
        remaining.remove(source.name)
        yield source.name
    while remaining:
        best, _ = find_best_pix_fmt_of_list(remaining, source.name, source.has_alpha)
        if best is None:
            return
        remaining.remove(best.name)
        yield best.name


def _opens(encoder: str, pixel_format: str, info: VideoInfo) -> bool:
    """Whether the encoder takes that format at that size (x264 and x265 refuse odd sizes with 4:2:0)."""
    even = info.width % 2 == 0 and info.height % 2 == 0
    if even and encoder in _DEFAULT_OPTIONS:
        return True
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = info.width, info.height, pixel_format
    context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
    context.options = {"x265-params": "log-level=none"} if encoder == "libx265" else {}
    try:
        context.open()
    except FFmpegError:
        return False
    return True


def _format_notes(info: VideoInfo, encoder: str, name: str, rejected: list[str]) -> tuple[str, ...]:
    source = info.pixel_format.name
    if source in rejected:
        return (f"{encoder} cannot hold {info.width}x{info.height} as {source}; written as {name}, which can",)
    _, loss = find_best_pix_fmt_of_list([name], source, info.pixel_format.has_alpha)
    if loss & _CODEC_LOSSES:
        return (f"{encoder} has no {source}; written as {name}, which does not keep everything",)
    return ()


def _encoder_settings(path: Path, encoder: str, options: EncodeOptions) -> dict[str, str]:
    settings = dict(_DEFAULT_OPTIONS.get(encoder, {}))
    if encoder == "libx264" and cv2.checkHardwareSupport(_CPU_AVX512_SKX):
        # With AVX-512, x264 (core 165) reads memory that nobody has written: the same frames give different bytes
        # from time to time (often so in clips of some 16 frames). With AVX2 they give what its plain C code gives.
        settings["x264-params"] = "asm=avx2"
    context = av.CodecContext.create(encoder, "w")
    names = {option.name for option in context.supported_options.private}
    if options.crf is not None:
        quality = next((name for name in ("crf", "cq") if name in names), None)  # nvenc calls it cq
        if quality is None:
            raise OptionError(f"{path}: {encoder} has no crf; leave it out")
        settings[quality] = str(options.crf)
    for name, value in (("preset", options.preset), ("profile", options.profile)):
        if value is not None and name not in names:
            raise OptionError(f"{path}: {encoder} has no {name}; leave it out")
        if value is not None:
            settings[name] = value
    if options.threads:
        settings["threads"] = str(options.threads)
    return settings


def _finish_encoding(
    info: VideoInfo,
    encoder: str,
    name: str,
    options: EncodeOptions,
    settings: dict[str, str],
    notes: tuple[str, ...],
) -> _Encoding:
    target = planar_format(name)
    if encoder == "prores_ks" and options.profile is None:
        settings["profile"] = "4444" if target.chroma_shift_x == 0 else "hq"
    return _Encoding(encoder, name, settings, _target_color(info, target), notes)


def _with_hdr(encoding: _Encoding, parameters: str) -> _Encoding:
    if encoding.encoder != "libx265":
        note = f"{encoding.encoder} does not write the HDR mastering metadata; its colour tags are kept"
        return replace(encoding, notes=(*encoding.notes, note))
    settings = dict(encoding.options)
    settings["x265-params"] += f":{parameters}"
    return replace(encoding, options=settings)


def _target_color(info: VideoInfo, target: PixelFormat) -> Color:
    """The source's colour where its family stays, otherwise what the conversion makes of it."""
    color = info.color
    if target.family == "rgb":
        return replace(color, matrix="rgb", full_range=True, tag_range=_RANGE_FULL, tag_matrix=0)
    if info.pixel_format.family == "rgb":
        return replace(color, matrix="bt709", full_range=False, tag_range=1, tag_matrix=1)
    if color.full_range and color.tag_range == 0:
        return replace(color, tag_range=_RANGE_FULL)  # known from the format (yuvj) only, which is not written
    return color


class _Preparation:
    """Turns frames into what an encoder takes, changing only what was edited or the encoder asks for."""

    def __init__(self, info: VideoInfo, encoding: _Encoding) -> None:
        self._info, self._encoding = info, encoding
        self._converter = _Converter()
        self._duplicates: av.filter.Graph | None = None

    def prepare(self, frame: Frame) -> VideoFrame:
        """The picture in the encoder's format; the source's own object where nothing has to change."""
        native = frame.native if _is_untouched(frame) else self._edited(frame)
        if _without_j(native.format.name) == self._encoding.pixel_format:
            return native
        return self._converter.convert(native, self._encoding.pixel_format, self._info.color, self._encoding.color)

    def _edited(self, frame: Frame) -> VideoFrame:
        if frame.native is None:
            return _native_from_planes(frame, self._info.color)
        copy = self._duplicate(frame.native)
        for view, plane in zip(_plane_views(copy, frame.pixel_format), frame.planes, strict=True):
            view[:] = plane
        return copy

    def _duplicate(self, native: VideoFrame) -> VideoFrame:
        """A writable copy with its side data (captions, HDR metadata), which a new frame would lack."""
        if self._duplicates is None:
            graph = av.filter.Graph()
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


class _Sink(Protocol):
    """Where a writer's frames go until they are whole."""

    notes: list[str]
    piece_frames: int | None
    kept_frames: int
    kept_changes: int

    def write(self, frame: Frame) -> None: ...

    def finish(self) -> None:
        """Writes what is left and puts the output in its place."""

    def abandon(self) -> None:
        """Removes everything; never raises."""


class _Plan(Protocol):
    """What a writer will do once it is entered."""

    notes: list[str]
    pixel_format: str

    def use_pieces(self, pieces: Pieces) -> None: ...

    def start(self) -> _Sink: ...


class VideoWriter:
    """Writes frames; the output appears under its name only when it is whole.

    A context manager. On any exception, Ctrl-C included, nothing remains. `notes` holds what could not be
    kept as it was, one line each.
    """

    def __init__(self, path: Path, plan: _Plan) -> None:
        self.path = path
        self.notes: list[str] = plan.notes
        self.pixel_format: str = plan.pixel_format
        """FFmpeg's name of the pixel format in the file."""
        self.frames_written = 0
        self.piece_frames: int | None = None
        """Frames in each piece, if the output is made in pieces; known once it is entered."""
        self.kept_frames = 0
        """The first so many frames were kept by an earlier run: `write` takes them, but does not look at their
        pixels. Known once it is entered."""
        self.kept_changes = 0
        """How many of those differ from the source's."""
        self._plan = plan
        self._sink: _Sink | None = None
        self._last_pts: int | None = None

    def __enter__(self) -> Self:
        try:
            self._sink = self._plan.start()
        except (FFmpegError, OSError, ValueError) as error:
            if isinstance(error, VideoWriteError | OptionError):
                raise
            raise VideoWriteError(
                f"{self.path}: cannot be started ({_reason(error)}); check the encoder's options"
            ) from error
        self.piece_frames = self._sink.piece_frames
        self.kept_frames, self.kept_changes = self._sink.kept_frames, self._sink.kept_changes
        return self

    def use_pieces(self, pieces: Pieces) -> None:
        """Makes the output of pieces that outlast a killed process; before it is entered.

        The output is the same whether pieces were kept or not, but not the same as without pieces: the encoder
        begins anew with each. A single picture, and encoders of which that is not known to go well, are made as
        ever. Of a sequence, the pictures stay in their hidden folder instead. Removing pieces, and that folder if
        the output is given up, is the caller's business.
        """
        assert self._sink is None, "use_pieces() inside `with`"
        self._plan.use_pieces(pieces)

    def write(self, frame: Frame) -> None:
        """Encodes one frame; frames come in order of time.

        Raises:
            VideoWriteError: the output cannot be continued (disk full).
            ValueError: a frame out of order.
        """
        assert self._sink is not None, "write() outside `with`"
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"frame {frame.index} at pts {frame.pts} comes after pts {self._last_pts}")
        self._last_pts = frame.pts
        with self._as_write_error():
            self._sink.write(frame)
        self.frames_written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._sink is not None
        sink, self._sink = self._sink, None
        if kind is not None:
            sink.abandon()
            return
        try:
            with self._as_write_error():
                if self.frames_written == 0:
                    raise VideoWriteError(f"{self.path}: no frame was written; nothing is left behind")
                sink.finish()
        except BaseException:
            sink.abandon()
            raise

    @contextlib.contextmanager
    def _as_write_error(self) -> Iterator[None]:
        try:
            yield
        except VideoWriteError:
            raise
        except (FFmpegError, OSError) as error:
            raise _failed(self.path, error) from error


# A film: video and what is copied beside it


@dataclass
class _FilmPlan:
    path: Path
    info: VideoInfo
    span: _Span | None
    encoding: _Encoding
    pieces: Pieces | None = None

    def __post_init__(self) -> None:
        self.notes = list(self.encoding.notes)
        self.pixel_format = self.encoding.pixel_format
        aspect, encoder = self.info.sample_aspect_ratio, self.encoding.encoder
        if aspect != 1 and self.path.suffix.lower() == ".mkv" and encoder not in _ASPECT_IN_STREAM:
            self.notes.append(f"{encoder} in .mkv cannot be given the pixel aspect {aspect}; it will look square")

    def use_pieces(self, pieces: Pieces) -> None:
        if self.encoding.encoder in _ENCODERS_IN_PIECES:
            self.pieces = pieces

    def start(self) -> _Sink:
        return _FilmSink(self)


_UNSPANNED = _Span(None, None, Fraction(0))
# Written anew by every muxer, or true of the source's file only.
_STALE_KEYS = re.compile(
    r"^(major_brand|minor_version|compatible_brands|encoder|duration|bps|number_of_\w+|_statistics_\w+|rotate)(-.*)?$",
    re.IGNORECASE,
)


def _kept_metadata(metadata: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if not _STALE_KEYS.match(key)}


class _FilmSink:
    """One output container being written into a hidden file."""

    def __init__(self, plan: _FilmPlan) -> None:
        self.notes = plan.notes
        self._path, self._info, self._encoding = plan.path, plan.info, plan.encoding
        self._span = _without_negative_start(plan.span or _UNSPANNED, plan.info, plan.notes)
        self._preparation = _Preparation(plan.info, plan.encoding)
        self._shift_pts = round(self._span.shift_seconds / plan.info.time_base)
        self._frames = self._packets = 0
        self._part = plan.path.with_name(f".{plan.path.stem}.part{plan.path.suffix}")
        self._pieces: _PieceEncoder | None = None
        self._source: InputContainer | None = None
        self._copies: _StreamCopies | None = None
        self._container: OutputContainer | None = None
        try:
            self._start()
            if plan.pieces is not None:
                self._pieces = self._piece_encoder(plan.pieces)
        except BaseException:
            self.abandon()
            raise
        pieces = self._pieces
        self.piece_frames = None if pieces is None else pieces.frames
        self.kept_frames = 0 if pieces is None else pieces.kept_frames
        self.kept_changes = 0 if pieces is None else pieces.kept_changes

    def _piece_encoder(self, pieces: Pieces) -> _PieceEncoder:
        # Everything that is not the frames': the encoder, what it is told, and its version.
        made_with = repr((self._encoding, self._info.time_base, self._shift_pts, av.__version__))
        return _PieceEncoder(
            self._path,
            replace(pieces, belongs_to=f"{pieces.belongs_to} {made_with}"),
            self._stream,
            self._new_stream,
            frames=pieces.frames_at(self._info.frame_rate),
        )

    def _new_stream(self) -> VideoStream:
        """A stream like the output's, of a container that is never written: it encodes just the same."""
        muxer = _MUXER_BY_SUFFIX[self._path.suffix.lower()]
        return self._add_video(av.open(io.BytesIO(), "w", format=muxer), muxer)

    def _start(self) -> None:
        if not self._info.is_still and parse_pattern(self._info.path) is None and self._info.path.is_file():
            self._source = _open_container(self._info.path)
        muxer = _MUXER_BY_SUFFIX[self._path.suffix.lower()]
        self._container = av.open(
            str(self._part.absolute()), "w", format=muxer, container_options=self._muxer_options(muxer)
        )
        self._stream = self._add_video(self._container, muxer)
        if self._source is not None:
            self._copies = _StreamCopies(self._source, self._container, self._span, self.notes)
            self._copy_description(self._source, self._container)
        self._container.start_encoding()

    def _muxer_options(self, muxer: str) -> dict[str, str]:
        # Packets arrive nearly interleaved; waiting longer than this for a sparse stream only costs memory.
        options = {"max_interleave_delta": "1000000"}
        if muxer == "matroska":
            options["fflags"] = "+bitexact"  # no random numbers in the file: the same run makes the same bytes
        if muxer in ("mp4", "mov"):
            ticks = self._info.time_base.denominator
            # Start offsets are written in the movie's own time scale, which is 1 ms unless told otherwise.
            options |= {"video_track_timescale": str(ticks), "movie_timescale": str(self._movie_ticks(ticks))}
        return options

    def _movie_ticks(self, ticks: int) -> int:
        audio = self._source.streams.audio if self._source is not None else ()
        together = int(np.lcm(ticks, 1000))  # chapters are in this scale too
        for stream in audio:
            together = int(np.lcm(together, stream.time_base.denominator if stream.time_base else 1))
        return together if together < 2**31 else ticks

    def _add_video(self, container: OutputContainer, muxer: str) -> VideoStream:
        info, encoding = self._info, self._encoding
        stream = container.add_stream(encoding.encoder, rate=info.frame_rate, options=dict(encoding.options))
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = info.width, info.height, encoding.pixel_format
        context.time_base = stream.time_base = info.time_base
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.color_range, context.colorspace = encoding.color.tag_range, encoding.color.tag_matrix
        context.color_primaries, context.color_trc = encoding.color.tag_primaries, encoding.color.tag_transfer
        context.thread_type = ThreadType.AUTO  # x264 would otherwise slice every picture
        context.flags |= CodecFlags.frame_duration
        if encoding.encoder == "libx265" and muxer in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # with hev1, Apple's players show nothing
        if info.rotation_degrees:
            stream.set_display_rotation(-info.rotation_degrees)
        return stream

    def _copy_description(self, source: InputContainer, container: OutputContainer) -> None:
        """Metadata, language, disposition, chapters and timecode of the source."""
        video = _main_video(source, self._info.path)
        container.metadata.update(_kept_metadata(source.metadata))
        self._stream.metadata.update(_kept_metadata(video.metadata))
        self._stream.disposition = video.disposition
        frames = round(self._span.shift_seconds * self._info.frame_rate)
        for metadata in (container.metadata, self._stream.metadata):
            if "timecode" in metadata and frames:
                metadata["timecode"] = advance_timecode(metadata["timecode"], frames, self._info.frame_rate)
        chapters = _chapters_within(source, self._span)
        if chapters:
            container.set_chapters(chapters)

    def write(self, frame: Frame) -> None:
        if self._frames < self.kept_frames:
            assert self._pieces is not None
            self._mux(self._pieces.keep(self._frames, frame.pts - self._shift_pts))
        else:
            self._mux(self._encoded(frame))
        self._frames += 1

    def _encoded(self, frame: Frame) -> Iterable[Packet[Any]]:
        native = self._preparation.prepare(frame)
        before = native.pts, native.time_base, native.duration, native.pict_type
        # The picture may be shown again (a still, a stand-in for a lost one), so what is set is put back.
        native.pts, native.time_base = frame.pts - self._shift_pts, frame.time_base
        native.duration = frame.duration
        native.pict_type = 0  # otherwise the encoder would repeat the source's choice of key pictures
        try:
            if self._pieces is None:
                return self._stream.encode(native)
            return self._pieces.encode(native, is_changed=not _is_untouched(frame))
        finally:
            native.pts, native.duration, native.pict_type = before[0], before[2], before[3]
            if before[1] is not None:
                native.time_base = before[1]

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        assert self._container is not None
        for packet in packets:
            time = None if packet.dts is None else packet.dts * packet.time_base
            self._container.mux(packet)
            self._packets += 1
            if self._copies is not None and time is not None:
                self._copies.until(time)

    def finish(self) -> None:
        assert self._container is not None
        self._mux(self._last_packets())
        if self._copies is not None:
            self._copies.until(None)
        self._container.close()
        if self._source is not None:
            self._source.close()
        if self._packets != self._frames:
            failure = VideoWriteError(
                f"{self._path}: {self._encoding.encoder} made {self._packets} pictures of {self._frames}; "
                "use another codec"
            )
            failure.exit_code = 1
            raise failure
        os.replace(self._part, self._path)

    def _last_packets(self) -> list[Packet[Any]]:
        if self._pieces is not None:
            return self._pieces.finish()
        return _flushed(self._stream, is_first=self._packets == 0)

    def abandon(self) -> None:
        if self._pieces is not None:
            self._pieces.abandon()
        for container in (self._container, self._source):
            if container is not None:
                with contextlib.suppress(FFmpegError, OSError, ValueError):
                    container.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


class _PieceEncoder:
    """Encodes so many frames at a time by themselves, and keeps each such piece for a run that goes on from there.

    What comes out is for the output's stream: in both cases the packets as they are kept, so that a film is the
    same to the bit whether its pieces were made now or before.
    """

    def __init__(
        self,
        path: Path,
        pieces: Pieces,
        target: VideoStream,
        new_stream: Callable[[], VideoStream],
        *,
        frames: int,
    ) -> None:
        self.frames = frames
        """Of each piece."""
        header = target.codec_context.extradata or b""
        identity = f"{pieces.belongs_to} {frames} {header.hex()}"
        self._folder, self._belongs_to = pieces.folder, hashlib.sha256(identity.encode()).hexdigest()
        self._path, self._target, self._new_stream, self._header = path, target, new_stream, header
        self._kept = {piece.about.first_frame: piece for piece in kept_pieces(self._folder, self._belongs_to)}
        self.kept_frames = sum(piece.about.frames for piece in self._kept.values())
        self.kept_changes = sum(piece.about.changed_frames for piece in self._kept.values())
        self._expected: Iterator[int] = iter(())
        self._next_frame, self._number = self.kept_frames, len(self._kept)
        self._stream: VideoStream | None = None
        self._writer: PieceWriter | None = None
        self._in_piece = self._changed = self._packets = 0
        self._last_dts: int | None = None

    def keep(self, index: int, pts: int) -> Iterator[Packet[Any]]:
        """The packets of the kept piece that begins with this frame; none in the midst of one.

        Raises:
            VideoWriteError: the piece has a picture at another time than the source.
        """
        piece = self._kept.get(index)
        if piece is not None:
            self._expected = iter(piece.shown_pts())
        if next(self._expected, None) != pts:
            raise self._failure("a piece that was kept has other times than the source; run again")
        return iter(()) if piece is None else self._restored(piece)

    def _restored(self, piece: Piece) -> Iterator[Packet[Any]]:
        try:
            for stored in piece.packets():
                yield self._for_target(stored)
        except zipfile.BadZipFile as error:
            raise self._failure("a piece that was kept is broken; run again") from error

    def encode(self, native: VideoFrame, *, is_changed: bool) -> list[Packet[Any]]:
        """The packets that are ready, of the piece before among them where this frame begins another."""
        ready = self.finish() if self._in_piece == self.frames else []
        if self._stream is None:
            self._stream = self._new_stream()
            self._writer = PieceWriter(self._folder, self._number)
        self._in_piece += 1
        self._changed += is_changed
        return ready + self._taken(self._stream.encode(native))

    def finish(self) -> list[Packet[Any]]:
        """Ends the piece, whose file is then whole. Returns its last packets."""
        if self._stream is None or self._writer is None:
            return []
        ready = self._taken(_flushed(self._stream, is_first=self._packets == 0))
        header = self._stream.codec_context.extradata or b""
        if header != self._header:
            raise self._failure("the encoder's header changes from piece to piece; use --chunk-seconds 0")
        if self._packets != self._in_piece:
            encoder = self._stream.codec_context.name
            raise self._failure(f"{encoder} made {self._packets} pictures of {self._in_piece}; use another codec")
        about = About(
            belongs_to=self._belongs_to,
            first_frame=self._next_frame,
            frames=self._in_piece,
            changed_frames=self._changed,
        )
        self._writer.finish(about)
        self._stream = self._writer = None
        self._next_frame, self._number = self._next_frame + self._in_piece, self._number + 1
        self._in_piece = self._changed = self._packets = 0
        return ready

    def abandon(self) -> None:
        """Removes the piece in work; the whole ones stay. Never raises."""
        if self._writer is not None:
            self._writer.abandon()

    def _taken(self, packets: list[Packet[Any]]) -> list[Packet[Any]]:
        assert self._writer is not None
        out = []
        for packet in packets:
            assert packet.pts is not None and packet.dts is not None  # noqa: PT018 - encoders give both
            stored = StoredPacket(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, bytes(packet))
            self._writer.add(stored)
            out.append(self._for_target(stored))
        self._packets += len(packets)
        return out

    def _for_target(self, stored: StoredPacket) -> Packet[Any]:
        """A packet of the output's stream.

        Where frames come at changing intervals, the first decode times of a piece can lie before the last of the
        one before: the encoder counts back by an interval of its own. They are moved up; room there is, because a
        piece's last pictures are not yet due when they are decoded.
        """
        dts = stored.dts if self._last_dts is None else max(stored.dts, self._last_dts + 1)
        if dts > stored.pts:
            raise self._failure("the pieces do not fit together in time; use --chunk-seconds 0")
        self._last_dts = dts
        packet: Packet[Any] = Packet(stored.data)
        packet.stream = self._target
        packet.time_base = self._target.codec_context.time_base
        packet.pts, packet.dts, packet.duration = stored.pts, dts, stored.duration
        packet.is_keyframe = stored.is_key
        return packet

    def _failure(self, what: str) -> VideoWriteError:
        failure = VideoWriteError(f"{self._path}: {what}")
        failure.exit_code = 1
        return failure


def _flushed(stream: VideoStream, *, is_first: bool) -> list[Packet[Any]]:
    """The encoder's last packets; `is_first`: there were none before."""
    packets = stream.encode(None)
    if is_first and stream.codec_context.name == "libx265":
        _renew_dts(packets)
    return packets


def _renew_dts(packets: list[Packet[Any]]) -> None:
    """Decode times for a clip so short that all its packets come at once, in place.

    x265 leaves them uninitialised when the clip ends within its B-frame delay (one or two frames).
    """
    order = sorted(packet.pts for packet in packets if packet.pts is not None)
    early = max((due - (packet.pts or 0) for due, packet in zip(order, packets, strict=True)), default=0)
    for due, packet in zip(order, packets, strict=True):
        packet.dts = due - early


def _without_negative_start(span: _Span, info: VideoInfo, notes: list[str]) -> _Span:
    """The span moved so that the first frame is at 0 if it would be before: players cut off what is."""
    start = round(info.start_seconds / info.time_base) * info.time_base
    if start >= 0:
        return span
    notes.append(f"the source starts at {float(start):g} s; the output, sound included, is moved to start at 0")
    return replace(span, shift_seconds=span.shift_seconds + start)


def _chapters_within(source: InputContainer, span: _Span) -> list[Any]:
    chapters: list[Any] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1)
        start, end = chapter["start"] * base, chapter["end"] * base
        if span.start_seconds is not None:
            start = max(start, span.start_seconds)
        if span.end_seconds is not None:
            end = min(end, span.end_seconds)
        if start < end:
            moved = {
                "start": round((start - span.shift_seconds) / base),
                "end": round((end - span.shift_seconds) / base),
            }
            chapters.append({**chapter, **moved, "time_base": base})
    return chapters


def advance_timecode(timecode: str, frames: int, rate: Fraction) -> str:
    """A SMPTE timecode that many frames later; ";" before the frames means drop-frame counting.

    Text that is no timecode is given back as it is.
    """
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)", timecode)
    if match is None:
        return timecode
    hours, minutes, seconds, frame = (int(match[i]) for i in (1, 2, 3, 5))
    per_second = round(rate)
    dropped = round(per_second / 15) if match[4] in ";." else 0  # 2 numbers a minute at 29.97, 4 at 59.94
    minute = hours * 60 + minutes
    number = (minute * 60 + seconds) * per_second + frame - dropped * (minute - minute // 10) + frames
    per_minute = 60 * per_second - dropped
    per_ten = 10 * 60 * per_second - 9 * dropped
    if dropped:
        tens, rest = divmod(number, per_ten)
        number += 9 * dropped * tens
        if rest >= 60 * per_second:
            number += dropped * (1 + (rest - 60 * per_second) // per_minute)
    total_seconds, frame = divmod(number, per_second)
    hours, rest = divmod(total_seconds, 3600)
    return f"{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}{match[4]}{frame:02d}"


class _StreamCopies:
    """Audio, subtitle and data packets of the source, handed on as they are while the video is written.

    Reads the source a second time, in step with the video, so that neither piles up.
    """

    def __init__(self, source: InputContainer, target: OutputContainer, span: _Span, notes: list[str]) -> None:
        self._target, self._span, self._notes = target, span, notes
        self._streams: dict[int, Stream] = {}
        self._last_dts: dict[int, int] = {}
        main = source.streams.best("video")
        for stream in source.streams:
            if main is not None and stream.index == main.index:
                continue
            copy = self._add(stream, source, notes)
            if copy is not None and stream.type != "attachment":
                self._streams[stream.index] = copy
        for stream in source.streams:
            if stream.index not in self._streams and stream.type != "attachment":
                stream.discard = Discard.all
        wanted = [source.streams[index] for index in self._streams]
        if wanted and span.start_seconds is not None and span.start_seconds > SEEK_WORTH_SECONDS:
            # Well before the range: packets are chosen by their time, the seek only saves reading.
            with contextlib.suppress(FFmpegError):
                source.seek(int((span.start_seconds - 2) * 1_000_000))
        self._packets: Iterator[Packet[Any]] = source.demux(wanted) if wanted else iter(())
        self._held: Packet[Any] | None = None

    def _add(self, stream: Stream, source: InputContainer, notes: list[str]) -> Stream | None:
        if _is_derived(stream, source):
            return None
        name = f"{stream.type} stream {stream.index} ({_stream_codec(stream)})"
        if stream.type == "video" and not stream.disposition & Disposition.attached_pic:
            notes.append(f"{name} left out: only the first video is written")
            return None
        if not _muxer_holds(self._target.format.name, stream):
            notes.append(f"{name} left out: {self._target.format.name} cannot hold it")
            return None
        copy = self._target.add_stream_from_template(stream, opaque=True)
        copy.metadata.update(_kept_metadata(stream.metadata))
        copy.disposition = stream.disposition
        return copy

    def until(self, seconds: Fraction | None) -> None:
        """Copies the packets up to that time of the output (None: all that are left)."""
        while True:
            packet = self._held or self._next()
            self._held = None
            if packet is None:
                return
            if seconds is not None and packet.dts is not None and packet.dts * packet.time_base > seconds:
                self._held = packet
                return
            self._target.mux(packet)

    def _next(self) -> Packet[Any] | None:
        """The next packet of the kept range, in output time; None at the end."""
        for packet in self._packets:
            if packet.size and self._has_time(packet) and not _is_gap(packet) and self._move(packet):
                self._address(packet)
                return packet
        return None

    def _address(self, packet: Packet[Any]) -> None:
        """Gives the packet to its output stream with times that only increase, as muxers insist on."""
        index = packet.stream_index
        dts = packet.dts if packet.dts is not None else packet.pts
        assert dts is not None
        step = 0 if packet.stream.type in ("subtitle", "data") else 1
        dts = max(dts, self._last_dts.get(index, dts - step) + step)
        if dts < 0 and not self._last_dts and self._target.format.name == "matroska":
            early = float(-dts * packet.time_base)
            self._notes.append(
                f"sound begins {early:.3f} s before 0, which .mkv cannot hold: all starts later by that"
            )
        self._last_dts[index] = dts
        packet.dts = dts
        packet.pts = max(packet.pts if packet.pts is not None else dts, dts)
        packet.stream = self._streams[index]

    def _has_time(self, packet: Packet[Any]) -> bool:
        """Fills in a missing pts where it is known: covers belong to the start, others to their dts."""
        if packet.pts is None:
            packet.pts = 0 if packet.stream.disposition & Disposition.attached_pic else packet.dts
        if packet.pts is None:
            note = f"{packet.stream.type} stream {packet.stream.index}: packets without a time left out"
            self._notes += [note] if note not in self._notes else []
        return packet.pts is not None

    def _move(self, packet: Packet[Any]) -> bool:
        """Shifts the packet into output time; False if it lies outside the kept range."""
        span, base = self._span, packet.time_base
        assert packet.pts is not None
        if packet.stream.disposition & Disposition.attached_pic:
            return True
        start, duration = packet.pts * base, (packet.duration or 0) * base
        if span.end_seconds is not None and start >= span.end_seconds:
            return False
        if span.start_seconds is not None and start < span.start_seconds:
            if packet.stream.type != "subtitle" or start + duration <= span.start_seconds:
                return False
            late = round((span.start_seconds - start) / base)  # a line already on the screen stays on it
            packet.pts, packet.duration = packet.pts + late, (packet.duration or 0) - late
            packet.dts = packet.pts
        shift = round(span.shift_seconds / base)
        packet.pts -= shift
        packet.dts = packet.pts if packet.dts is None else packet.dts - shift
        return True


def _is_gap(packet: Packet[Any]) -> bool:
    """Whether it is QuickTime text that says nothing: the filling between lines, which muxers make."""
    return _stream_codec(packet.stream) == "mov_text" and packet.size == 2


def _stream_codec(stream: Stream) -> str:
    if stream.codec_context is not None:
        return stream.codec_context.name
    return str(getattr(stream, "name", None) or "unknown codec")


def _is_derived(stream: Stream, source: InputContainer) -> bool:
    """Whether the muxer makes this stream anew: QuickTime's timecode track and its track of chapter names."""
    if stream.type != "data" or "mov" not in source.format.name.split(","):
        return False
    has_timecode = "timecode" in stream.metadata
    return has_timecode or bool(source.chapters() and _stream_codec(stream) == "bin_data")


def _muxer_holds(muxer: str, stream: Stream) -> bool:
    """Whether a file of that kind can be started with such a stream; tried, for muxers only say so then."""
    if stream.type == "unknown" or (
        stream.type != "data" and stream.type != "attachment" and not stream.codec_context
    ):
        return False
    if stream.type == "attachment":
        return muxer == "matroska"
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True


# Pictures


def _create_pictures(
    path: Path,
    pattern: SequencePattern | None,
    info: VideoInfo,
    reader: VideoReader | None,
    options: EncodeOptions,
    *,
    overwrite: bool,
) -> VideoWriter:
    _check_picture_options(path, options)
    files = [path] if pattern is None else list(pattern.files().values())
    source_pattern = parse_pattern(info.path)
    source = info.path if source_pattern is None else next(iter(source_pattern.files().values()), info.path)
    check_output(path, inputs={source: "the source itself"}, overwrite=overwrite, files=files)
    first_number = reader.first_number if reader and reader.first_number is not None else 1
    encoding = _choose_picture_format(path, info, options)
    return VideoWriter(path, _PicturePlan(path, pattern, first_number, info, encoding))


def _choose_picture_format(path: Path, info: VideoInfo, options: EncodeOptions) -> _Encoding:
    encoder = _PICTURE_ENCODER_BY_SUFFIX[path.suffix.lower()]
    # TIFF could hold Y'CbCr too, but hardly a program reads that.
    offered = [n for n in _offered_formats(encoder) if n.startswith(("rgb", "gray")) and _is_software(n)]
    wanted = options.pixel_format
    if wanted is not None and wanted not in offered:
        raise OptionError(f"{path}: {encoder} has no pixel format {wanted}; it has {', '.join(offered)}")
    name = wanted or next(_by_loss(offered, info.pixel_format))
    target = planar_format(name)
    color = replace(_target_color(info, target), matrix="rgb", full_range=True, tag_range=_RANGE_FULL)
    if target.family == "gray":
        color = replace(color, matrix=info.color.matrix)
    return _Encoding(encoder, name, {}, color)


@dataclass
class _PicturePlan:
    path: Path
    pattern: SequencePattern | None
    first_number: int
    info: VideoInfo
    encoding: _Encoding
    pieces: Pieces | None = None

    def __post_init__(self) -> None:
        self.notes: list[str] = []
        self.pixel_format = self.encoding.pixel_format
        if self.info.audio_streams:
            self.notes.append("pictures hold no sound: the source's audio is left out")
        if self.info.rotation_degrees:
            self.notes.append("pictures hold no rotation: they lie as the source's were stored")

    def use_pieces(self, pieces: Pieces) -> None:
        if self.pattern is not None:
            self.pieces = pieces

    def start(self) -> _Sink:
        return _PictureSink(self)


class _PictureSink:
    """Pictures being written into a hidden folder beside their destination."""

    def __init__(self, plan: _PicturePlan) -> None:
        self.notes = plan.notes
        self._plan = plan
        self._preparation = _Preparation(plan.info, plan.encoding)
        stem = plan.pattern.stem if plan.pattern else plan.path.stem
        self._folder = plan.path.with_name(f".{stem}.part")
        self._files: list[Path] = []
        self.piece_frames: int | None = None
        self.kept_frames = self.kept_changes = self._changed = 0
        if plan.pieces is not None:
            self._find_kept(plan.pieces)
        if not self.kept_frames:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(exist_ok=True)
        self._context = self._encoder()

    def _find_kept(self, pieces: Pieces) -> None:
        """How many pictures are there, from the first on, of those that an earlier run has noted."""
        self.piece_frames = pieces.frames_at(self._plan.info.frame_rate)
        made_with = repr((self._plan.encoding, self._plan.first_number, self.piece_frames, av.__version__))
        self._belongs_to = hashlib.sha256(f"{pieces.belongs_to} {made_with}".encode()).hexdigest()
        noted = noted_pictures(pieces.folder, self._belongs_to)
        if noted is not None and all((self._folder / self._target(i).name).is_file() for i in range(noted.frames)):
            self.kept_frames, self.kept_changes = noted.frames, noted.changed_frames
            self._changed = noted.changed_frames

    def _target(self, index: int) -> Path:
        pattern = self._plan.pattern
        return self._plan.path if pattern is None else pattern.path(self._plan.first_number + index)

    def _encoder(self) -> VideoCodecContext:
        encoding, info = self._plan.encoding, self._plan.info
        context = av.CodecContext.create(encoding.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = info.width, info.height, encoding.pixel_format
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.thread_count = 1  # a threaded encoder would hand pictures out late
        return context

    def write(self, frame: Frame) -> None:
        plan = self._plan
        if plan.pattern is None and self._files:
            raise VideoWriteError(
                f"{plan.path}: is one picture, but there are more frames; name a sequence such as "
                f"{plan.path.stem}.%04d{plan.path.suffix}"
            )
        target = self._target(len(self._files))
        if len(self._files) >= self.kept_frames:
            self._make(frame, target)
        self._files.append(target)
        if plan.pieces is not None and self.piece_frames and len(self._files) % self.piece_frames == 0:
            self._note(plan.pieces)

    def _make(self, frame: Frame, target: Path) -> None:
        native = self._preparation.prepare(frame)
        self._changed += not _is_untouched(frame)
        data = b"".join(bytes(packet) for packet in self._context.encode(native))
        (self._folder / target.name).write_bytes(data)

    def _note(self, pieces: Pieces) -> None:
        count = len(self._files)
        if count > self.kept_frames:
            self.kept_frames = count
            about = About(belongs_to=self._belongs_to, first_frame=0, frames=count, changed_frames=self._changed)
            note_pictures(pieces.folder, about)

    def finish(self) -> None:
        if self._plan.pattern is not None:
            for stale in self._plan.pattern.files().values():
                stale.unlink()  # overwriting a longer sequence leaves no old pictures behind its end
        for file in self._files:
            os.replace(self._folder / file.name, file)
        self._folder.rmdir()

    def abandon(self) -> None:
        """Pictures that are noted stay."""
        if self._plan.pieces is None or not self.kept_frames:
            shutil.rmtree(self._folder, ignore_errors=True)

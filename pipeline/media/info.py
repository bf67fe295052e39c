"""What a file says of itself, with its first picture as witness."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ..errors import VideoOpenError
from ..records import VideoInfo
from .alpha import looks_premultiplied
from .chroma_siting import siting_of
from .color_tags import resolve_color
from .completeness import Promise, promise_of
from .convert import Converter
from .decode import Decoding, Picture
from .fields import field_order_of
from .formats import planar_format
from .orientation import orientation_of
from .planes import plane_views
from .side_data import side_data_of

STILL_RATE = Fraction(25)
"""Pictures per second of a still that is shown for some time, and of a film that does not say."""

_TS_DISCONT = 0x200
"""AVFMT_TS_DISCONT: the times of such a container may begin anywhere."""
LATE_SECONDS = 10
"""A film that begins later has its times from some clock."""


@dataclass(frozen=True)
class FirstLook:
    """What opening a file tells."""

    info: VideoInfo
    picture: Picture
    """The first."""
    promise: Promise | None
    """What it says of its length."""


def first_look(file: Path, *, named: Path | None = None, frame_threads: bool = True) -> FirstLook:
    """What is known of a file. `named` is what it is shown as (the pattern of a sequence).

    Raises:
        VideoOpenError: it cannot be decoded, or has a pixel format that is not supported.
    """
    decoding = Decoding(file, frame_threads=frame_threads)
    try:
        first = next(decoding.pictures(), None)
        if first is None:
            raise VideoOpenError(f"{file}: nothing in it can be decoded; is the file complete?")
        info = _file_info(named or file, decoding, first)
        return FirstLook(info, first, promise_of(decoding.container, decoding.stream))
    finally:
        decoding.close()


def _file_info(path: Path, decoding: Decoding, first: Picture) -> VideoInfo:
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
    turn = orientation_of(native, codec)
    color = resolve_color(native, pixel_format, is_still=is_still, codec=codec)
    if pixel_format.has_alpha:
        planes = plane_views(Converter().to_planar(native, pixel_format), pixel_format)
        is_premultiplied = looks_premultiplied(planes, pixel_format, full_range=color.full_range)
        pixel_format = replace(pixel_format, is_premultiplied=is_premultiplied)
    return VideoInfo(
        path=path,
        width=native.width,
        height=native.height,
        pixel_format=pixel_format,
        native_format_name=native.format.name,
        color=color,
        time_base=time_base,
        frame_rate=rate,
        start_seconds=float(first.pts * time_base),
        duration_seconds_from_header=seconds,
        frame_count_from_header=stream.frames or round(seconds * rate),
        rotation_degrees=turn.rotation_degrees,
        is_mirrored=turn.is_mirrored,
        display_matrix=turn.matrix,
        sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
        codec_name=codec,
        audio_streams=len(container.streams.audio),
        is_still=is_still,
        start_timecode=_start_timecode(container, stream),
        chroma_siting=siting_of(stream, decoding.first_packet) if pixel_format.chroma_shift_y else "",
        origin_seconds=Fraction(0) if is_still else _origin_seconds(container),
        field_order="progressive" if is_still else field_order_of(native, stream.codec_context.field_order),
    )


def _origin_seconds(container: InputContainer) -> Fraction:
    """Where the container's clock begins, if it is one that runs freely: transport and program streams, which take
    it from a multiplexer, and whatever begins so late that nobody can have meant to wait for it."""
    start = Fraction(container.start_time or 0, 1_000_000)
    is_free = bool(int(container.format.flags) & _TS_DISCONT)
    return start if start > 0 and (is_free or start > LATE_SECONDS) else Fraction(0)


def _start_timecode(container: InputContainer, video: VideoStream) -> str:
    """Of the picture where it has one, else of the file (MXF) or its timecode track; as written, or empty."""
    said = (
        value
        for described in (video, container, *container.streams)
        for key, value in described.metadata.items()
        if key.casefold() == "timecode"  # Matroska writes all names in capitals
    )
    return next((timecode for timecode in said if timecode), "")


def _header_seconds(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return max(0.0, (container.duration or 0) / 1_000_000)


def hdr_parameters(native: VideoFrame, codec: str) -> str:
    """HDR10 static metadata of a frame as x265 parameters (units of 1/50000 and 1/10000 candela), or ""."""
    parameters = []
    for kind, data in side_data_of(native, codec).items():
        if kind is SideDataType.MASTERING_DISPLAY_METADATA:
            parameters += _mastering_display(np.frombuffer(data, np.int32))
        elif kind is SideDataType.CONTENT_LIGHT_LEVEL:
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

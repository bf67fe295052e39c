"""Which encoder, pixel format and settings an output gets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
from av.codec.codec import UnknownCodecError, find_best_pix_fmt_of_list
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from ..errors import OptionError
from ..records import Color, PixelFormat, VideoInfo
from .color_tags import film_color, picture_color
from .containers import MUXER_BY_SUFFIX
from .formats import is_supported, planar_format, without_j
from .options import EncodeOptions, check_output_name, check_picture_options, is_picture

ENCODER_BY_CODEC = {"h264": "libx264", "hevc": "libx265", "prores": "prores_ks", "ffv1": "ffv1"}
# Narrower than what FFmpeg would mux: FFV1 in .mp4 or ProRes in .mp4 is a file no editor opens.
_SUFFIXES_BY_CODEC = {"prores": (".mov", ".mkv"), "ffv1": (".mkv",)}
_ENCODER_BY_PICTURE_SUFFIX = {".png": "png", ".tif": "tiff", ".tiff": "tiff"}
_DEFAULT_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "17", "preset": "medium"},
    "libx265": {"crf": "18", "preset": "medium", "x265-params": "log-level=none"},
    "prores_ks": {"vendor": "apl0"},
    "ffv1": {"level": "3", "slicecrc": "1"},
}
INTERLACED_ENCODERS = frozenset({
    "libx264", "prores_ks", "ffv1", "dnxhd", "mpeg2video", "mpeg4", "dvvideo", "v210", "rawvideo", "h264_nvenc",
})  # fmt: skip
"""Known to code fields as fields and to say which is first."""
_CPU_AVX512_SKX = 256  # of OpenCV's CpuFeatures, a name that its Python module lacks
_CODEC_LOSSES = 0x3F  # PixFmtLoss without the "more than needed" bits (64, 128)


@dataclass(frozen=True)
class Encoding:
    """An encoder that was found to work, and what it does to the colour."""

    encoder: str
    """FFmpeg's name."""
    pixel_format: str
    """FFmpeg's name."""
    options: dict[str, str]
    """The encoder's own."""
    color: Color
    """Of what is written."""
    is_interlaced: bool = False
    """Whether the fields of an interlaced film are coded as such."""
    notes: tuple[str, ...] = ()
    """What it cannot keep, a line each for the user."""


def check_encode_options(path: str | Path, options: EncodeOptions) -> None:
    """Refuses what no source whatever could be written as, without a source: suffix, encoder and its options.

    Raises:
        OptionError: as `create_video` does.
    """
    path = Path(path)
    check_output_name(path)
    rgb = is_picture(path)
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
    if rgb:
        check_picture_options(path, options)
        picture_encoding(path, info, options)
    else:
        film_encoding(path, info, options)


def film_encoding(path: Path, info: VideoInfo, options: EncodeOptions) -> Encoding:
    """How a film of frames as `info` says is encoded. Raises OptionError if it cannot be as it is asked."""
    codec = options.codec or "h264"
    suffix = path.suffix.lower()
    allowed = _SUFFIXES_BY_CODEC.get(codec)
    if allowed and suffix not in allowed:
        raise OptionError(f"{path}: {codec} does not fit a {suffix} file; use {' or '.join(allowed)}")
    encoder = _encoder_name(codec, path)
    with av.open(io.BytesIO(), "w", format=MUXER_BY_SUFFIX[suffix]) as trial:
        if encoder not in trial.supported_codecs:
            fitting = [s for s, muxer in MUXER_BY_SUFFIX.items() if _muxer_takes(muxer, encoder)]
            raise OptionError(
                f"{path}: {codec} does not fit a {suffix} file; use {' or '.join(fitting) or 'h264'}"
            )
    return _choose_pixel_format(path, info, encoder, options)


def with_hdr(encoding: Encoding, parameters: str) -> Encoding:
    """The encoding that also writes HDR10 metadata (x265's parameters for it), or notes that it cannot."""
    if encoding.encoder != "libx265":
        note = f"{encoding.encoder} does not write the HDR mastering metadata; its colour tags are kept"
        return replace(encoding, notes=(*encoding.notes, note))
    settings = dict(encoding.options)
    settings["x265-params"] += f":{parameters}"
    return replace(encoding, options=settings)


def picture_encoding(path: Path, info: VideoInfo, options: EncodeOptions) -> Encoding:
    """How pictures of frames as `info` says are encoded. Raises OptionError if they cannot be as it is asked."""
    encoder = _ENCODER_BY_PICTURE_SUFFIX[path.suffix.lower()]
    # TIFF could hold Y'CbCr too, but hardly a program reads that.
    offered = [name for name in _offered_formats(encoder) if name.startswith(("rgb", "gray"))]
    wanted = options.pixel_format
    if wanted is not None and wanted not in offered:
        raise OptionError(f"{path}: {encoder} has no pixel format {wanted}; it has {', '.join(offered)}")
    name = wanted or next(_by_loss(offered, info.pixel_format))
    target = planar_format(name)
    return Encoding(encoder, name, {}, picture_color(info.color, info.pixel_format, target))


def _muxer_takes(muxer: str, encoder: str) -> bool:
    with av.open(io.BytesIO(), "w", format=muxer) as trial:
        return encoder in trial.supported_codecs


def _encoder_name(codec: str, path: Path) -> str:
    name = ENCODER_BY_CODEC.get(codec, codec)
    try:
        found = av.Codec(name, "w")
    except UnknownCodecError as error:
        known = ", ".join(ENCODER_BY_CODEC)
        raise OptionError(f"{path}: no encoder is called {codec}; use {known} or an encoder of FFmpeg") from error
    if found.type != "video":
        raise OptionError(f"{path}: {codec} encodes {found.type}, not video; use {', '.join(ENCODER_BY_CODEC)}")
    return found.name


def _choose_pixel_format(path: Path, info: VideoInfo, encoder: str, options: EncodeOptions) -> Encoding:
    settings = _encoder_settings(path, encoder, options)
    offered = _offered_formats(encoder)
    wanted = options.pixel_format
    if wanted is not None:
        wanted = without_j(wanted)
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
    return [name for name in names if is_supported(name)]


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
) -> Encoding:
    target = planar_format(name)
    if encoder == "prores_ks" and options.profile is None:
        settings["profile"] = "4444" if target.chroma_shift_x == 0 else "hq"
    color = film_color(info.color, info.pixel_format, target)
    is_interlaced = info.field_order != "progressive" and encoder in INTERLACED_ENCODERS
    if info.field_order != "progressive" and not is_interlaced:
        notes = (
            *notes,
            f"field order {info.field_order} lost: {encoder} writes no interlaced film; the fields lie in its frames "
            "as they were, and players will not know",
        )
    return Encoding(encoder, name, settings, color, is_interlaced, notes)

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
from av.codec.context import Flags as CodecFlags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from ..errors import OptionError
from ..files import parse_pattern
from ..records import Color, PixelFormat, VideoInfo
from . import dnx
from .color_tags import film_color, picture_color
from .containers import MUXER_BY_SUFFIX
from .encoder_values import check_quality, check_word
from .formats import is_supported, planar_format, without_j
from .options import (
    SUFFIXES_BY_CODEC,
    EncodeOptions,
    check_output_name,
    check_picture_options,
    is_picture,
)

ENCODER_BY_CODEC = {
    "h264": "libx264",
    "hevc": "libx265",
    "prores": "prores_ks",
    "ffv1": "ffv1",
    "dnxhd": dnx.ENCODER,
    "vp9": "libvpx-vp9",
}
_ENCODER_BY_PICTURE_SUFFIX = {".png": "png", ".tif": "tiff", ".tiff": "tiff"}
_DEFAULT_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "17", "preset": "medium"},
    "libx265": {"crf": "18", "preset": "medium", "x265-params": "log-level=none"},
    "prores_ks": {"vendor": "apl0"},
    "ffv1": {"level": "3", "slicecrc": "1"},
    "libvpx-vp9": {"crf": "18", "b": "0", "row-mt": "1", "cpu-used": "3"},
}
_MXF_ENCODERS = frozenset({"dnxhd", "prores_ks", "libx264", "mpeg2video", "jpeg2000"})
_PLAYED_ENCODERS = frozenset({"libx264", "libx265", "h264_nvenc", "hevc_nvenc"})
"""For players, of which hardly one opens anything but 4:2:0."""
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
    size: tuple[int, int]
    """(width, height) of what is written: the film's, or a picture's made even."""
    hdr_parameters: str = ""
    """Of HDR10 metadata that goes with it, in the words of x265."""
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
    suffix = path.suffix.lower()
    codec = options.codec or _default_codec(info, suffix)
    allowed = SUFFIXES_BY_CODEC.get(codec)
    if allowed and suffix not in allowed:
        raise OptionError(f"{path}: {codec} does not fit a {suffix} file; use {' or '.join(allowed)}")
    encoder = _encoder_name(codec, path)
    if not _muxer_takes(MUXER_BY_SUFFIX[suffix], encoder):
        fitting = [s for s, muxer in MUXER_BY_SUFFIX.items() if _muxer_takes(muxer, encoder)]
        raise OptionError(f"{path}: {codec} does not fit a {suffix} file; use {' or '.join(fitting) or 'h264'}")
    return _choose_pixel_format(path, info, encoder, options)


def _default_codec(info: VideoInfo, suffix: str) -> str:
    """Editors' codecs stay what they are in their own kinds of file; all else is for players."""
    if info.codec_name in ("prores", "dnxhd") and suffix in (".mov", ".mxf"):
        return info.codec_name
    if info.codec_name == "prores" and suffix == ".mkv":
        return "prores"
    return {".webm": "vp9", ".mxf": "dnxhd"}.get(suffix, "h264")


def with_hdr(encoding: Encoding, parameters: str, path: Path) -> Encoding:
    """The encoding that also writes HDR10 metadata, or notes that it cannot.

    Args:
        parameters: in the words of x265.
        path: of the output; .mov and .mp4 can say it for any codec.
    """
    settings = dict(encoding.options)
    encoding = replace(encoding, hdr_parameters=parameters)
    if encoding.encoder == "libx265":
        settings["x265-params"] += f":{parameters}"
    elif encoding.encoder == "libx264":
        words = parameters.replace("master-display", "mastering-display").replace("max-cll", "cll")
        settings["x264-params"] = ":".join(filter(None, [settings.get("x264-params", ""), words]))
    elif MUXER_BY_SUFFIX[path.suffix.lower()] not in ("mov", "mp4"):
        note = f"{encoding.encoder} does not write the HDR mastering metadata; its colour tags are kept"
        return replace(encoding, notes=(*encoding.notes, note))
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
    color = picture_color(info.color, info.pixel_format, target)
    notes = _alpha_notes(info, encoder, name)
    return Encoding(encoder, name, {}, color, (info.width, info.height), notes=notes)


def _muxer_takes(muxer: str, encoder: str) -> bool:
    if muxer == "mxf":  # does not say what it takes
        return encoder in _MXF_ENCODERS
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
    info, padding = _for_players(info, encoder, options)
    wanted = options.pixel_format
    if wanted is not None:
        wanted = without_j(wanted)
        if wanted not in offered:
            raise OptionError(f"{path}: {encoder} has no pixel format {wanted}; it has {', '.join(offered)}")
        if not _opens(encoder, wanted, info, settings):
            raise OptionError(
                f"{path}: {encoder} cannot hold {info.width}x{info.height} as {wanted}; "
                "leave the pixel format open"
            )
        return _finish_encoding(info, encoder, wanted, settings, (*padding, *_alpha_notes(info, encoder, wanted)))
    rejected: list[str] = []
    for name in _by_loss(_played(offered, info, encoder), info.pixel_format):
        if _opens(encoder, name, info, settings):
            notes = (*padding, *_format_notes(info, encoder, name, rejected))
            return _finish_encoding(info, encoder, name, settings, notes)
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


def _is_picture_source(info: VideoInfo) -> bool:
    return info.is_still or parse_pattern(info.path) is not None


def _for_players(info: VideoInfo, encoder: str, options: EncodeOptions) -> tuple[VideoInfo, tuple[str, ...]]:
    """Pictures become film that common players open: 4:2:0, for which their sides are made even."""
    odd = info.width % 2 or info.height % 2
    wants_420 = options.pixel_format is None or "420" in options.pixel_format
    if not (odd and wants_420 and encoder in _PLAYED_ENCODERS and _is_picture_source(info)):
        return info, ()
    width, height = info.width + info.width % 2, info.height + info.height % 2
    note = f"{info.width}x{info.height} is written as {width}x{height}: the last column or row twice, for players"
    return replace(info, width=width, height=height), (note,)


def _played(offered: list[str], info: VideoInfo, encoder: str) -> list[str]:
    """What of the formats comes into question where nobody asks for one."""
    if encoder not in _PLAYED_ENCODERS or not _is_picture_source(info):
        return offered
    is_deep = info.pixel_format.depth_bits > 8 and encoder in ("libx265", "hevc_nvenc")
    wanted = [name for name in (["yuv420p10le"] if is_deep else ["yuv420p"]) if name in offered]
    return wanted or offered


def _with_profile(encoder: str, name: str, info: VideoInfo, settings: dict[str, str]) -> dict[str, str]:
    """The settings with the profile that a pixel format needs, where none is asked for."""
    if encoder == dnx.ENCODER:
        return {**settings, **dnx.settings_for(info, name, settings.get("profile"))}
    if encoder == "prores_ks" and "profile" not in settings:
        return {**settings, "profile": "4444" if planar_format(name).chroma_shift_x == 0 else "hq"}
    return settings


def _keeps_fields(encoder: str, info: VideoInfo, settings: dict[str, str]) -> bool:
    if info.field_order == "progressive" or encoder not in INTERLACED_ENCODERS:
        return False
    return encoder != dnx.ENCODER or dnx.is_interlaced(settings)


def _opens(encoder: str, pixel_format: str, info: VideoInfo, settings: dict[str, str]) -> bool:
    """Whether the encoder takes that format at that size (x264 and x265 refuse odd sizes with 4:2:0), with those
    settings."""
    settings = _with_profile(encoder, pixel_format, info, settings)
    keeps_fields = _keeps_fields(encoder, info, settings)
    even = info.width % 2 == 0 and info.height % 2 == 0
    has_alpha = planar_format(pixel_format).has_alpha  # x265 offers it, but not every build of x265 has it
    if even and encoder in _DEFAULT_OPTIONS and not keeps_fields and not has_alpha:
        return True
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = info.width, info.height, pixel_format
    context.framerate, context.time_base = info.frame_rate, 1 / info.frame_rate
    context.options = settings
    if keeps_fields:
        context.flags |= CodecFlags.interlaced_dct
    try:
        context.open()
    except (FFmpegError, ValueError):
        return False
    return True


def _alpha_notes(info: VideoInfo, encoder: str, name: str) -> tuple[str, ...]:
    if not info.pixel_format.has_alpha or planar_format(name).has_alpha:
        return ()
    return (
        f"alpha is lost: {encoder} in {name} cannot hold it; ProRes 4444 in .mov, FFV1 in .mkv, VP9 in .webm, PNG "
        "and TIFF can",
    )


def _format_notes(info: VideoInfo, encoder: str, name: str, rejected: list[str]) -> tuple[str, ...]:
    source = info.pixel_format.name
    if source in rejected and not _alpha_notes(info, encoder, name):
        return (f"{encoder} cannot hold {info.width}x{info.height} as {source}; written as {name}, which can",)
    _, loss = find_best_pix_fmt_of_list([name], source, info.pixel_format.has_alpha)
    if alpha := _alpha_notes(info, encoder, name):
        return alpha
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
    names = {option.name: option for option in context.supported_options.private}
    if options.crf is not None:
        quality = next((name for name in ("crf", "cq") if name in names), None)  # nvenc calls it cq
        if quality is None:
            raise OptionError(f"{path}: {encoder} has no crf; leave it out")
        check_quality(path, encoder, names[quality], options.crf)
        settings[quality] = str(options.crf)
    for name, value in (("preset", options.preset), ("profile", options.profile)):
        if value is not None and name not in names:
            raise OptionError(f"{path}: {encoder} has no {name}; leave it out")
        if value is not None:
            check_word(path, encoder, names[name], value)
            settings[name] = value
    if options.threads:
        settings["threads"] = str(options.threads)
    return settings


def _finish_encoding(
    info: VideoInfo, encoder: str, name: str, settings: dict[str, str], notes: tuple[str, ...]
) -> Encoding:
    """`info`: of the film as it is written, with its sides made even."""
    target = planar_format(name)
    settings = _with_profile(encoder, name, info, settings)
    if info.chroma_siting and (target.chroma_shift_x, target.chroma_shift_y) == (1, 1):
        settings = {**settings, "chroma_sample_location": info.chroma_siting}
    keeps_fields = _keeps_fields(encoder, info, settings)
    if info.field_order != "progressive" and not keeps_fields:
        what = f"{encoder} {settings['profile']}" if encoder == dnx.ENCODER else encoder
        notes = (
            *notes,
            f"field order {info.field_order} is lost: {what} writes no interlaced film; the fields lie in its "
            "frames as they were, and players will not know",
        )
    color = film_color(info.color, info.pixel_format, target)
    return Encoding(
        encoder, name, settings, color, (info.width, info.height), is_interlaced=keeps_fields, notes=notes
    )

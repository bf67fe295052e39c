"""Video in and out: what comes out is what went in, times to the tick and pixels to the bit.

Every clip is made here with PyAV, so each test says which property of a file it is about.
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.errors import OptionError, VideoOpenError, VideoReadError, VideoWriteError
from retarget.pipeline.media.video import (
    EncodeOptions,
    VideoReader,
    _Converter,
    _Encoding,
    _plane_views,
    _Preparation,
    advance_timecode,
    create_video,
    open_video,
    planar_format,
    proxy,
)
from retarget.pipeline.records import Color, Frame, VideoInfo

FILM = Fraction(1, 24)
FFV1 = EncodeOptions(codec="ffv1")


# Clips


def noise(width: int, height: int, name: str, seed: int = 0) -> av.VideoFrame:
    """A picture of random samples, every bit of the depth in use, padding left alone."""
    random = np.random.default_rng(seed)
    frame = av.VideoFrame(width, height, name)
    depth = frame.format.components[0].bits
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, abs(plane.line_size))
        if depth <= 8:
            rows[:] = random.integers(0, 256, rows.shape)
        else:
            dtype = ">u2" if frame.format.is_big_endian else "<u2"
            shift = 6 if name.startswith("p010") else 0
            rows.view(dtype)[:] = random.integers(0, 1 << depth, rows.view(dtype).shape) << shift
    return frame


def moving(width: int, height: int, index: int, name: str = "yuv420p") -> av.VideoFrame:
    """A smooth picture with a bright square that moves two pixels a frame."""
    luma = np.tile(np.linspace(40, 120, width), (height, 1))
    x = 2 * index % max(1, width - 16)
    luma[8:24, x : x + 16] = 220
    frame = av.VideoFrame(width, height, name)
    for i, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        rows[:, : plane.width] = luma[: plane.height, : plane.width] if i == 0 else 110 + 10 * i + index % 8
    return frame


def make_clip(
    path: Path,
    *,
    codec: str = "libx264",
    name: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    pts: list[int] | None = None,
    count: int = 12,
    time_base: Fraction = FILM,
    rate: Fraction = Fraction(24),
    options: dict[str, str] | None = None,
    picture: Callable[[int, int, int, str], av.VideoFrame] | None = None,
    setup: Callable[[Any, Any], None] | None = None,
    audio: list[str] | None = None,
    subtitle: bool = False,
) -> Path:
    picture = picture or (lambda w, h, i, n: moving(w, h, i, n))
    container_options = {}
    if path.suffix in (".mp4", ".mov"):
        ticks = str(time_base.denominator)
        container_options = {"video_track_timescale": ticks, "movie_timescale": ticks}
    with av.open(str(path), "w", container_options=container_options) as out:
        stream = out.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = name
        stream.codec_context.time_base = stream.time_base = time_base
        sound = [out.add_stream(codec_name, rate=48000) for codec_name in audio or []]
        if setup:
            setup(out, stream)
        lines = out.add_stream_from_template(_text_template(path.parent)) if subtitle else None
        for i, time in enumerate(pts if pts is not None else range(count)):
            frame = picture(*size, i, name)
            frame.pts, frame.time_base = time, time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        for k, track in enumerate(sound):
            _make_sound(out, track, seconds=0.6, hertz=440 * (k + 1))
        if lines is not None:
            with av.open(str(path.parent / "lines.mp4")) as text:
                for packet in text.demux(text.streams.subtitles[0]):
                    if packet.size:
                        packet.stream = lines
                        out.mux(packet)
    return path


def _make_sound(out: Any, track: Any, *, seconds: float, hertz: int) -> None:
    samples = np.sin(np.arange(int(48000 * seconds)) * 2 * np.pi * hertz / 48000)
    layout = track.codec_context.format.name
    for start in range(0, len(samples), 1024):
        chunk = samples[start : start + 1024].astype(np.float32)
        if layout == "fltp":
            frame = av.AudioFrame.from_ndarray(np.stack([chunk, chunk]), "fltp", "stereo")
        else:
            packed = np.repeat((chunk * 20000).astype(np.int16), 2)[None]
            frame = av.AudioFrame.from_ndarray(packed, "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        out.mux(track.encode(frame))
    out.mux(track.encode(None))


def _text_template(folder: Path) -> Any:
    """A mov_text stream, made from an .srt file."""
    (folder / "lines.srt").write_text(
        "1\n00:00:00,000 --> 00:00:00,200\nhello\n\n2\n00:00:00,250 --> 00:00:00,400\nthere\n"
    )
    with av.open(str(folder / "lines.srt")) as srt, av.open(str(folder / "lines.mp4"), "w") as out:
        text = out.add_stream("mov_text")
        text.codec_context.time_base = text.time_base = Fraction(1, 1000)
        text.codec_context.subtitle_header = b"[Script Info]\n"
        for packet in srt.demux(srt.streams.subtitles[0]):
            if packet.size:
                words = bytes(packet)
                copy = av.Packet(len(words).to_bytes(2, "big") + words)
                copy.pts = copy.dts = packet.pts
                copy.duration, copy.time_base, copy.stream = packet.duration, packet.time_base, text
                out.mux(copy)
    _text_template.kept = av.open(str(folder / "lines.mp4"))  # type: ignore[attr-defined]
    return _text_template.kept.streams.subtitles[0]  # type: ignore[attr-defined]


def times(frames: Any) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in frames]


def copied(frame: Frame) -> list[np.ndarray[Any, Any]]:
    return [plane.copy() for plane in frame.planes]


def rewrite(source: Path, target: Path, options: EncodeOptions = FFV1, **trim: float) -> list[str]:
    reader = open_video(source, trim_start=trim.get("trim_start"), trim_end=trim.get("trim_end"))
    with reader as video, create_video(target, like=video, options=options) as out:
        for frame in video:
            out.write(frame)
    return out.notes


def packets_of(path: Path, kind: str, index: int = 0) -> list[tuple[bytes, Fraction, Fraction]]:
    with av.open(str(path)) as container:
        stream = [s for s in container.streams if s.type == kind][index]
        return [
            (bytes(p), p.pts * p.time_base, p.dts * p.time_base)
            for p in container.demux(stream)
            if p.size and bytes(p) != b"\0\0"  # mov_text's filling between lines
        ]


def assert_same_pictures(first: Path, second: Path) -> None:
    with open_video(first) as a, open_video(second) as b:
        pairs = 0
        for x, y in zip(a, b, strict=True):
            pairs += 1
            for p, q in zip(x.planes, y.planes, strict=True):
                np.testing.assert_array_equal(p, q)
        assert pairs > 0


# Reading


def test_planes_are_read_only_views_of_the_right_size(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(101, 67), count=2, picture=noise_picture)
    with open_video(path) as video:
        frames = list(video)
    expected = noise(101, 67, "yuv420p", 1)
    assert [plane.shape for plane in frames[1].planes] == [(67, 101), (34, 51), (34, 51)]
    for plane, own in zip(frames[1].planes, expected.planes, strict=True):
        rows = np.frombuffer(own, np.uint8).reshape(-1, own.line_size)[:, : own.width]
        np.testing.assert_array_equal(plane, rows)
        assert not plane.flags.writeable
    assert [frame.index for frame in frames] == [0, 1]


def noise_picture(width: int, height: int, index: int, name: str) -> av.VideoFrame:
    return noise(width, height, name, index)


def test_reader_can_be_iterated_again(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    with open_video(path) as video:
        first, second = list(video), list(video)
        partly = list(itertools.islice(video, 3))
        third = list(video)
    assert times(first) == times(second) == times(third)
    assert len(first) == 12
    assert len(partly) == 3
    np.testing.assert_array_equal(first[5].planes[0], third[5].planes[0])


def test_info_describes_the_file(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", audio=["aac"])
    info = open_video(path).info
    assert (info.width, info.height, info.codec_name, info.audio_streams) == (64, 48, "h264", 1)
    assert info.pixel_format.name == info.native_format_name == "yuv420p"
    assert (info.frame_rate, info.time_base, info.frame_count_from_header) == (24, FILM, 12)
    assert info.duration_seconds_from_header == pytest.approx(0.5)
    assert not info.is_still


@pytest.mark.parametrize(
    ("name", "planar"),
    [
        ("nv12", "yuv420p"),
        ("yuyv422", "yuv422p"),
        ("uyvy422", "yuv422p"),
        ("rgb24", "gbrp"),
        ("bgr24", "gbrp"),
        ("rgba", "gbrap"),
        ("bgra", "gbrap"),
        ("bgr0", "gbrp"),
        ("rgb48le", "gbrp16le"),
        ("rgb48be", "gbrp16le"),
        ("rgba64be", "gbrap16le"),
        ("gray16be", "gray16le"),
        ("ya8", "gbrap"),
        ("yuv422p10be", "yuv422p10le"),
        ("gbrp12be", "gbrp12le"),
    ],
)
def test_unpacking_loses_nothing(tmp_path: Path, name: str, planar: str) -> None:
    """Random samples through `rawvideo`; every distinct component is found again, sample for sample."""
    path = make_clip(tmp_path / "a.nut", codec="rawvideo", name=name, count=1, picture=noise_picture)
    with open_video(path) as video:
        (frame,) = list(video)
    assert video.info.native_format_name == name
    assert frame.pixel_format.name == planar == video.info.pixel_format.name
    wanted = noise(64, 48, name, 0)
    for plane, expected in zip(frame.planes, unpacked(wanted), strict=True):
        np.testing.assert_array_equal(plane, expected)


def unpacked(frame: av.VideoFrame) -> list[np.ndarray[Any, Any]]:
    """The components by hand: planar order of FFmpeg (Y, U, V or G, B, R, then A)."""
    name = frame.format.name
    depth = frame.format.components[0].bits
    dtype = np.dtype(np.uint8) if depth == 8 else np.dtype(">u2" if frame.format.is_big_endian else "<u2")
    raw = [np.frombuffer(p, dtype).reshape(p.height, -1) for p in frame.planes]
    width = frame.width
    if name in ("nv12", "nv16", "p010le"):
        shift = 6 if name == "p010le" else 0
        chroma = raw[1][:, :width]
        return [raw[0][:, :width] >> shift, chroma[:, ::2] >> shift, chroma[:, 1::2] >> shift]
    if name in ("yuyv422", "uyvy422"):
        packed = raw[0][:, : 2 * width]
        y, u, v = (0, 1, 3) if name == "yuyv422" else (1, 0, 2)
        return [packed[:, y::2], packed[:, u::4], packed[:, v::4]]
    if name == "ya8":
        gray, alpha = raw[0][:, : 2 * width : 2], raw[0][:, 1 : 2 * width : 2]
        return [gray, gray, gray, alpha]
    if len(raw) > 1 or name.startswith("gray"):
        return [rows[:, : plane.width] for rows, plane in zip(raw, frame.planes, strict=True)]
    order = {"rgb": "rgb", "bgr": "bgr"}[name[:3]] + ("a" if "a" in name else "0" if "0" in name else "")
    packed = raw[0][:, : len(order) * width].reshape(frame.height, width, len(order))
    return [packed[:, :, order.index(c)] for c in ("gbra" if "a" in order else "gbr")]


@pytest.mark.parametrize(("name", "planar"), [("nv16", "yuv422p"), ("p010le", "yuv420p10le")])
def test_unpacking_what_capture_and_hardware_decoders_give(name: str, planar: str) -> None:
    native = noise(64, 48, name)
    planes = _plane_views(_Converter().to_planar(native, planar_format(name)), planar_format(name))
    assert planar_format(name).name == planar
    for plane, expected in zip(planes, unpacked(native), strict=True):
        np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("name", ["gbrpf32le", "bayer_rggb8", "xyz12le", "grayf32le"])
def test_unsupported_pixel_format(name: str) -> None:
    with pytest.raises(ValueError, match=f"pixel format {name} is not supported"):
        planar_format(name)


def test_float_picture_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    context = av.CodecContext.create("exr", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 16, 16, "gbrpf32le", FILM
    frame = av.VideoFrame(16, 16, "gbrpf32le")
    for plane in frame.planes:
        np.frombuffer(plane, np.uint8)[:] = 0
    frame.pts = 0
    path.write_bytes(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]))
    with pytest.raises(VideoOpenError, match="gbrpf32le is not supported; convert it"):
        open_video(path)


@pytest.mark.parametrize(
    ("codec", "suffix", "name"),
    [("libvpx-vp9", ".webm", "yuv420p"), ("mpeg4", ".avi", "yuv420p"), ("mjpeg", ".mkv", "yuvj420p")],
)
def test_other_codecs_are_read(tmp_path: Path, codec: str, suffix: str, name: str) -> None:
    path = make_clip(tmp_path / f"a{suffix}", codec=codec, name=name, options={"deadline": "realtime"})
    with open_video(path) as video:
        frames = list(video)
    assert len(frames) == 12
    assert video.decode_failures == 0
    assert video.info.pixel_format.name == "yuv420p"
    assert video.info.color.full_range == (codec == "mjpeg")
    assert all(b > a for a, b in itertools.pairwise(times(frames)))


def test_missing_pts_is_derived(tmp_path: Path) -> None:
    """A bare H.264 stream has no times at all."""
    path = make_clip(tmp_path / "a.h264", options={"bf": "2"})
    with open_video(path) as video:
        frames = list(video)
    assert len(frames) == 12
    steps = {b - a for a, b in itertools.pairwise(times(frames))}
    assert len(steps) == 1
    assert steps == {Fraction(1, 24)}


# Colour


def tag(color: Color) -> Callable[[Any, Any], None]:
    def setup(_: Any, stream: Any) -> None:
        context = stream.codec_context
        context.color_range, context.colorspace = color.tag_range, color.tag_matrix
        context.color_primaries, context.color_trc = color.tag_primaries, color.tag_transfer

    return setup


@pytest.mark.parametrize(
    ("codec", "suffix", "name", "color"),
    [
        ("libx264", ".mp4", "yuv420p", Color("bt709", False, 1, 1, 1, 1)),
        ("libx264", ".mp4", "yuv420p", Color("bt601", False, 1, 6, 6, 6)),
        ("libx265", ".mp4", "yuv420p10le", Color("bt2020", False, 1, 9, 9, 16)),
        ("libx264", ".mkv", "yuv420p", Color("bt709", True, 2, 1, 1, 1)),
    ],
)
def test_colour_tags_come_through(tmp_path: Path, codec: str, suffix: str, name: str, color: Color) -> None:
    path = make_clip(
        tmp_path / f"a{suffix}", codec=codec, name=name, setup=tag(color), count=4, picture=noise_picture,
        options={"x265-params": "log-level=none"} if codec == "libx265" else {},
    )  # fmt: skip
    assert open_video(path).info.color == color
    for option, end in (("hevc" if codec == "libx265" else "h264", ".mp4"), ("ffv1", ".mkv")):
        rewrite(path, tmp_path / f"out{end}", EncodeOptions(codec=option))
        assert open_video(tmp_path / f"out{end}").info.color == color


@pytest.mark.parametrize(("size", "matrix"), [((64, 48), "bt601"), ((64, 720), "bt709"), ((1280, 16), "bt709")])
def test_untagged_matrix_is_guessed_by_size(tmp_path: Path, size: tuple[int, int], matrix: str) -> None:
    path = make_clip(tmp_path / "a.mp4", size=size, count=1)
    color = open_video(path).info.color
    assert (color.matrix, color.full_range, color.tag_matrix) == (matrix, False, 2)


# Proxy

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(width: int, height: int, index: int, name: str) -> av.VideoFrame:
    """Red top left, green top right, blue bottom left, white bottom right."""
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    picture[:top, :left], picture[:top, left:] = RED, GREEN
    picture[top:, :left], picture[top:, left:] = BLUE, WHITE
    frame = av.VideoFrame.from_ndarray(picture, "rgb24")
    return frame.reformat(format=name, dst_colorspace="ITU709", dst_color_range="MPEG")


def corner_colors(picture: np.ndarray[Any, Any]) -> list[tuple[int, ...]]:
    h, w = picture.shape[:2]
    where = [(h // 4, w // 4), (h // 4, 3 * w // 4), (3 * h // 4, w // 4), (3 * h // 4, 3 * w // 4)]
    return [tuple(round(float(v) / 255) * 255 for v in picture[y, x]) for y, x in where]


@pytest.mark.parametrize(
    ("counter_clockwise", "upright"),
    [
        (0, [RED, GREEN, BLUE, WHITE]),
        (90, [GREEN, WHITE, RED, BLUE]),  # turned left: what was right is now on top
        (180, [WHITE, BLUE, GREEN, RED]),
        (270, [BLUE, RED, WHITE, GREEN]),
    ],
)
@pytest.mark.parametrize("native", [True, False])
def test_proxy_is_upright(
    tmp_path: Path, counter_clockwise: int, upright: list[tuple[int, ...]], native: bool
) -> None:
    def setup(_: Any, stream: Any) -> None:
        stream.set_display_rotation(counter_clockwise)
        tag(Color("bt709", False, 1, 1, 1, 1))(_, stream)

    path = make_clip(tmp_path / "a.mp4", size=(96, 64), name="yuv444p", count=1, picture=corners, setup=setup)
    with open_video(path) as video:
        (frame,) = list(video)
    assert video.info.rotation_degrees == -counter_clockwise % 360
    small = proxy(frame if native else replace(frame, native=None), video.info, 48)
    assert small.shape == ((32, 48, 3) if counter_clockwise in (0, 180) else (48, 32, 3))
    assert small.dtype == np.uint8
    assert small.flags.c_contiguous
    assert corner_colors(small) == upright


def test_proxy_agrees_with_the_coordinates_of_the_records(tmp_path: Path) -> None:
    """The white corner of the proxy, led back by `coded_from_display`, is the white corner of the planes."""
    for turn in (90, 180, 270):
        path = make_clip(
            tmp_path / f"{turn}.mp4", size=(96, 64), name="yuv444p", count=1, picture=corners,
            setup=lambda _, stream, turn=turn: stream.set_display_rotation(turn),
        )  # fmt: skip
        with open_video(path) as video:
            (frame,) = list(video)
        picture = proxy(frame, video.info, 96)
        ys, xs = np.nonzero(picture.min(axis=2) > 200)
        x, y = video.info.coded_from_display @ [xs.mean() + 0.5, ys.mean() + 0.5, 1]
        assert (x, y) == pytest.approx((72, 48), abs=1.5)


def test_proxy_makes_pixels_square_and_never_enlarges(tmp_path: Path) -> None:
    def setup(_: Any, stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)

    path = make_clip(tmp_path / "a.mp4", size=(64, 48), count=1, setup=setup)
    with open_video(path) as video:
        (frame,) = list(video)
    assert video.info.sample_aspect_ratio == 2
    assert proxy(frame, video.info, 1000).shape == (48, 128, 3)
    assert proxy(frame, video.info, 64).shape == (24, 64, 3)


@pytest.mark.parametrize(
    ("color", "rgb"),
    [
        # 16..235 and Kr, Kb of each matrix, by hand: Y=81, Cb=90, Cr=240 is BT.601's red.
        (Color("bt601", False, 1, 6), (255, 0, 0)),
        (Color("bt601", True, 2, 6), (238, 14, 14)),
        (Color("bt709", False, 1, 1), (255, 24, 0)),
    ],
)
def test_proxy_uses_matrix_and_range(color: Color, rgb: tuple[int, int, int]) -> None:
    planes = tuple(np.full((16, 16), value, np.uint8) for value in (81, 90, 240))
    frame = Frame(0, 0, FILM, planes, planar_format("yuv444p"))
    info = VideoInfo(Path("x"), 16, 16, frame.pixel_format, "yuv444p", color, FILM, Fraction(24), 0, 0, 0)
    assert proxy(frame, info, 16)[8, 8] == pytest.approx(rgb, abs=3)


def test_proxy_sees_edits(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", count=1)
    with open_video(path) as video:
        (frame,) = list(video)
    white = frame.with_planes(
        [np.full_like(frame.planes[0], 235), *(np.full_like(p, 128) for p in frame.planes[1:])]
    )
    assert proxy(white, video.info, 64).min() >= 253


# Writing, pixels and times


@pytest.mark.parametrize(
    "name",
    ["yuv420p", "yuv422p10le", "yuv444p", "gray", "yuva420p", "gbrp", "gbrp10le", "gray16le", "yuv420p10le"],
)
def test_lossless_round_trip(tmp_path: Path, name: str) -> None:
    raw = "bgr0" if name == "gbrp" else name
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", name=raw, size=(100, 66), count=3, picture=noise_picture)
    notes = rewrite(path, tmp_path / "b.mkv")
    assert notes == []
    assert open_video(tmp_path / "b.mkv").info.pixel_format.name == name
    assert_same_pictures(path, tmp_path / "b.mkv")


def test_edited_planes_are_written_and_the_rest_is_bit_identical(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(101, 67), count=4, picture=noise_picture)
    with open_video(path) as video, create_video(tmp_path / "b.mkv", like=video, options=FFV1) as out:
        for frame in video:
            luma = frame.planes[0].copy()
            luma[10:20, 30:40] = 200
            out.write(frame.with_planes([luma, *frame.planes[1:]]) if frame.index == 2 else frame)
    with open_video(path) as before, open_video(tmp_path / "b.mkv") as after:
        for a, b in zip(before, after, strict=True):
            expected = copied(a)
            if a.index == 2:
                expected[0][10:20, 30:40] = 200
            for p, q in zip(expected, b.planes, strict=True):
                np.testing.assert_array_equal(p, q)


def test_writing_leaves_the_frame_as_it_was(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", pts=[100 + i for i in range(6)])
    with (
        open_video(path, trim_start=2 / 24) as video,
        create_video(tmp_path / "b.mkv", like=video, options=FFV1) as out,
    ):
        for frame in video:
            before = frame.native.pts, copied(frame)
            out.write(frame)
            assert frame.native.pts == before[0]
            np.testing.assert_array_equal(frame.planes[0], before[1][0])


def test_synthetic_frames_are_written(tmp_path: Path) -> None:
    pixel_format = planar_format("yuv422p10le")
    color = Color("bt709", False, 1, 1, 1, 1)
    info = VideoInfo(tmp_path / "none", 64, 48, pixel_format, "", color, FILM, Fraction(24), 0, 0, 0)
    random = np.random.default_rng(0)
    shapes = [pixel_format.plane_size(i, 64, 48)[::-1] for i in range(3)]
    pictures = [[random.integers(0, 1024, s, np.uint16) for s in shapes] for _ in range(3)]
    with create_video(tmp_path / "b.mkv", like=info, options=FFV1) as out:
        for i, planes in enumerate(pictures):
            out.write(Frame(i, i, FILM, tuple(planes), pixel_format))
    with open_video(tmp_path / "b.mkv") as video:
        for planes, frame in zip(pictures, video, strict=True):
            for p, q in zip(planes, frame.planes, strict=True):
                np.testing.assert_array_equal(p, q)
    assert video.info.color == color


TIMES = {
    "constant 24000/1001": ([i * 1001 for i in range(8)], Fraction(1, 24000)),
    "variable": ([0, 1001, 3000, 3100, 4000, 9000], Fraction(1, 24000)),
    "delayed start": ([7777 + i * 512 for i in range(8)], Fraction(1, 12800)),
    "odd time base": ([i * 3003 for i in range(8)], Fraction(1, 90000)),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("case", TIMES)
def test_times_are_exact(tmp_path: Path, suffix: str, case: str) -> None:
    pts, base = TIMES[case]
    path = make_clip(tmp_path / f"a{suffix}", pts=pts, time_base=base, audio=["aac"])
    with open_video(path) as video:
        frames = list(video)
    assert times(frames) == [p * base for p in pts]
    assert video.info.start_seconds == float(pts[0] * base)
    rewrite(path, tmp_path / f"b{suffix}", EncodeOptions(preset="ultrafast"))
    with open_video(tmp_path / f"b{suffix}") as again:
        written = list(again)
    assert times(written) == times(frames)
    assert again.info.time_base == base


def test_times_in_matroska_are_within_half_a_millisecond(tmp_path: Path) -> None:
    pts, base = TIMES["variable"]
    path = make_clip(tmp_path / "a.mp4", pts=pts, time_base=base)
    rewrite(path, tmp_path / "b.mkv", EncodeOptions(preset="ultrafast"))
    with open_video(tmp_path / "b.mkv") as video:
        assert [float(t) for t in times(video)] == pytest.approx([float(p * base) for p in pts], abs=0.0005)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_and_aspect_are_kept(tmp_path: Path, turn: int) -> None:
    def setup(_: Any, stream: Any) -> None:
        stream.set_display_rotation(turn)
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = make_clip(tmp_path / "a.mp4", count=3, setup=setup)
    for target, options in (
        ("b.mp4", EncodeOptions()),
        ("b.mov", EncodeOptions("prores")),
        ("b.mkv", EncodeOptions()),
    ):
        rewrite(path, tmp_path / target, options)
        info = open_video(tmp_path / target).info
        assert (info.rotation_degrees, info.sample_aspect_ratio) == (-turn % 360, Fraction(4, 3))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_very_short_clips(tmp_path: Path, count: int, codec: str) -> None:
    path = make_clip(tmp_path / "a.mp4", count=count, pts=[5 + 3 * i for i in range(count)])
    rewrite(path, tmp_path / "b.mp4", EncodeOptions(codec))
    with open_video(path) as video, open_video(tmp_path / "b.mp4") as written:
        assert times(written) == times(video)
        assert len(times(written)) == count


def test_hdr_metadata_is_written_by_hevc_and_noted_otherwise(tmp_path: Path) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    path = make_clip(
        tmp_path / "a.mp4", codec="libx265", name="yuv420p10le", count=4,
        setup=tag(Color("bt2020", False, 1, 9, 9, 16)),
        options={"x265-params": f"master-display={display}:max-cll=1000,400:log-level=none"},
    )  # fmt: skip
    expected = f"master-display={display}:max-cll=1000,400"
    assert open_video(path).hdr_parameters == expected
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions("hevc")) == []
    assert open_video(tmp_path / "b.mp4").hdr_parameters == expected
    notes = rewrite(path, tmp_path / "b.mkv", FFV1)
    assert notes == ["ffv1 does not write the HDR mastering metadata; its colour tags are kept"]


def test_lost_aspect_is_noted(tmp_path: Path) -> None:
    def setup(_: Any, stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = make_clip(tmp_path / "a.mp4", count=1, setup=setup)
    notes = rewrite(path, tmp_path / "b.mkv", FFV1)
    assert notes == ["ffv1 in .mkv cannot be given the pixel aspect 4/3; it will look square"]


@pytest.mark.parametrize(
    ("options", "suffix", "name", "codec"),
    [
        (EncodeOptions(), ".mp4", "yuv420p", "h264"),
        (EncodeOptions(), ".mkv", "yuv420p", "h264"),
        (EncodeOptions("hevc"), ".mp4", "yuv420p", "hevc"),
        (EncodeOptions("hevc", 30, "ultrafast", "yuv420p10le"), ".mov", "yuv420p10le", "hevc"),
        (EncodeOptions("prores"), ".mov", "yuv422p10le", "prores"),
        (EncodeOptions("ffv1"), ".mkv", "yuv420p", "ffv1"),
        (EncodeOptions("mpeg4"), ".mp4", "yuv420p", "mpeg4"),
        (EncodeOptions("libvpx-vp9", crf=30), ".mkv", "yuv420p", "vp9"),
    ],
)  # fmt: skip
def test_codecs_out(tmp_path: Path, options: EncodeOptions, suffix: str, name: str, codec: str) -> None:
    path = make_clip(tmp_path / "a.mp4")
    rewrite(path, tmp_path / f"b{suffix}", options)
    with open_video(path) as before, open_video(tmp_path / f"b{suffix}") as after:
        one, two = list(before), list(after)
    assert (after.info.codec_name, after.info.pixel_format.name) == (codec, name)
    assert len(one) == len(two)
    scale = 4 if name.endswith("10le") else 1
    errors = [np.abs(a.planes[0] - b.planes[0] / scale).mean() for a, b in zip(one, two, strict=True)]
    assert max(errors) < (4 if options.crf or codec in ("mpeg4",) else 1.5)


def test_bit_depth_and_chroma_are_never_reduced_by_default(tmp_path: Path) -> None:
    for name, codec, suffix, expected in (
        ("yuv422p10le", "h264", ".mp4", "yuv422p10le"),
        ("yuv444p12le", "hevc", ".mp4", "yuv444p12le"),
        ("yuv444p", "prores", ".mov", "yuv444p10le"),
        ("yuva444p10le", "prores", ".mov", "yuva444p10le"),
    ):
        path = make_clip(tmp_path / "a.mkv", codec="ffv1", name=name, count=1, picture=noise_picture)
        with open_video(path) as video:
            out = create_video(tmp_path / f"b{suffix}", like=video, options=EncodeOptions(codec))
            assert out.pixel_format == expected
            assert out.notes == []


def test_what_an_encoder_cannot_keep_is_noted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", name="yuv444p12le", count=1, picture=noise_picture)
    with open_video(path) as video:
        out = create_video(tmp_path / "b.mp4", like=video, options=EncodeOptions("h264"))
    assert out.pixel_format == "yuv444p10le"
    assert out.notes == ["libx264 has no yuv444p12le; written as yuv444p10le, which does not keep everything"]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_odd_size_is_neither_padded_nor_cropped(tmp_path: Path, codec: str) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(101, 67), count=2)
    notes = rewrite(path, tmp_path / "b.mp4", EncodeOptions(codec))
    info = open_video(tmp_path / "b.mp4").info
    assert (info.width, info.height, info.pixel_format.name) == (101, 67, "yuv444p")
    assert len(notes) == 1
    assert "cannot hold 101x67 as yuv420p; written as yuv444p" in notes[0]


def test_still_into_video(tmp_path: Path) -> None:
    picture = make_picture(tmp_path / "a.png", "rgb24")
    with open_video(picture, still_seconds=0.5, still_rate=Fraction(24)) as video:
        frames = list(video)
    assert video.info.is_still
    assert times(frames) == [i * FILM for i in range(12)]
    with open_video(picture) as video:
        assert len(list(video)) == 1
    with (
        open_video(picture, still_seconds=0.2) as video,
        create_video(tmp_path / "b.mkv", like=video, options=FFV1) as out,
    ):
        for frame in video:
            out.write(frame)
    with open_video(tmp_path / "b.mkv") as again:
        written = list(again)
    assert len(written) == 5
    for p, q in zip(frames[0].planes, written[4].planes, strict=True):
        np.testing.assert_array_equal(p, q)


# Writing: what is copied


def test_sound_and_subtitles_are_copied_packet_by_packet(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", audio=["aac", "aac"], subtitle=True)
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions()) == []
    for kind, index in (("audio", 0), ("audio", 1), ("subtitle", 0)):
        before, after = packets_of(path, kind, index), packets_of(tmp_path / "b.mp4", kind, index)
        assert before == after
        assert len(before) >= 2
    assert packets_of(path, "audio", 0) != packets_of(path, "audio", 1)


def test_packets_keep_in_step_with_the_video(tmp_path: Path) -> None:
    """In the file, sound lies near the pictures it belongs to (nothing was held back to the end)."""
    path = make_clip(tmp_path / "a.mkv", audio=["aac"])
    rewrite(path, tmp_path / "b.mkv", FFV1)
    with av.open(str(tmp_path / "b.mkv")) as container:
        order = [p.stream.type for p in container.demux() if p.size]
    assert "audio" in order[:4]
    assert "video" in order[-25:]


def test_streams_that_do_not_fit_are_noted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", audio=["aac"], subtitle=True)
    notes = rewrite(path, tmp_path / "b.mkv", EncodeOptions())
    assert notes.pop() == "sound begins 0.021 s before 0, which .mkv cannot hold: all starts later by that"
    assert notes == ["subtitle stream 2 (mov_text) left out: matroska cannot hold it"]
    assert len(packets_of(tmp_path / "b.mkv", "audio")) == len(packets_of(path, "audio"))


def test_description_is_kept(tmp_path: Path) -> None:
    def setup(out: Any, stream: Any) -> None:
        out.metadata["title"] = "Take 3"
        stream.metadata["language"] = "deu"
        out.set_chapters(
            [
                {"id": i, "start": i * 250, "end": i * 250 + 250, "time_base": Fraction(1, 1000),
                 "metadata": {"title": f"part {i}"}} for i in range(2)
            ]
        )  # fmt: skip

    path = make_clip(tmp_path / "a.mp4", setup=setup, audio=["aac"])
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions()) == []
    rewrite(path, tmp_path / "c.mkv", EncodeOptions())
    rewrite(path, tmp_path / "d.mkv", EncodeOptions(), trim_start=0.25)
    for name, starts in (("b.mp4", [0, 0.25]), ("c.mkv", [0, 0.25]), ("d.mkv", [0])):
        with av.open(str(tmp_path / name)) as out:
            assert out.metadata.get("title", out.metadata.get("TITLE")) == "Take 3"
            assert out.streams.video[0].language == "deu" or name.endswith(".mp4")
            assert out.streams.video[0].disposition == 1
            found = [float(c["start"] * c["time_base"]) for c in out.chapters()]
            assert found == pytest.approx(starts, abs=0.001)


def test_what_quicktime_cannot_hold_is_noted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", audio=["flac"])
    notes = rewrite(path, tmp_path / "b.mov", EncodeOptions("prores"))
    assert notes == ["audio stream 1 (flac) left out: mov cannot hold it"]
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions()) == []


def test_second_video_is_noted_and_cover_picture_kept(tmp_path: Path) -> None:
    def setup(out: Any, _: Any) -> None:
        with av.open(str(make_picture(tmp_path / "cover.png", "rgb24"))) as cover:
            for disposition in (0, 1024):
                stream = out.add_stream_from_template(cover.streams.video[0], opaque=True)
                stream.disposition = disposition
            out.start_encoding()
            (packet,) = [p for p in cover.demux() if p.size]
            for stream in out.streams.video[1:]:
                packet.pts = packet.dts = 0
                packet.stream = stream
                out.mux(packet)

    path = make_clip(tmp_path / "a.mp4", setup=setup, size=(128, 96))
    notes = rewrite(path, tmp_path / "b.mp4", EncodeOptions())
    assert notes == ["video stream 1 (png) left out: only the first video is written"]
    with av.open(str(tmp_path / "b.mp4")) as out:
        assert [int(s.disposition) & 1024 for s in out.streams.video] == [0, 1024]
        (packet,) = [p for p in out.demux(out.streams.video[1]) if p.size]
        assert bytes(packet) == (tmp_path / "cover.png").read_bytes()


def test_negative_start_is_moved_and_noted(tmp_path: Path) -> None:
    """A player cuts off what lies before 0, and frames with it."""
    pixel_format = planar_format("gray")
    info = VideoInfo(
        tmp_path / "none", 64, 48, pixel_format, "", Color("bt601", True), FILM, Fraction(24), -3 / 24, 0, 0
    )
    with create_video(tmp_path / "b.mp4", like=info, options=EncodeOptions()) as out:
        for i in range(5):
            out.write(Frame(i, i - 3, FILM, (np.full((48, 64), 50 + i, np.uint8),), pixel_format))
    assert out.notes == ["the source starts at -0.125 s; the output, sound included, is moved to start at 0"]
    with open_video(tmp_path / "b.mp4") as video:
        assert times(video) == [i * FILM for i in range(5)]


def test_edited_copy_keeps_side_data(tmp_path: Path) -> None:
    """Captions and HDR metadata hang on the frame as the display matrix does, which a test can make."""
    path = make_clip(tmp_path / "a.mp4", count=1, setup=lambda _, stream: stream.set_display_rotation(90))
    with open_video(path) as video:
        (frame,) = list(video)
    copy = _Preparation(video.info, _Encoding("ffv1", "yuv420p", {}, video.info.color)).prepare(
        frame.with_planes([np.zeros_like(frame.planes[0]), *frame.planes[1:]])
    )
    assert [data.type.name for data in copy.side_data] == [data.type.name for data in frame.native.side_data]
    assert copy.rotation == frame.native.rotation == 90
    assert copy.planes[0].buffer_ptr != frame.native.planes[0].buffer_ptr


def test_attachments_are_kept(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mkv",
        setup=lambda out, _: out.add_attachment("notes.txt", "text/plain", b"remember"),
    )
    assert rewrite(path, tmp_path / "b.mkv") == []
    with av.open(str(tmp_path / "b.mkv")) as out:
        assert [(a.name, a.data) for a in out.streams.attachments] == [("notes.txt", b"remember")]


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_timecode_is_kept_and_the_rate_stays(tmp_path: Path, suffix: str) -> None:
    def setup(_: Any, stream: Any) -> None:
        stream.metadata["timecode"] = "01:00:00:00"

    pts = [1001 * i for i in range(12)]
    rate = Fraction(24000, 1001)
    path = make_clip(tmp_path / "a.mov", setup=setup, time_base=Fraction(1, 24000), rate=rate, pts=pts)
    assert rewrite(path, tmp_path / f"b{suffix}", EncodeOptions()) == []
    rewrite(path, tmp_path / f"c{suffix}", EncodeOptions(), trim_start=5 * 1001 / 24000)
    for name, expected in (("b", "01:00:00:00"), ("c", "01:00:00:05")):
        with av.open(str(tmp_path / f"{name}{suffix}")) as out:
            metadata = {k.lower(): v for k, v in (out.metadata | out.streams.video[0].metadata).items()}
            assert metadata["timecode"] == expected
            assert float(out.streams.video[0].average_rate) == pytest.approx(24000 / 1001, abs=0.02)


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "expected"),
    [
        ("01:00:00:00", 25, Fraction(24), "01:00:01:01"),
        ("23:59:59:23", 1, Fraction(24), "00:00:00:00"),
        ("00:00:59;29", 1, Fraction(30000, 1001), "00:01:00;02"),  # 29.97 drop: numbers 0 and 1 are skipped
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),  # but not every tenth minute
        ("00:00:00;00", 17982, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 1800, Fraction(30000, 1001), "00:01:00;02"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("nonsense", 5, Fraction(24), "nonsense"),
    ],
)
def test_advance_timecode(timecode: str, frames: int, rate: Fraction, expected: str) -> None:
    assert advance_timecode(timecode, frames, rate) == expected


# Trimming


def test_trim_keeps_the_frames_of_the_range(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", pts=[50 + i for i in range(24)])
    with open_video(path) as video:
        everything = list(video)
    with open_video(path, trim_start=0.25, trim_end=0.5) as video:
        kept = list(video)
    assert times(kept) == times(everything)[6:12]
    assert [f.index for f in kept] == list(range(6))
    assert video.info.frame_count_from_header == 6
    assert video.info.duration_seconds_from_header == pytest.approx(0.25)
    np.testing.assert_array_equal(kept[0].planes[0], everything[6].planes[0])
    with open_video(path, trim_start=0.416667, trim_end=11 / 24) as video:
        assert times(video) == times(everything)[10:11]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_seeking_gives_the_very_frames_that_decoding_gives(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = make_clip(
        tmp_path / f"a{suffix}", codec=codec, count=144, size=(48, 32), options={"g": "30", "bf": "2"}
    )
    with open_video(path) as video:
        everything = [(t, p) for t, p in ((f.pts, f.planes[0].copy()) for f in video)]
    for start in (99, 113, 120, 121):
        with open_video(path, trim_start=start / 24) as video:
            kept = [(f.pts, f.planes[0].copy()) for f in video]
        assert [t for t, _ in kept] == [t for t, _ in everything[start:]]
        np.testing.assert_array_equal(kept[0][1], everything[start][1])
        np.testing.assert_array_equal(kept[-1][1], everything[-1][1])


def test_trim_moves_picture_and_sound_together(tmp_path: Path) -> None:
    pts = [2400 + i * 1000 for i in range(12)]
    path = make_clip(tmp_path / "a.mp4", pts=pts, time_base=Fraction(1, 24000), audio=["aac"], subtitle=True)
    rewrite(path, tmp_path / "b.mp4", EncodeOptions(), trim_start=0.25, trim_end=0.45)
    with open_video(tmp_path / "b.mp4") as video:
        assert times(video) == [Fraction(1, 10) + i * FILM for i in range(5)]
    all_sound = {data: pts for data, pts, _ in packets_of(path, "audio")}
    sound = packets_of(tmp_path / "b.mp4", "audio")
    assert 8 <= len(sound) <= 10  # 0.2 s of 1024 samples at 48 kHz
    assert all(all_sound[data] - pts == Fraction(1, 4) for data, pts, _ in sound)
    lines = packets_of(tmp_path / "b.mp4", "subtitle")
    assert [pts for data, pts, _ in lines if b"there" in data] == [Fraction(1, 10)]


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.5), (1.0, 1.0), (-1.0, None), (None, 0.0)])
def test_senseless_trim(tmp_path: Path, start: float | None, end: float | None) -> None:
    with pytest.raises(OptionError, match=r"is empty; the end must lie after|is before the first frame"):
        open_video(tmp_path / "a.mp4", trim_start=start, trim_end=end)


def test_trim_beyond_the_end(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    with pytest.raises(VideoOpenError, match=r"no frame between 9 s and its end; it lasts 0\.5 s"):
        open_video(path, trim_start=9)


@pytest.mark.parametrize("option", ["sequence_rate", "still_rate", "still_seconds"])
def test_senseless_rates(tmp_path: Path, option: str) -> None:
    with pytest.raises(OptionError, match=f"{option} is 0; it must be above 0"):
        open_video(tmp_path / "a.mp4", **{option: 0})  # type: ignore[arg-type]


# Pictures


def make_picture(path: Path, name: str, seed: int = 0, size: tuple[int, int] = (64, 48)) -> Path:
    context = av.CodecContext.create("tiff" if path.suffix == ".tif" else "png", "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.thread_count = name, FILM, 1
    frame = noise(*size, name, seed)
    frame.pts = 0
    path.write_bytes(b"".join(bytes(packet) for packet in context.encode(frame)))
    return path


@pytest.mark.parametrize(
    ("suffix", "name", "planar"),
    [
        (".png", "rgb24", "gbrp"),
        (".png", "rgb48be", "gbrp16le"),
        (".png", "rgba", "gbrap"),
        (".png", "gray", "gray"),
        (".png", "gray16be", "gray16le"),
        (".tif", "rgb24", "gbrp"),
        (".tif", "rgb48le", "gbrp16le"),
        (".tif", "gray16le", "gray16le"),
    ],
)
@pytest.mark.parametrize("pattern", ["%04d", "####"])
def test_image_sequences_in_and_out(tmp_path: Path, suffix: str, name: str, planar: str, pattern: str) -> None:
    for number in range(1001, 1004):
        make_picture(tmp_path / f"in.{number}{suffix}", name, number)
    source = tmp_path / f"in.{pattern}{suffix}"
    rewrite(source, tmp_path / f"out.{pattern}{suffix}", EncodeOptions())
    with open_video(source) as video:
        assert times(video) == [0, FILM, 2 * FILM]
    assert (video.info.pixel_format.name, video.first_number, video.info.is_still) == (planar, 1001, False)
    assert video.info.color.full_range
    assert video.info.color.matrix == ("rgb" if planar.startswith("gb") else "bt601")
    assert sorted(p.name for p in tmp_path.glob("out.*")) == [f"out.{n}{suffix}" for n in (1001, 1002, 1003)]
    assert_same_pictures(source, tmp_path / f"out.{pattern}{suffix}")
    assert not list(tmp_path.glob(".*"))


def test_trimmed_sequence_keeps_its_numbers(tmp_path: Path) -> None:
    for number in range(10, 16):
        make_picture(tmp_path / f"in.{number:04d}.png", "rgb24", number)
    source = tmp_path / "in.%04d.png"
    with open_video(source, trim_start=0.2, trim_end=0.4, sequence_rate=Fraction(10)) as video:
        assert [f.pts for f in video] == [2, 3]
        with create_video(tmp_path / "out.%04d.png", like=video, options=EncodeOptions()) as out:
            for frame in video:
                out.write(frame)
    assert sorted(p.name for p in tmp_path.glob("out.*")) == ["out.0012.png", "out.0013.png"]


def test_video_to_pictures_and_one_picture(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mkv", codec="ffv1", name="yuv444p", count=2, picture=corners, size=(96, 64),
        setup=tag(Color("bt709", False, 1, 1, 1, 1)),
    )  # fmt: skip
    rewrite(path, tmp_path / "out.%04d.png", EncodeOptions())
    with open_video(tmp_path / "out.%04d.png") as video:
        frames = list(video)
    assert video.first_number == 1
    assert corner_colors(proxy(frames[1], video.info, 96)) == [RED, GREEN, BLUE, WHITE]
    ten_bit = make_clip(tmp_path / "t.mkv", codec="ffv1", name="yuv422p10le", count=1, picture=noise_picture)
    rewrite(ten_bit, tmp_path / "one.png", EncodeOptions())
    assert open_video(tmp_path / "one.png").info.pixel_format.name == "gbrp16le"
    with pytest.raises(VideoWriteError, match=r"is one picture, but there are more frames; .*two\.%04d\.png"):
        rewrite(path, tmp_path / "two.png", EncodeOptions())
    assert not (tmp_path / "two.png").exists()


def test_sequence_with_a_change_of_size(tmp_path: Path) -> None:
    make_picture(tmp_path / "in.1.png", "rgb24")
    make_picture(tmp_path / "in.2.png", "rgb24", size=(32, 48))
    with (
        open_video(tmp_path / "in.%d.png") as video,
        pytest.raises(VideoReadError, match="changes from 64x48 to 32x48 at frame 1; split it"),
    ):
        list(video)


def test_sequence_with_a_broken_picture(tmp_path: Path) -> None:
    make_picture(tmp_path / "in.1.png", "rgb24")
    (tmp_path / "in.2.png").write_bytes((tmp_path / "in.1.png").read_bytes()[:60])
    with (
        open_video(tmp_path / "in.%d.png") as video,
        pytest.raises(VideoReadError, match=r"in\.2\.png: .*(cannot be decoded|cannot be read)"),
    ):
        list(video)


# Damage


def damaged(path: Path, target: Path, victims: list[int], how: str) -> Path:
    """The same packets, some of them overwritten from their middle on (or wholly)."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        spots = [(p.pos, p.size) for p in source.demux(stream) if p.size]
    data = bytearray(path.read_bytes())
    for victim in victims:
        position, size = spots[victim]
        start = position + (size // 2 if how == "half" else 4)
        data[start : position + size] = bytes(b"\xff" * (position + size - start))
    target.write_bytes(bytes(data))
    return target


@pytest.mark.parametrize("how", ["half", "whole"])
@pytest.mark.parametrize("victims", [[0], [10, 11], [40], [58, 59]])
def test_damaged_pictures_keep_their_place(tmp_path: Path, how: str, victims: list[int]) -> None:
    path = make_clip(tmp_path / "a.mp4", count=60, options={"g": "12", "bf": "2"}, picture=noise_picture)
    broken = damaged(path, tmp_path / "b.mp4", victims, how)
    with open_video(path) as video:
        expected = times(video)
        assert video.decode_failures == 0
    with open_video(broken) as video:
        frames = list(video)
        assert times(frames) == expected
        assert video.decode_failures >= 1
        assert video.decode_failures == sum(f.is_corrupt for f in frames)
        assert len(list(video)) == 60
    assert video.decode_failures < 30


def test_lost_picture_shows_the_previous_good_one(tmp_path: Path) -> None:
    """MJPEG pictures stand alone, so exactly one is lost."""
    path = make_clip(tmp_path / "a.mkv", codec="mjpeg", name="yuvj420p", count=8, picture=noise_picture)
    broken = damaged(path, tmp_path / "b.mkv", [5], "whole")
    with open_video(path) as video, open_video(broken) as other:
        good, bad = list(video), list(other)
    assert times(bad) == times(good)
    assert [f.index for f in bad if f.is_corrupt] == [5]
    assert other.decode_failures == 1
    np.testing.assert_array_equal(bad[5].planes[0], good[4].planes[0])
    np.testing.assert_array_equal(bad[6].planes[0], good[6].planes[0])


def test_lost_first_picture_shows_the_next(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="mjpeg", name="yuvj420p", count=4, picture=noise_picture)
    broken = damaged(path, tmp_path / "b.mkv", [0], "whole")
    with open_video(path) as video, open_video(broken) as other:
        good, bad = list(video), list(other)
    assert times(bad) == times(good)
    assert [f.is_corrupt for f in bad] == [True, False, False, False]
    np.testing.assert_array_equal(bad[0].planes[0], good[1].planes[0])


def test_truncated_file_ends_where_its_packets_end(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", count=30, picture=noise_picture)
    short = tmp_path / "b.mkv"
    short.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with open_video(path) as video, open_video(short) as other:
        whole, part = times(video), times(other)
    assert 10 < len(part) < 30
    assert part == whole[: len(part)]


def test_healthy_streams_with_hidden_pictures_gain_nothing(tmp_path: Path) -> None:
    """VP8 stores pictures that are never shown as packets of their own."""
    path = make_clip(
        tmp_path / "a.webm", codec="libvpx", count=40,
        options={"auto-alt-ref": "1", "lag-in-frames": "16", "g": "30"},
    )  # fmt: skip
    with open_video(path) as video:
        frames = list(video)
    assert len(frames) == 40
    assert video.decode_failures == 0


def test_hidden_pictures_stay_hidden_after_an_error(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.webm", codec="libvpx", count=60, picture=noise_picture,
        options={"auto-alt-ref": "1", "lag-in-frames": "16", "g": "15"},
    )  # fmt: skip
    broken = damaged(path, tmp_path / "b.webm", [5], "whole")
    with open_video(path) as video, open_video(broken) as other:
        whole, part = times(video), times(other)
    assert len(whole) == 60
    assert set(whole) <= set(part)
    assert len(part) <= 62  # near the damage, a hidden picture cannot be told from a lost one


# Refusals


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as out:
        _make_sound(out, out.add_stream("aac", rate=48000), seconds=0.2, hertz=440)


def _headless(path: Path) -> None:
    whole = make_clip(path.with_name("whole.mp4"))
    path.write_bytes(whole.read_bytes()[:200])


def _undecodable(path: Path) -> None:
    whole = make_clip(path.with_name("whole.mkv"), codec="mjpeg", name="yuvj420p", count=3)
    damaged(whole, path, [0, 1, 2], "whole")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.mp4", lambda _: None, "no such file; check the path"),
        ("folder", lambda p: p.mkdir(), r"is a folder; .*folder/name\.%04d\.png"),
        ("a.mp4", lambda p: p.write_bytes(b""), r"is empty \(0 bytes\)"),
        ("a.mp4", lambda p: p.write_text("hello there\n" * 50), "not a video or picture that can be read"),
        ("a.txt", lambda p: p.write_text("hello there\n" * 50), "has no video stream"),
        (
            "a.mp4",
            lambda p: p.write_bytes(np.random.default_rng(0).bytes(5000)),
            "not a video or picture|no video",
        ),
        ("a.m4a", _sound_only, "has no video stream"),
        ("a.mp4", _headless, "not a video or picture that can be read"),
        ("a.mkv", _undecodable, "nothing in it can be decoded"),
        ("a.%04d.png", lambda _: None, "no file matches this pattern"),
    ],
)
def test_bad_sources(
    tmp_path: Path, name: str, make: Callable[[Path], Any], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    make(path)
    capfd.readouterr()
    with pytest.raises(VideoOpenError, match=message) as caught:
        open_video(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert isinstance(caught.value, OSError)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "a.mp4", count=3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("b.avi", EncodeOptions(), r"cannot write \.avi; use \.mp4, \.mov, \.m4v or \.mkv"),
        ("b", EncodeOptions(), "cannot write a file without suffix"),
        ("b.%04d.mp4", EncodeOptions(), r"a frame number makes no sense in a \.mp4 file"),
        ("b.mp4", EncodeOptions("prores"), r"prores does not fit a \.mp4 file; use \.mov or \.mkv"),
        ("b.mp4", EncodeOptions("ffv1"), r"ffv1 does not fit a \.mp4 file; use \.mkv"),
        ("b.mp4", EncodeOptions("rawvideo"), r"rawvideo does not fit a \.mp4 file; use \.mov or \.mkv"),
        ("b.mp4", EncodeOptions("h265"), "no encoder is called h265; use h264, hevc, prores, ffv1"),
        ("b.mp4", EncodeOptions("aac"), "aac encodes audio, not video"),
        ("b.mp4", EncodeOptions(pixel_format="gbrp"), "libx264 has no pixel format gbrp; it has yuv420p"),
        ("b.mov", EncodeOptions("prores", crf=3), "prores_ks has no crf; leave it out"),
        ("b.mkv", EncodeOptions("ffv1", preset="slow"), "ffv1 has no preset; leave it out"),
        ("b.%d.png", EncodeOptions("h264"), "pictures take no codec, crf, preset or profile"),
        ("b.%d.png", EncodeOptions(pixel_format="yuv420p"), "png has no pixel format yuv420p; it has rgb24"),
    ],
)
def test_bad_options(clip: Path, name: str, options: EncodeOptions, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        create_video(clip.with_name(name), like=open_video(clip), options=options)
    assert sorted(p.name for p in clip.parent.iterdir()) == ["a.mp4"]


def test_odd_size_in_a_format_that_cannot_hold_it(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(101, 67), count=1)
    with pytest.raises(OptionError, match="libx264 cannot hold 101x67 as yuv420p; leave the pixel format open"):
        create_video(tmp_path / "b.mp4", like=open_video(path), options=EncodeOptions(pixel_format="yuv420p"))


def test_encoder_refuses_its_options(clip: Path) -> None:
    writer = create_video(clip.with_name("b.mp4"), like=open_video(clip), options=EncodeOptions(preset="warp"))
    with (
        pytest.raises(VideoWriteError, match=r"cannot be started .*check the encoder's options") as caught,
        writer,
    ):
        pytest.fail("entered")
    assert caught.value.exit_code == 2
    assert sorted(p.name for p in clip.parent.iterdir()) == ["a.mp4"]


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink", "dots"])
def test_destination_is_the_source(clip: Path, link: str) -> None:
    target = clip.with_name("b.mp4")
    if link == "symlink":
        target.symlink_to(clip)
    elif link == "hardlink":
        os.link(clip, target)
    else:
        target = clip if link == "same" else clip.parent / ".." / clip.parent.name / clip.name
    with pytest.raises(VideoWriteError, match="is the source itself; write to another name"):
        create_video(target, like=open_video(clip), options=EncodeOptions(), overwrite=True)


def test_sequence_onto_itself(tmp_path: Path) -> None:
    make_picture(tmp_path / "in.0001.png", "rgb24")
    with pytest.raises(VideoWriteError, match="is the source itself"):
        create_video(
            tmp_path / "in.####.png",
            like=open_video(tmp_path / "in.%04d.png"),
            options=EncodeOptions(),
            overwrite=True,
        )


def test_bad_destinations(clip: Path) -> None:
    reader = open_video(clip)
    (clip.parent / "folder.mp4").mkdir()
    with pytest.raises(VideoWriteError, match="is a folder; give a file name in it"):
        create_video(clip.parent / "folder.mp4", like=reader, options=EncodeOptions())
    with pytest.raises(VideoWriteError, match="none does not exist; make it first"):
        create_video(clip.parent / "none" / "b.mp4", like=reader, options=EncodeOptions())


def test_unwritable_folder(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may write anywhere
    with pytest.raises(VideoWriteError, match="is not writable; check its permissions"):
        create_video(clip.with_name("b.mp4"), like=open_video(clip), options=EncodeOptions())


def test_existing_destination_needs_overwrite(clip: Path) -> None:
    target = clip.with_name("b.mp4")
    target.write_bytes(b"precious")
    with pytest.raises(VideoWriteError, match="exists already; name another file or use --overwrite"):
        create_video(target, like=open_video(clip), options=EncodeOptions())
    assert target.read_bytes() == b"precious"
    with (
        open_video(clip) as video,
        create_video(target, like=video, options=EncodeOptions(), overwrite=True) as out,
    ):
        out.write(next(iter(video)))
        assert target.read_bytes() == b"precious"
    assert len(list(open_video(target))) == 1


def test_overwriting_a_longer_sequence_leaves_nothing_of_it(clip: Path) -> None:
    for number in range(1, 9):
        make_picture(clip.with_name(f"out.{number:04d}.png"), "rgb24")
    target = clip.with_name("out.%04d.png")
    with pytest.raises(VideoWriteError, match="exists already"):
        create_video(target, like=open_video(clip), options=EncodeOptions())
    with (
        open_video(clip) as video,
        create_video(target, like=video, options=EncodeOptions(), overwrite=True) as out,
    ):
        for frame in video:
            out.write(frame)
    assert len(list(clip.parent.glob("out.*.png"))) == 3


# All or nothing


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.%04d.png"])
def test_nothing_remains_after_an_error(clip: Path, error: type[BaseException], name: str) -> None:
    def write() -> None:
        with (
            open_video(clip) as video,
            create_video(clip.with_name(name), like=video, options=EncodeOptions()) as out,
        ):
            for frame in itertools.islice(video, 2):
                out.write(frame)
            hidden = [p.name for p in clip.parent.iterdir() if p.name != "a.mp4"]
            assert all(p.startswith(".b.part") for p in hidden), hidden
            assert hidden
            raise error

    with pytest.raises(error):
        write()
    assert [p.name for p in clip.parent.iterdir()] == ["a.mp4"]


def test_no_frame_is_an_error(clip: Path) -> None:
    writer = create_video(clip.with_name("b.mp4"), like=open_video(clip), options=EncodeOptions())
    with pytest.raises(VideoWriteError, match="no frame was written; nothing is left behind"), writer:
        pass
    assert [p.name for p in clip.parent.iterdir()] == ["a.mp4"]


def test_frames_out_of_order(clip: Path) -> None:
    def write() -> None:
        with (
            open_video(clip) as video,
            create_video(clip.with_name("b.mp4"), like=video, options=EncodeOptions()) as out,
        ):
            frames = list(video)
            out.write(frames[1])
            out.write(frames[0])

    with pytest.raises(ValueError, match="frame 0 at pts 0 comes after pts 1"):
        write()


FULL_DISK = """
import resource, sys
from retarget.pipeline.media.video import EncodeOptions, create_video, open_video
from retarget.pipeline.errors import VideoWriteError
source, target, codec = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    with open_video(source) as video:
        with create_video(target, like=video, options=EncodeOptions(codec or None)) as out:
            for frame in video:
                out.write(frame)
except VideoWriteError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(("name", "codec"), [("b.mp4", "h264"), ("b.mkv", "ffv1"), ("b.%04d.png", "")])
def test_full_disk(tmp_path: Path, name: str, codec: str) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(256, 256), picture=noise_picture, count=6)
    command = [sys.executable, "-c", FULL_DISK, str(path), str(tmp_path / name), codec]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "writing failed" in done.stdout, done
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(str(tmp_path / name))
    assert [p.name for p in tmp_path.iterdir()] == ["a.mkv"]


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """600 frames of 1.5 MB through the writer: a fraction of their 900 MB is ever held."""
    pixel_format = planar_format("yuv420p")
    info = VideoInfo(
        tmp_path / "none", 1280, 800, pixel_format, "", Color("bt709", False), FILM, Fraction(24), 0, 0, 0
    )

    def endless() -> Iterator[Frame]:
        for i in itertools.count():
            planes = tuple(np.full(s, 100 + i % 50, np.uint8) for s in ((800, 1280), (400, 640), (400, 640)))
            yield Frame(i, i, FILM, planes, pixel_format)

    options = EncodeOptions("mpeg4")
    with create_video(tmp_path / "b.mp4", like=info, options=options) as out:
        frames = endless()
        for frame in itertools.islice(frames, 100):
            out.write(frame)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for frame in itertools.islice(frames, 500):
            out.write(frame)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert out.frames_written == 600
    assert grown_kb < 60_000
    with open_video(tmp_path / "b.mp4") as video:
        assert isinstance(video, VideoReader)
        assert sum(1 for _ in itertools.islice(video, 10)) == 10

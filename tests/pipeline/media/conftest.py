"""Clips of which every property is known, and what tests ask of a film."""

from __future__ import annotations

import contextlib
import itertools
import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.media.boxes import add_to_video, entry_of, header_of, replace_header
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.pieces import Pieces
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.media.writer import create_video
from retarget.pipeline.records import Color, Frame

FILM = Fraction(1, 24)
"""Seconds a frame."""
FFV1 = EncodeOptions(codec="ffv1")
"""Lossless."""
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
TICK = Fraction(1, 600)
"""Seconds a unit of time of the long films."""
CLAP = struct.pack(">8I", 60, 1, 44, 1, 0, 1, 0, 1)
"""A clean aperture of 60x44."""
COUNT = 43
"""Frames of a long film: two pieces of 16, one of 11."""

# Pictures


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


def noise_picture(width: int, height: int, index: int, name: str) -> av.VideoFrame:
    return noise(width, height, name, index)


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


def tag(color: Color) -> Callable[[Any, Any], None]:
    """A `setup` for `make_clip` that gives the clip these tags."""

    def setup(_: Any, stream: Any) -> None:
        context = stream.codec_context
        context.color_range, context.colorspace = color.tag_range, color.tag_matrix
        context.color_primaries, context.color_trc = color.tag_primaries, color.tag_transfer

    return setup


# Files


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
    needs_encoder(codec)
    picture = picture or (lambda w, h, i, n: moving(w, h, i, n))
    container_options = {}
    if path.suffix in (".mp4", ".mov"):
        ticks = str(time_base.denominator)
        container_options = {"video_track_timescale": ticks, "movie_timescale": ticks}
    with contextlib.ExitStack() as files:
        out = files.enter_context(av.open(str(path), "w", container_options=container_options))
        stream = out.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = name
        stream.codec_context.time_base = stream.time_base = time_base
        sound = [out.add_stream(codec_name, rate=48000) for codec_name in audio or []]
        if setup:
            setup(out, stream)
        text = files.enter_context(av.open(str(make_text(path.parent)))) if subtitle else None
        lines = out.add_stream_from_template(text.streams.subtitles[0]) if text else None
        for i, time in enumerate(pts if pts is not None else range(count)):
            frame = picture(*size, i, name)
            frame.pts, frame.time_base = time, time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        for k, track in enumerate(sound):
            make_sound(out, track, seconds=0.6, hertz=440 * (k + 1))
        for packet in text.demux(text.streams.subtitles[0]) if text else ():
            if packet.size:
                packet.stream = lines
                out.mux(packet)
    return path


def make_sound(out: Any, track: Any, *, seconds: float, hertz: int) -> None:
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


def make_text(folder: Path) -> Path:
    """A file of mov_text, made from an .srt file."""
    srt_path, path = folder / "lines.srt", folder / "lines.mp4"
    srt_path.write_text("1\n00:00:00,000 --> 00:00:00,200\nhello\n\n2\n00:00:00,250 --> 00:00:00,400\nthere\n")
    with av.open(str(srt_path)) as srt, av.open(str(path), "w") as out:
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
    return path


def needs_encoder(name: str) -> None:
    """Skips a test where FFmpeg was built without an encoder that the product does not rely on."""
    if name.startswith("libvpx") and name not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {name}")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "a.mp4", count=3)


def make_picture(path: Path, name: str, seed: int = 0, size: tuple[int, int] = (64, 48)) -> Path:
    context = av.CodecContext.create("tiff" if path.suffix == ".tif" else "png", "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.thread_count = name, FILM, 1
    frame = noise(*size, name, seed)
    frame.pts = 0
    path.write_bytes(b"".join(bytes(packet) for packet in context.encode(frame)))
    return path


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


def film_with(path: Path, entry: Callable[[bytes], bytes]) -> Path:
    """A film with a clean aperture and a timecode track, whose sample entry is changed."""

    def setup(_: Any, stream: Any) -> None:
        stream.metadata["timecode"] = "01:02:03:04"

    make_clip(path, codec="prores_ks", name="yuv422p10le", size=(256, 144), setup=setup, count=3)
    header = header_of(path)
    assert header is not None
    picture, second = header.all(b"trak")
    add_to_video(picture, {b"clap": CLAP})
    made = entry(entry_of(second))
    table = second.find(b"mdia", b"minf", b"stbl", b"stsd")
    assert table is not None
    table.data = struct.pack(">III", 0, 1, len(made) + 4) + made
    replace_header(path, header)
    return path


# What was made


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


# Long films, for pieces


def picture(index: int, name: str) -> av.VideoFrame:
    """Smooth, with a square that moves and a cut at frame 20: B-frames, and a key frame of the encoder's own."""
    luma = np.tile(np.linspace(40, 120, 64), (48, 1)) + (60 if index >= 20 else 0)
    luma[8:24, index % 40 : index % 40 + 16] = 220
    color = np.repeat(luma[..., None], 3, 2).astype(np.uint8)
    return av.VideoFrame.from_ndarray(color, "rgb24").reformat(format=name)


def varying_times() -> list[int]:
    """Start at 0.5 s; 24 a second, slower by and by, and in sudden steps around the first joint."""
    steps = [25 if i < 14 else 3 if i == 14 else 200 if i in (16, 17, 18) else 25 + i for i in range(COUNT)]
    return [300 + time for time in itertools.accumulate([0, *steps[:-1]])]


@pytest.fixture(scope="module")
def make_film(tmp_path_factory: Any) -> Callable[..., Path]:
    """`make_film(count, name, times)`: lossless, with sound, a timecode and a title."""

    def make(count: int = COUNT, name: str = "yuv420p", times: list[int] | None = None) -> Path:
        path = Path(tmp_path_factory.mktemp("film") / "film.mov")
        with av.open(
            str(path), "w", container_options={"video_track_timescale": "600", "movie_timescale": "600"}
        ) as out:
            stream = out.add_stream("libx264", rate=24, options={"crf": "0", "preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, name
            stream.codec_context.time_base = stream.time_base = TICK
            sound = out.add_stream("aac", rate=48000)
            out.metadata["title"] = "plate"
            stream.metadata["timecode"] = "01:00:00:00"
            for i, time in enumerate((times or varying_times())[:count]):
                frame = picture(i, name)
                frame.pts, frame.time_base = time, TICK
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
            wave = np.sin(np.arange(48000 * 3) / 20).astype(np.float32)
            for start in range(0, len(wave), 1024):
                samples = av.AudioFrame.from_ndarray(np.stack([wave[start : start + 1024]] * 2), "fltp", "stereo")
                samples.sample_rate, samples.pts, samples.time_base = 48000, start, Fraction(1, 48000)
                out.mux(sound.encode(samples))
            out.mux(sound.encode(None))
        return path

    return make


@pytest.fixture(scope="module")
def film(make_film: Callable[..., Path]) -> Path:
    return make_film()


@pytest.fixture(scope="module")
def even_film(make_film: Callable[..., Path]) -> Path:
    """At a constant rate: x264 itself is not always the same to the bit where times vary."""
    return make_film(times=[300 + 25 * i for i in range(COUNT)])


def pieces_in(folder: Path, belongs_to: str = "a") -> Pieces:
    return Pieces(folder=folder, belongs_to=belongs_to, seconds=16 / 24)


class Killed(BaseException):
    """What no `except Exception` sees."""


def write(
    source: Path,
    target: Path,
    options: EncodeOptions,
    pieces: Pieces | None,
    *,
    kill_at: int | None = None,
    change: Callable[[Frame], Frame] = lambda frame: frame,
    only: slice = slice(None),
) -> tuple[int, int]:
    """Copies the film; returns how many frames were kept, and how many of them had been changed."""
    with open_video(source) as reader:
        writer = create_video(target, like=reader, options=options, overwrite=True)
        if pieces is not None:
            writer.use_pieces(pieces)
        with writer:
            for frame in itertools.islice(reader, only.start, only.stop):
                if frame.index == kill_at:
                    raise Killed
                writer.write(frame if frame.index < writer.kept_frames else change(frame))
    return writer.kept_frames, writer.kept_changes


def darkened(frame: Frame) -> Frame:
    return replace(frame, planes=(frame.planes[0] // 2, *frame.planes[1:]))

"""A film that is written: pixels to the bit, times to the tick."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.media.formats import planar_format
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.media.writer import create_video
from retarget.pipeline.records import Color, Frame, VideoInfo

from .conftest import (
    FFV1,
    FILM,
    assert_same_pictures,
    copied,
    make_clip,
    noise_picture,
    rewrite,
    times,
)


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


def test_lost_aspect_is_noted(tmp_path: Path) -> None:
    def setup(_: Any, stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = make_clip(tmp_path / "a.mp4", count=1, setup=setup)
    notes = rewrite(path, tmp_path / "b.mkv", FFV1)
    assert notes == ["ffv1 in .mkv cannot be given the pixel aspect 4/3; it will look square"]


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

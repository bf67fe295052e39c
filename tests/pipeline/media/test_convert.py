"""Pictures by swscale: unpacked, small, or made ready for an encoder."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.media.convert import Converter, Preparation, proxy
from retarget.pipeline.media.formats import planar_format
from retarget.pipeline.media.planes import plane_views
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.records import Color, Frame, VideoInfo

from .conftest import (
    BLUE,
    FILM,
    GREEN,
    RED,
    WHITE,
    corner_colors,
    corners,
    make_clip,
    noise,
    tag,
    unpacked,
)


@pytest.mark.parametrize(("name", "planar"), [("nv16", "yuv422p"), ("p010le", "yuv420p10le")])
def test_unpacking_what_capture_and_hardware_decoders_give(name: str, planar: str) -> None:
    native = noise(64, 48, name)
    planes = plane_views(Converter().to_planar(native, planar_format(name)), planar_format(name))
    assert planar_format(name).name == planar
    for plane, expected in zip(planes, unpacked(native), strict=True):
        np.testing.assert_array_equal(plane, expected)


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


def test_edited_copy_keeps_side_data(tmp_path: Path) -> None:
    """Captions and HDR metadata hang on the frame as the display matrix does, which a test can make."""
    path = make_clip(tmp_path / "a.mp4", count=1, setup=lambda _, stream: stream.set_display_rotation(90))
    with open_video(path) as video:
        (frame,) = list(video)
    copy = Preparation(video.info, "yuv420p", video.info.color).prepare(
        frame.with_planes([np.zeros_like(frame.planes[0]), *frame.planes[1:]])
    )
    assert [data.type.name for data in copy.side_data] == [data.type.name for data in frame.native.side_data]
    assert copy.rotation == frame.native.rotation == 90
    assert copy.planes[0].buffer_ptr != frame.native.planes[0].buffer_ptr

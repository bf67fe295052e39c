from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.media.color import conversion, sample_rgb
from retarget.pipeline.records import Color, PixelFormat

IDENTITY = np.array([[1, 0, 0], [0, 1, 0]], np.float64)
BT709 = Color("bt709", full_range=False)


def planes_of(color: Color, pixel_format: PixelFormat, rgb: tuple[float, float, float]) -> list[float]:
    return (conversion(color, pixel_format).from_rgb @ np.array([*rgb, 1])).tolist()


WHITE, BLACK, RED, BLUE = (1, 1, 1), (0, 0, 0), (1, 0, 0), (0, 0, 1)


@pytest.mark.parametrize(
    ("matrix", "full", "name", "rgb", "expected"),
    [
        # ITU-R BT.709-6, table 3 (8 and 10 bit), and colour bar charts
        ("bt709", False, "yuv444p", WHITE, (235, 128, 128)),
        ("bt709", False, "yuv444p", BLACK, (16, 128, 128)),
        ("bt709", False, "yuv444p", RED, (63, 102, 240)),
        ("bt709", False, "yuv444p", BLUE, (32, 240, 118)),
        ("bt709", False, "yuv444p10le", WHITE, (940, 512, 512)),
        ("bt709", False, "yuv444p10le", RED, (250, 409, 960)),
        ("bt709", True, "yuv444p", WHITE, (255, 128, 128)),
        ("bt709", True, "yuv444p10le", BLACK, (0, 512, 512)),
        # BT.601: red is 81, 90, 240; full-range (JFIF) red is 76, 85, 255 (Cr rounds to 255.5, clipped)
        ("bt601", False, "yuv444p", RED, (81, 90, 240)),
        ("bt601", False, "yuv444p", BLUE, (41, 240, 110)),
        ("bt601", True, "yuv444p", RED, (76, 85, 255.5)),
        # BT.2020: Kr 0.2627 -> 16 + 219 Kr = 73.5; 10 bit 64 + 876 Kr = 294.1
        ("bt2020", False, "yuv444p", RED, (73.5, 96.7, 240)),
        ("bt2020", False, "yuv444p10le", RED, (294, 387, 960)),
        ("bt2020", True, "yuv444p10le", WHITE, (1023, 512, 512)),
        ("rgb", True, "gbrp", RED, (0, 0, 255)),
        ("rgb", True, "gbrp10le", (0, 1, 0), (1023, 0, 0)),
        ("rgb", False, "gbrp", BLUE, (16, 235, 16)),
        ("bt709", True, "gray", WHITE, (255,)),
        ("bt709", False, "gray10le", WHITE, (940,)),
        ("bt709", False, "gray", BLACK, (16,)),
    ],
)
def test_constants_of_the_standards(
    formats: Any, matrix: Any, full: bool, name: str, rgb: Any, expected: tuple[float, ...]
) -> None:
    found = planes_of(Color(matrix, full), formats[name], rgb)
    assert found == pytest.approx(expected, abs=0.51)


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", ["yuv444p", "yuv444p10le"])
def test_to_rgb_undoes_from_rgb(formats: Any, matrix: Any, full: bool, name: str) -> None:
    both = conversion(Color(matrix, full), formats[name])
    rgb = np.random.default_rng(0).random((3, 20))
    planes = both.from_rgb @ np.vstack([rgb, np.ones(20)])
    np.testing.assert_allclose(both.to_rgb @ np.vstack([planes, np.ones(20)]), rgb, atol=1e-5)


def reference_rgb(luma: Any, blue: Any, red: Any, bits: int) -> Any:
    """BT.709 limited range by the textbook's equations, in [0, 255]."""
    unit = 2 ** (bits - 8)
    y, cb, cr = (luma / unit - 16) / 219, (blue / unit - 128) / 224, (red / unit - 128) / 224
    r, b = y + 1.5748 * cr, y + 1.8556 * cb
    g = y - 0.1873 * cb - 0.4681 * cr
    return np.clip(np.stack([r, g, b], -1), 0, 1) * 255


@pytest.mark.parametrize("name", ["yuv444p", "yuv444p10le"])
def test_identity_window_is_the_reference_conversion(make_frame: Any, formats: Any, name: str) -> None:
    unit = 2 ** (formats[name].depth_bits - 8)
    draw = [
        lambda x, y: unit * (40 + 2 * x + y),
        lambda x, _: unit * (100 + x),
        lambda _, y: unit * (160 - y),
    ]
    frame = make_frame(33, 21, name, draw)
    expected = reference_rgb(*(plane.astype(float) for plane in frame.planes), formats[name].depth_bits)
    found = sample_rgb(frame, BT709, IDENTITY, (33, 21))
    assert found.shape == (21, 33, 3)
    assert found.dtype == np.uint8
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv420p10le"])
@pytest.mark.parametrize("size", [(33, 21), (32, 20)])
def test_subsampled_chroma_lies_in_the_middle_of_its_block(
    make_frame: Any, formats: Any, name: str, size: tuple[int, int]
) -> None:
    # A chroma ramp in full-resolution coordinates: read back at each luma pixel's centre it is still that ramp.
    unit = 2 ** (formats[name].depth_bits - 8)
    draw = [unit * 120, lambda x, _: unit * (100 + 1.5 * x), lambda _, y: unit * (100 + 1.5 * y)]
    found = sample_rgb(make_frame(*size, name, draw), BT709, IDENTITY, size).astype(float)
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    expected = reference_rgb(np.full(x.shape, 120.0), 100 + 1.5 * x, 100 + 1.5 * y, 8)
    within = np.s_[2:-2, 2:-2]  # at the border the last sample repeats
    assert np.abs(found - expected)[within].max() <= 2.5


def gradient_frame(make_frame: Any, slope_x: float, slope_y: float, width: int = 80, height: int = 60) -> Any:
    return make_frame(width, height, "gbrp", lambda x, y: 20 + slope_x * x + slope_y * y)


RGB = Color("rgb", full_range=True)


@pytest.mark.parametrize(
    ("scale", "degrees"), [(1.0, 90.0), (1.7, 0.0), (2.5, 30.0), (0.7, -50.0), (0.4, 20.0), (0.13, 0.0)]
)
def test_a_window_shows_what_lies_under_it(make_frame: Any, scale: float, degrees: float) -> None:
    frame = gradient_frame(make_frame, 0.2, 0.15, 800, 600)
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    turn = np.array([[c, -s], [s, c]])
    size = (24, 20)
    matrix = np.c_[turn, np.array([12, 10]) - turn @ (400, 300)]  # the picture's middle in the window's
    found = sample_rgb(frame, RGB, matrix, size)[..., 0].astype(float)
    x, y = np.meshgrid(np.arange(24) + 0.5, np.arange(20) + 0.5)
    back = np.linalg.inv(turn)
    source = np.stack([x - 12, y - 10], -1) @ back.T + (400, 300)
    expected = 20 + 0.2 * source[..., 0] + 0.15 * source[..., 1]
    assert np.abs(found - np.clip(expected, 0, 255)).max() <= 1.01


def test_strong_shrinking_turns_a_checkerboard_gray(make_frame: Any) -> None:
    frame = make_frame(256, 256, "gbrp", lambda x, y: 255.0 * ((x // 1 + y // 1) % 2))
    for scale in (0.25, 0.2, 0.1):
        matrix = np.array([[scale, 0, 0.03], [0, scale, 0.07]])
        size = round(256 * scale) - 1
        found = sample_rgb(frame, RGB, matrix, (size, size))
        assert np.abs(found.astype(int) - 127).max() <= 3, scale


@pytest.mark.parametrize("size", [(5, 3), (7, 7), (1, 1), (2, 9)])
def test_small_odd_pictures(make_frame: Any, size: tuple[int, int]) -> None:
    frame = make_frame(*size, "yuv420p", [235, 128, 128])
    for scale in (1.0, 0.3, 4.0):
        matrix = scale * IDENTITY
        assert (sample_rgb(frame, BT709, matrix, (6, 6)) >= 254).all()


def test_gray_has_three_equal_channels(make_frame: Any) -> None:
    frame = make_frame(8, 6, "gray10le", lambda x, _: 64 + 876 * x / 8)
    found = sample_rgb(frame, Color("bt709", full_range=False), IDENTITY, (8, 6))
    assert (found[..., 0] == found[..., 2]).all()
    assert found[0, :, 1].tolist() == pytest.approx([255 * (i + 0.5) / 8 for i in range(8)], abs=1)


def test_rgb_planes_are_green_blue_red(make_frame: Any) -> None:
    found = sample_rgb(make_frame(4, 4, "gbrap", [10, 20, 30, 255]), RGB, IDENTITY, (4, 4))
    assert found[1, 1].tolist() == [30, 10, 20]


@pytest.mark.parametrize(("is_premultiplied", "shown"), [(False, [84, 76, 80]), (True, [102, 82, 92])])
def test_what_is_transparent_lies_over_gray(make_frame: Any, is_premultiplied: bool, shown: list[int]) -> None:
    frame = make_frame(4, 4, "gbrap", [10, 20, 30, 99])  # 99/255 of the picture, the rest 118
    frame = replace(frame, pixel_format=replace(frame.pixel_format, is_premultiplied=is_premultiplied))
    assert sample_rgb(frame, RGB, IDENTITY, (4, 4))[1, 1].tolist() == shown


@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize("offset", [(-500, 0), (500, 0), (0, -500), (0, 500), (500, -500)])
def test_beyond_the_picture_its_border_repeats(make_frame: Any, scale: float, offset: tuple[int, int]) -> None:
    frame = make_frame(50, 40, "gbrp", lambda x, y: np.where(x < 25, 40, 200) + np.where(y < 20, 0, 10))
    matrix = np.c_[scale * np.eye(2), np.array(offset, float)]
    found = sample_rgb(frame, RGB, matrix, (8, 8))
    if offset[0]:  # each row is one border sample; what is pushed right looks at what is left of the picture
        assert (found == found[:, :1]).all()
        assert int(found[0, 0, 0]) // 40 == (1 if offset[0] > 0 else 5)
    if offset[1]:
        assert (found == found[:1]).all()
        assert int(found[0, 0, 0]) % 20 == (0 if offset[1] > 0 else 10)


def test_a_window_across_the_border_keeps_its_scale(make_frame: Any) -> None:
    # 101 px do not divide by the block of a strong shrink: the last block must not shift what is seen.
    frame = make_frame(101, 101, "gbrp", lambda x, _: 2 * x)
    scale = 0.2
    found = sample_rgb(frame, RGB, scale * IDENTITY, (21, 21))[10, :, 0]
    assert found[:19].tolist() == pytest.approx([2 * (i + 0.5) / scale for i in range(19)], abs=1.5)

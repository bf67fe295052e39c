from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit.blend import MOTION_FLOOR_PX, blended, edited_box
from retarget.pipeline.edit.render import FaceEdit
from retarget.pipeline.media.color import LUMA_COEFFICIENTS
from retarget.pipeline.records import Box, Color

S = 64
AT_ORIGIN = np.array([[1, 0, 0], [0, 1, 0]], np.float64)


def placed(left: float, top: float, crop_per_display: float = 1.0, roll_degrees: float = 0.0) -> Any:
    """crop_from_display with the crop's upper left corner at that display point."""
    c, s = (crop_per_display * f(np.radians(-roll_degrees)) for f in (np.cos, np.sin))
    turn = np.array([[c, -s], [s, c]])
    return np.c_[turn, -turn @ (left, top)]


def edit(
    matrix: Any = AT_ORIGIN, *, shift: Any = (0, 0), residual: Any = None, inner: Box | None = None
) -> FaceEdit:
    """A constant motion of the content by `shift` crop px (and a residual) within `inner` of the crop."""
    box = inner or Box(0, 0, S, S)
    flow, painted = np.zeros((S, S, 2), np.float32), np.zeros((S, S, 3), np.float32)
    flow[box.top : box.bottom, box.left : box.right] = -np.asarray(shift, np.float32)
    if residual is not None:
        painted[box.top : box.bottom, box.left : box.right] = residual
    return FaceEdit(np.asarray(matrix, np.float64), flow, None if residual is None else painted)


def center_of(plane: Any, background: float) -> Any:
    """(x, y) centroid of what differs from the background, in the plane's corner-based pixels."""
    weight = plane.astype(float) - background
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


NAMES = [
    "yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le",
    "gray", "gray10le", "gbrp", "gbrp10le", "yuva420p", "gbrap",
]  # fmt: skip


def noise_frame(make_frame: Any, formats: Any, name: str, width: int = 130, height: int = 91) -> Any:
    rng, top = np.random.default_rng(0), 2 ** formats[name].depth_bits - 1
    draw = [lambda x, _: rng.integers(0, top + 1, x.shape)] * formats[name].plane_count
    return make_frame(width, height, name, draw)


# Identity


@pytest.mark.parametrize("name", NAMES)
def test_zero_motion_is_the_very_same_frame(make_frame: Any, make_info: Any, formats: Any, name: str) -> None:
    frame = noise_frame(make_frame, formats, name)
    info = make_info(130, 91, name)
    assert blended(frame, [], info) is frame
    assert blended(frame, [edit(placed(10, 10)), edit(placed(30, 5))], info) is frame
    below = edit(placed(10, 10), shift=(0.9 * MOTION_FLOOR_PX, 0), residual=(1e-4, 1e-4, 1e-4))
    assert blended(frame, [below], info) is frame


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("painted", [False, True])
def test_pixels_outside_the_box_are_bit_identical(
    make_frame: Any, make_info: Any, formats: Any, name: str, painted: bool
) -> None:
    frame = noise_frame(make_frame, formats, name)
    info = make_info(130, 91, name)
    wish = edit(
        placed(37.3, 21.7, 0.8, 12),
        shift=(2.5, -1.5),
        residual=(0.1, -0.1, 0.2) if painted else None,
        inner=Box(20, 15, 50, 40),
    )
    before = [plane.copy() for plane in frame.planes]
    result = blended(frame, [wish], info)
    box = edited_box(wish, info)
    assert not box.is_empty
    assert box.width < 60
    for i, (plane, old) in enumerate(zip(result.planes, before, strict=True)):
        part = box.scaled_down(*frame.pixel_format.plane_shift(i))
        outside = np.ones(plane.shape, bool)
        outside[part.top : part.bottom, part.left : part.right] = False
        np.testing.assert_array_equal(plane[outside], old[outside])
        np.testing.assert_array_equal(frame.planes[i], old)  # the input is not written to
        is_alpha = i >= frame.pixel_format.color_plane_count
        assert (result.planes[i] is frame.planes[i]) == is_alpha
        assert is_alpha or (plane != old).any()
        assert plane.dtype == old.dtype
        assert plane.max() < 2**frame.pixel_format.depth_bits


def test_the_box_covers_the_motion_and_little_more(make_info: Any) -> None:
    wish = edit(placed(40, 20), shift=(3, 0), inner=Box(10, 20, 30, 35))
    assert edited_box(wish, make_info(200, 150, "yuv444p")) == Box(49, 39, 71, 56)
    assert edited_box(wish, make_info(200, 150, "yuv420p")) == Box(48, 38, 72, 56)  # whole chroma blocks
    assert edited_box(edit(), make_info()).is_empty


def test_the_box_ends_with_the_picture(make_info: Any) -> None:
    wish = edit(placed(-20, 60), shift=(3, 0))
    assert edited_box(wish, make_info(101, 91)) == Box(0, 58, 46, 91)


@pytest.mark.parametrize("where", [(-500, 0), (500, 0), (0, -500), (0, 500)])
def test_a_face_beyond_the_picture_changes_nothing(make_frame: Any, make_info: Any, where: Any) -> None:
    frame = make_frame(64, 48)
    assert blended(frame, [edit(placed(*where), shift=(3, 0), residual=(0.5, 0.5, 0.5))], make_info()) is frame


# Motion


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p10le", "gray", "gbrp"])
@pytest.mark.parametrize("crop_per_display", [1.0, 0.5, 2.0])
def test_a_disc_moves_by_the_known_distance(
    make_frame: Any, make_info: Any, formats: Any, disc: Any, name: str, crop_per_display: float
) -> None:
    side = S / crop_per_display
    left, top = 31.0, 13.0
    middle = np.array([left + side / 2, top + side / 2])
    frame = make_frame(190, 150, name, disc(*middle, radius=side / 8))
    moved = np.array([3.0, -2.25])
    wish = edit(placed(left, top, crop_per_display), shift=moved * crop_per_display)
    result = blended(frame, [wish], make_info(190, 150, name))
    for i, plane in enumerate(result.planes):
        step = 2.0 ** np.array(formats[name].plane_shift(i))
        assert center_of(plane, 50) * step == pytest.approx(middle + moved, abs=0.12), i


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_in_turned_video_up_is_the_displays_up(make_frame: Any, make_info: Any, disc: Any, degrees: int) -> None:
    info = make_info(120, 90, "yuv420p", rotation_degrees=degrees)
    middle = np.array([info.display_width / 2, info.display_height / 2])
    at_coded = info.coded_from_display @ (*middle, 1)
    frame = make_frame(120, 90, "yuv420p", disc(*at_coded))
    result = blended(frame, [edit(placed(*(middle - S / 2)), shift=(2, -5))], info)
    expected = info.coded_from_display @ (middle[0] + 2, middle[1] - 5, 1)
    assert center_of(result.planes[0], 50) == pytest.approx(expected, abs=0.05)
    assert center_of(result.planes[2], 50) * 2 == pytest.approx(expected, abs=0.12)


def test_with_wide_pixels_a_display_pixel_is_half_a_coded_one(make_frame: Any, make_info: Any, disc: Any) -> None:
    from fractions import Fraction

    info = make_info(80, 90, "yuv444p", sample_aspect_ratio=Fraction(2))
    frame = make_frame(80, 90, "yuv444p", disc(40, 45))
    result = blended(frame, [edit(placed(80 - S / 2, 45 - S / 2), shift=(6, 4))], info)
    assert center_of(result.planes[0], 50) == pytest.approx([43, 49], abs=0.05)


def test_in_a_rolled_crop_motion_is_the_crops(make_frame: Any, make_info: Any, disc: Any) -> None:
    # The crop stands upright on a head that leans 90 degrees clockwise: its "up" is the picture's right.
    info = make_info(120, 90, "yuv444p")
    turn = placed(0, 0, 1.0, 90)[:, :2]
    matrix = np.c_[turn, np.array([S / 2, S / 2]) - turn @ (60, 45)]
    result = blended(make_frame(120, 90, "yuv444p", disc(60, 45)), [edit(matrix, shift=(0, -5))], info)
    assert center_of(result.planes[0], 50) == pytest.approx([65, 45], abs=0.05)


def test_whole_pixel_motion_copies_samples_exactly(make_frame: Any, make_info: Any, formats: Any) -> None:
    frame = noise_frame(make_frame, formats, "yuv444p10le")
    result = blended(frame, [edit(placed(30, 10), shift=(3, 2))], make_info(130, 91, "yuv444p10le"))
    inner = np.s_[30:60, 50:80]  # away from the rim, where motion fades
    for new, old in zip(result.planes, frame.planes, strict=True):
        np.testing.assert_array_equal(new[inner], old[28:58, 47:77])


@pytest.mark.parametrize("name", ["yuv444p10le", "gbrp10le", "gray10le", "yuv444p"])
def test_overshoot_at_a_hard_edge_stays_within_the_bits(
    make_frame: Any, make_info: Any, formats: Any, name: str
) -> None:
    top = 2 ** formats[name].depth_bits - 1
    frame = make_frame(100, 80, name, lambda x, _: np.where((x // 5) % 2 == 0, 0, top))
    result = blended(frame, [edit(placed(20, 8), shift=(0.5, 0))], make_info(100, 80, name))
    for plane in result.planes:
        assert plane.max() == top
        assert plane.min() == 0


def test_motion_fades_out_at_the_rim_of_the_crop(make_frame: Any, make_info: Any) -> None:
    # A ramp shows its motion as a difference: all of it in the middle, none at the crop's edge, no step between.
    frame = make_frame(130, 100, "gray10le", lambda x, _: 200 + 4 * x)
    result = blended(frame, [edit(placed(30, 20), shift=(2, 0))], make_info(130, 100, "gray10le"))
    change = frame.planes[0].astype(int)[52] - result.planes[0].astype(int)[52]
    assert change[62] == 8
    assert change[30] <= 2
    assert change[93] <= 2
    assert np.abs(np.diff(change)).max() <= 4


def test_two_faces_are_both_edited(make_frame: Any, make_info: Any, disc: Any) -> None:
    def two(x: Any, y: Any) -> Any:
        return np.maximum(disc(45, 45)(x, y), disc(145, 45)(x, y))

    frame = make_frame(200, 90, "yuv444p", two)
    edits = [
        edit(placed(45 - S / 2, 45 - S / 2), shift=(3, 0)),
        edit(placed(145 - S / 2, 45 - S / 2), shift=(0, 4)),
    ]
    plane = blended(frame, edits, make_info(200, 90, "yuv444p")).planes[0]
    assert center_of(plane[:, :100], 50) == pytest.approx([48, 45], abs=0.05)
    assert center_of(plane[:, 100:], 50) == pytest.approx([45, 49], abs=0.05)


# Paint


@pytest.mark.parametrize(("name", "unit"), [("yuv420p", 1), ("yuv422p10le", 4)])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_a_known_colour_changes_the_planes_by_the_matrix(
    make_frame: Any, make_info: Any, name: str, unit: int, matrix: Any
) -> None:
    frame = make_frame(100, 80, name, [100 * unit, 128 * unit, 128 * unit])
    info = make_info(100, 80, name, color=Color(matrix, full_range=False))
    rgb = np.array([0.2, -0.1, 0.15])
    result = blended(frame, [edit(placed(20, 8), residual=rgb)], info)
    kr, kb = LUMA_COEFFICIENTS[matrix]
    luma = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
    expected = [219 * luma, 224 * (rgb[2] - luma) / (2 - 2 * kb), 224 * (rgb[0] - luma) / (2 - 2 * kr)]
    for plane, base, change in zip(result.planes, (100, 128, 128), expected, strict=True):
        middle = plane[plane.shape[0] // 2, plane.shape[1] // 2]
        assert float(middle) == pytest.approx((base + change) * unit, abs=0.51)


def test_paint_adds_to_rgb_and_gray_planes(make_frame: Any, make_info: Any) -> None:
    frame = make_frame(100, 80, "gbrap", [50, 60, 70, 80])
    wish = edit(placed(20, 8), residual=(0.2, 0.1, -0.1))
    result = blended(frame, [wish], make_info(100, 80, "gbrap"))
    assert [int(plane[40, 50]) for plane in result.planes] == [76, 34, 121, 80]  # 0.1 * 255 rounds with .5 added
    gray = blended(
        make_frame(100, 80, "gray", 50),
        [edit(placed(20, 8), residual=(0.2,) * 3)],
        make_info(100, 80, "gray", color=Color("bt709", full_range=True)),
    )
    assert gray.planes[0][40, 50] == 101


def test_paint_is_clipped_to_the_bits(make_frame: Any, make_info: Any) -> None:
    frame = make_frame(100, 80, "yuv444p10le", [1000, 512, 512])
    for amount, limit in ((1.0, 1023), (-3.0, 0)):
        result = blended(frame, [edit(placed(20, 8), residual=(amount,) * 3)], make_info(100, 80, "yuv444p10le"))
        assert result.planes[0][40, 50] == limit


def test_paint_without_motion_keeps_the_grain(make_frame: Any, make_info: Any, formats: Any) -> None:
    frame = make_frame(100, 80, "gray10le", lambda x, y: 400 + 100 * ((x // 1 + y // 1) % 2))
    info = make_info(100, 80, "gray10le", color=Color("bt709", full_range=True))
    result = blended(frame, [edit(placed(20, 8), residual=(0.1,) * 3)], info)
    change = result.planes[0].astype(int) - frame.planes[0]
    assert (change[20:60, 35:65] == 102).all()


def test_the_edit_lies_where_the_crop_lies_to_a_fraction_of_a_pixel(make_frame: Any, make_info: Any) -> None:
    # A painted soft spot's centroid, at crops coarser and finer than the plate, wherever the crop begins.
    y, x = np.mgrid[:S, :S] + 0.5
    spot = 0.8 * np.exp(-((x - 30) ** 2 + (y - 34) ** 2) / 50).astype(np.float32)
    for scale, left in ((0.5, 20.25), (1.0, 30.5), (2.0, 40.75)):
        info = make_info(200, 160, "gray10le", color=Color("bt709", full_range=True))
        matrix = placed(left, 11.5, scale)
        wish = FaceEdit(matrix, np.zeros((S, S, 2), np.float32), np.repeat(spot[..., None], 3, 2))
        result = blended(make_frame(200, 160, "gray10le", 0), [wish], info)
        expected = (left + 30 / scale, 11.5 + 34 / scale)
        assert center_of(result.planes[0], 0) == pytest.approx(expected, abs=0.03)

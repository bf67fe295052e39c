import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.records import (
    Box,
    ExpressionSeries,
    Face,
    Frame,
    PixelFormat,
    Target,
)

C = action_units.COUNT


# Box


def test_box_sides_and_emptiness() -> None:
    box = Box(2, 3, 12, 8)
    assert (box.width, box.height, box.is_empty) == (10, 5, False)
    assert Box(5, 5, 5, 9).is_empty
    assert Box(5, 9, 8, 5).is_empty


def test_box_clipped_keeps_the_part_inside() -> None:
    assert Box(-3, 2, 40, 50).clipped(32, 24) == Box(0, 2, 32, 24)
    assert Box(40, 2, 50, 9).clipped(32, 24).is_empty


def test_box_aligned_grows_outwards_to_the_grid() -> None:
    assert Box(3, 5, 6, 8).aligned(2, 4) == Box(2, 4, 6, 8)
    assert Box(-3, -5, 1, 1).aligned(2, 2) == Box(-4, -6, 2, 2)


def test_box_scaled_down_rounds_outwards() -> None:
    assert Box(3, 4, 7, 9).scaled_down(1, 0) == Box(1, 4, 4, 9)
    assert Box(3, 4, 7, 9).scaled_down(1, 1) == Box(1, 2, 4, 5)


# PixelFormat


def test_odd_sizes_have_chroma_for_their_last_pixel(formats: dict[str, PixelFormat]) -> None:
    assert [formats["yuv420p"].plane_size(i, 5, 3) for i in range(3)] == [(5, 3), (3, 2), (3, 2)]
    assert formats["yuv422p"].plane_size(1, 5, 3) == (3, 3)
    assert formats["yuva420p"].plane_size(3, 5, 3) == (5, 3)  # alpha is never subsampled


@pytest.mark.parametrize(
    ("name", "planes", "colors", "dtype"),
    [("yuv420p", 3, 3, "u1"), ("yuva420p", 4, 3, "u1"), ("gray10le", 1, 1, "u2"), ("gbrap", 4, 3, "u1")],
)
def test_plane_counts(formats: dict[str, PixelFormat], name: str, planes: int, colors: int, dtype: str) -> None:
    found = formats[name]
    assert (found.plane_count, found.color_plane_count, found.dtype) == (planes, colors, np.dtype(dtype))


# VideoInfo


def through(matrix: Any, x: float, y: float) -> list[float]:
    return (matrix @ (x, y, 1)).tolist()


@pytest.mark.parametrize(
    ("degrees", "display", "top_left_is_coded", "right_of_it_is_coded"),
    [
        # a 40x30 coded picture; where the display's corner (0, 0), and (10, 0), are in it
        (0, (40, 30), (0, 0), (10, 0)),
        (90, (30, 40), (0, 30), (0, 20)),  # turned clockwise, the lower left corner comes to the upper left
        (180, (40, 30), (40, 30), (30, 30)),
        (270, (30, 40), (40, 0), (40, 10)),
    ],
)
def test_coded_from_display_turns(
    make_info: Any,
    degrees: int,
    display: tuple[int, int],
    top_left_is_coded: tuple[int, int],
    right_of_it_is_coded: tuple[int, int],
) -> None:
    info = make_info(40, 30, rotation_degrees=degrees)
    assert (info.display_width, info.display_height) == display
    assert through(info.coded_from_display, 0, 0) == pytest.approx(top_left_is_coded)
    assert through(info.coded_from_display, 10, 0) == pytest.approx(right_of_it_is_coded)


@pytest.mark.parametrize(
    ("degrees", "display", "display_point", "coded_point"),
    [
        # 40x30 with pixels twice as wide as high: shown 80x30
        (0, (80, 30), (20, 6), (10, 6)),
        (90, (30, 80), (24, 20), (10, 6)),
        (180, (80, 30), (60, 24), (10, 6)),
        (270, (30, 80), (6, 60), (10, 6)),
    ],
)
def test_coded_from_display_squares_pixels(
    make_info: Any,
    degrees: int,
    display: tuple[int, int],
    display_point: tuple[int, int],
    coded_point: tuple[int, int],
) -> None:
    info = make_info(40, 30, rotation_degrees=degrees, sample_aspect_ratio=Fraction(2))
    assert (info.display_width, info.display_height) == display
    assert through(info.coded_from_display, *display_point) == pytest.approx(coded_point)
    assert through(info.display_from_coded, *coded_point) == pytest.approx(display_point)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_display_covers_the_coded_picture_whatever_the_aspect(make_info: Any, degrees: int) -> None:
    info = make_info(720, 576, rotation_degrees=degrees, sample_aspect_ratio=Fraction(16, 15))
    corners = [
        through(info.coded_from_display, x, y) for x in (0, info.display_width) for y in (0, info.display_height)
    ]
    assert sorted(tuple(np.round(c, 6)) for c in corners) == [(0, 0), (0, 576), (720, 0), (720, 576)]


# Frame


def test_frame_tells_its_size_and_time(make_frame: Any) -> None:
    frame = dataclasses.replace(make_frame(6, 4), index=2, pts=1001, time_base=Fraction(1, 24000))
    assert (frame.width, frame.height, frame.seconds) == (6, 4, pytest.approx(1001 / 24000))
    assert repr(frame) == "Frame(2, pts=1001, 6x4 yuv420p)"


def test_frame_needs_every_plane(make_frame: Any) -> None:
    frame = make_frame(6, 4)
    with pytest.raises(ValueError, match="yuv420p has 3 planes, got 2"):
        frame.with_planes(frame.planes[:2])


def test_frame_refuses_a_plane_of_another_size(make_frame: Any) -> None:
    frame = make_frame(6, 4)
    with pytest.raises(ValueError, match=r"plane 1 of yuv420p is uint8 \(6, 4\), expected uint8 \(3, 2\)"):
        frame.with_planes([frame.planes[0]] * 3)


def test_frame_refuses_a_plane_of_another_type(make_frame: Any) -> None:
    frame = make_frame(6, 4)
    with pytest.raises(ValueError, match=r"plane 0 of yuv420p is uint16 .* expected uint8"):
        frame.with_planes([p.astype(np.uint16) for p in frame.planes])


def test_with_planes_keeps_the_moment_and_frames_compare_by_identity(make_frame: Any) -> None:
    frame = make_frame(6, 4, index=7)
    other = frame.with_planes(frame.planes)
    assert (other.index, other.pts, other.time_base) == (7, 7, frame.time_base)
    assert other != frame


# Face


def face(**fields: Any) -> Face:
    values = {
        "face_id": 0,
        "landmarks": np.zeros((478, 3), np.float32),
        "action_units": np.zeros(C, np.float32),
        "rotation": np.eye(3, dtype=np.float32),
    }
    return Face(**(values | fields))


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [("landmarks", (468, 3), "(478, 3)"), ("action_units", (17,), f"({C},)"), ("rotation", (4, 4), "(3, 3)")],
)
def test_face_refuses_other_shapes(name: str, shape: tuple[int, ...], expected: str) -> None:
    with pytest.raises(ValueError, match=name) as refusal:
        face(**{name: np.zeros(shape, np.float32)})
    assert str(refusal.value) == f"Face.{name} has shape {shape}, expected {expected}"


def test_face_size_and_center_come_from_the_landmarks_box() -> None:
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = (50, 60)
    points[0, :2], points[1, :2] = (40, 50), (60, 90)
    found = face(landmarks=points, face_id=3, confidence=0.5)
    assert (found.size_px, found.center) == (40, (50, 70))
    assert repr(found) == "Face(id=3, 40 px at (50, 70), conf=0.50)"


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (-40, 0), (0, 20), (0, -25), (20, 0)])
def test_angles_are_those_planted(rotation_of: Any, yaw: float, pitch: float) -> None:
    found = face(rotation=rotation_of(yaw, pitch).astype(np.float32))
    assert found.yaw_degrees == pytest.approx(yaw, abs=1e-3)
    assert found.pitch_degrees == pytest.approx(pitch, abs=1e-3)


def test_positive_yaw_has_the_nose_on_the_right_and_positive_pitch_below(place_face: Any) -> None:
    nose, ears = 1, [234, 454]
    level = place_face(yaw=0)[nose] - place_face(yaw=0)[ears].mean(0)
    turned = place_face(yaw=25)[nose] - place_face(yaw=25)[ears].mean(0)
    nodded = place_face(pitch=25)[nose] - place_face(pitch=25)[ears].mean(0)
    assert turned[0] > level[0] + 10
    assert nodded[1] > level[1] + 10


# Target, ExpressionSeries


def test_target_needs_three_arrays_of_one_shape() -> None:
    good = np.zeros((2, C), np.float32)
    Target(good, good, good.astype(bool))
    with pytest.raises(ValueError, match=rf"Target needs three \(N, {C}\) arrays"):
        Target(good, good[:1], good.astype(bool))
    with pytest.raises(ValueError, match=r"got \[\(2, 17\)\]"):
        Target(good[:, :17], good[:, :17], good[:, :17].astype(bool))


def series(seconds: list[float], n: int) -> ExpressionSeries:
    return ExpressionSeries(
        np.array(seconds), np.zeros((n, C), np.float32), np.ones(C, bool), np.ones(n, np.float32)
    )


def test_series_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=rf"ExpressionSeries of 2 moments has values \(3, {C}\)"):
        series([0, 1], 3)


@pytest.mark.parametrize("seconds", [[], [0, 0], [1, 0.5]])
def test_series_needs_increasing_moments(seconds: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one moment and strictly increasing"):
        series(seconds, len(seconds))


def test_records_that_cross_stages_are_frozen(make_frame: Any) -> None:
    frame: Frame = make_frame()
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.index = 1  # type: ignore[misc]

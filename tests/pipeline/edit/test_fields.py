"""Fields of the crop at native pixels."""

from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit.fields import across_jumps, crop_from_part, in_planes, on_part
from retarget.pipeline.edit.torn import JUMP_PX
from retarget.pipeline.records import Box, Color

SAME = np.array([[1.0, 0, 0], [0, 1, 0]])


def ramp(size: int = 16) -> Any:
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    return (2 * x + y).astype(np.float32)


def test_a_field_is_looked_up_between_its_pixels() -> None:
    half, part = np.array([[0.5, 0, 0], [0, 0.5, 0]]), Box(8, 8, 24, 24)  # a plane twice as large
    seen = on_part(ramp(), part, crop_from_part(half, (0, 0), part))
    x, y = np.meshgrid(np.arange(8, 24) + 0.5, np.arange(8, 24) + 0.5)
    np.testing.assert_allclose(seen, x + y / 2, atol=0.05)


def test_beyond_the_crop_there_is_nothing() -> None:
    part = Box(30, 30, 34, 34)
    assert on_part(ramp(), part, crop_from_part(SAME, (0, 0), part)).max() == 0


def test_a_subsampled_plane_has_larger_pixels() -> None:
    # the first pixel of the part has its centre at x = 2 * 3.5, y = 4.5, which cv2 counts as 6.5 and 4
    np.testing.assert_allclose(crop_from_part(SAME, (1, 0), Box(3, 4, 9, 9)), [[2, 0, 6.5], [0, 1, 4]])


def test_a_tear_stays_a_tear() -> None:
    field = np.zeros((16, 16), np.float32)
    field[8:] = 4 * JUMP_PX
    part = Box(0, 0, 64, 64)
    quarter = crop_from_part(np.array([[0.25, 0, 0], [0, 0.25, 0]]), (0, 0), part)
    torn, smooth = across_jumps(field, part, quarter), on_part(field, part, quarter)
    assert ((smooth > JUMP_PX) & (smooth < 3 * JUMP_PX)).any()
    assert not ((torn > JUMP_PX) & (torn < 3 * JUMP_PX)).any()


@pytest.mark.parametrize("name", ["yuv420p10le", "gbrp", "gray"])
def test_a_difference_of_grays_is_one_of_luma_alone(formats: Any, name: str) -> None:
    pixel_format = formats[name]
    color = Color("rgb" if pixel_format.family == "rgb" else "bt709", full_range=pixel_format.family == "rgb")
    planes = in_planes(np.full((4, 4, 3), 0.1, np.float32), pixel_format, color)
    assert len(planes) == pixel_format.color_plane_count
    span = {"yuv": 219 * 4, "rgb": 255, "gray": 219}[pixel_format.family]
    np.testing.assert_allclose(planes[0], 0.1 * span, rtol=1e-3)
    for plane in planes[1:]:
        np.testing.assert_allclose(plane, 0.1 * span if pixel_format.family == "rgb" else 0, atol=1e-3)

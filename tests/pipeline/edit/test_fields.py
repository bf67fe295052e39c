"""Fields of the crop at native pixels."""

from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit.fields import JUMP_PX, across_jumps, has_jumps, in_planes, on_part, on_plane
from retarget.pipeline.records import Box, Color

SAME = np.array([[1.0, 0, 0], [0, 1, 0]])


def ramp(size: int = 16) -> Any:
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    return (2 * x + y).astype(np.float32)


def test_a_field_is_looked_up_between_its_pixels() -> None:
    half = np.array([[0.5, 0, 0], [0, 0.5, 0]])  # a plane twice as large
    seen = on_part(ramp(), Box(8, 8, 24, 24), half)
    x, y = np.meshgrid(np.arange(8, 24) + 0.5, np.arange(8, 24) + 0.5)
    np.testing.assert_allclose(seen, x + y / 2, atol=0.05)


def test_beyond_the_crop_there_is_nothing() -> None:
    assert on_part(ramp(), Box(30, 30, 34, 34), SAME).max() == 0


def test_a_subsampled_plane_has_larger_pixels() -> None:
    np.testing.assert_allclose(on_plane(SAME, (1, 0)), [[2, 0, 0], [0, 1, 0]])


def test_a_tear_stays_a_tear() -> None:
    field = np.zeros((16, 16), np.float32)
    field[8:] = 4 * JUMP_PX
    double = np.array([[0.25, 0, 0], [0, 0.25, 0]])
    torn = across_jumps(field, Box(0, 0, 64, 64), double)
    smooth = on_part(field, Box(0, 0, 64, 64), double)
    assert ((smooth > JUMP_PX) & (smooth < 3 * JUMP_PX)).any()
    assert not ((torn > JUMP_PX) & (torn < 3 * JUMP_PX)).any()
    assert has_jumps(np.stack([field, field], -1))
    assert not has_jumps(np.stack([ramp(), ramp()], -1) / 8)


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

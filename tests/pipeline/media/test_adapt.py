"""Small pictures in other formats, colours and sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retarget.pipeline.media.adapt import adapted
from retarget.pipeline.media.color import conversion, sample_rgb
from retarget.pipeline.records import Color, Frame

BT601, BT709, FULL_RGB = Color("bt601", False), Color("bt709", False), Color("rgb", True)
IDENTITY = np.array([[1, 0, 0], [0, 1, 0]], np.float64)


def flat(make_frame: Any, name: str, color: Color, rgb: tuple[float, float, float], **size: int) -> Frame:
    """A picture of one colour."""
    made = make_frame(format_name=name, draw=100, **size)
    values = conversion(color, made.pixel_format).from_rgb @ np.array([*rgb, 1])
    drawn: Frame = make_frame(format_name=name, draw=[*values.tolist(), 7][: len(made.planes)], **size)
    return drawn


@pytest.mark.parametrize(
    ("source", "theirs", "target", "ours"),
    [
        ("yuv420p", BT601, "yuv422p10le", BT709),
        ("gbrp", FULL_RGB, "yuv420p", BT709),
        ("yuva420p", BT709, "yuv444p", Color("bt709", True)),
        ("yuv444p10le", BT709, "gbrap", FULL_RGB),
        ("yuv420p", BT709, "yuv420p", BT601),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (33, 21)])
def test_a_colour_stays_what_it_is(
    make_frame: Any, formats: Any, source: str, theirs: Color, target: str, ours: Color, size: tuple[int, int]
) -> None:
    rgb = (0.7, 0.45, 0.3)
    frame = flat(make_frame, source, theirs, rgb, width=size[0], height=size[1])
    planes = adapted(frame.planes, (frame.pixel_format, theirs), (formats[target], ours), size)
    made = Frame(0, 0, frame.time_base, planes, formats[target])
    assert (made.width, made.height) == size
    seen = sample_rgb(made, ours, IDENTITY, size) / 255
    np.testing.assert_allclose(seen, np.broadcast_to(rgb, seen.shape), atol=2 / 255)
    if formats[target].has_alpha:
        assert planes[-1].min() == 255


def test_white_of_8_bits_is_white_of_10(make_frame: Any, formats: Any) -> None:
    frame = make_frame(format_name="yuv420p", draw=[235, 128, 128])
    both = (formats["yuv420p"], BT709), (formats["yuv420p10le"], BT709)
    planes = adapted(frame.planes, *both, (64, 48))
    assert [int(plane.flat[0]) for plane in planes] == [940, 512, 512]
    assert all(plane.dtype == np.uint16 for plane in planes)


def test_places_stay(make_frame: Any, formats: Any, disc: Any) -> None:
    """A disc keeps its middle when it is shrunk, and in chroma as in luma."""
    draw = disc(40, 20, 8)
    frame = make_frame(format_name="yuv444p", draw=[draw, draw, 128])
    both = (formats["yuv444p"], BT709), (formats["yuv420p"], BT709)
    planes = adapted(frame.planes, *both, (32, 24))
    for plane, step in zip(planes[:2], (2, 4), strict=True):
        weight = np.abs(plane.astype(float) - float(plane[0, 0]))
        y, x = (np.mgrid[: plane.shape[0], : plane.shape[1]] + 0.5) * step
        assert (weight * x).sum() / weight.sum() == pytest.approx(40, abs=0.15)
        assert (weight * y).sum() / weight.sum() == pytest.approx(20, abs=0.15)


def test_fine_stripes_are_averaged(make_frame: Any, formats: Any) -> None:
    frame = make_frame(format_name="gray", draw=lambda x, _: 100 + 100 * (np.floor(x) % 2))
    both = (formats["gray"], Color("bt709", True)), (formats["gray"], Color("bt709", True))
    (plane,) = adapted(frame.planes, *both, (32, 24))
    assert plane.min() == plane.max() == 150

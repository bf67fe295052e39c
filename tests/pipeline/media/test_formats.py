"""Which planar pixel format holds what FFmpeg gives, without a loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retarget.pipeline.media.formats import planar_format
from retarget.pipeline.media.reader import open_video

from .conftest import (
    make_clip,
    noise,
    noise_picture,
    unpacked,
)


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


@pytest.mark.parametrize("name", ["gbrpf32le", "bayer_rggb8", "xyz12le", "grayf32le"])
def test_unsupported_pixel_format(name: str) -> None:
    with pytest.raises(ValueError, match=f"pixel format {name} is not supported"):
        planar_format(name)

"""What colour tags mean, and that they come through."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.records import Color

from .conftest import (
    make_clip,
    noise_picture,
    rewrite,
    tag,
)


@pytest.mark.parametrize(
    ("codec", "suffix", "name", "color"),
    [
        ("libx264", ".mp4", "yuv420p", Color("bt709", False, 1, 1, 1, 1)),
        ("libx264", ".mp4", "yuv420p", Color("bt601", False, 1, 6, 6, 6)),
        ("libx265", ".mp4", "yuv420p10le", Color("bt2020", False, 1, 9, 9, 16)),
        ("libx264", ".mkv", "yuv420p", Color("bt709", True, 2, 1, 1, 1)),
    ],
)
def test_colour_tags_come_through(tmp_path: Path, codec: str, suffix: str, name: str, color: Color) -> None:
    path = make_clip(
        tmp_path / f"a{suffix}", codec=codec, name=name, setup=tag(color), count=4, picture=noise_picture,
        options={"x265-params": "log-level=none"} if codec == "libx265" else {},
    )  # fmt: skip
    assert open_video(path).info.color == color
    for option, end in (("hevc" if codec == "libx265" else "h264", ".mp4"), ("ffv1", ".mkv")):
        rewrite(path, tmp_path / f"out{end}", EncodeOptions(codec=option))
        assert open_video(tmp_path / f"out{end}").info.color == color


@pytest.mark.parametrize(("size", "matrix"), [((64, 48), "bt601"), ((64, 720), "bt709"), ((1280, 16), "bt709")])
def test_untagged_matrix_is_guessed_by_size(tmp_path: Path, size: tuple[int, int], matrix: str) -> None:
    path = make_clip(tmp_path / "a.mp4", size=size, count=1)
    color = open_video(path).info.color
    assert (color.matrix, color.full_range, color.tag_matrix) == (matrix, False, 2)

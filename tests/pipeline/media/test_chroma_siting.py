"""Chroma siting, as encoders write it and as it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video

from .conftest import make_clip, rewrite


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(
    ("codec", "name", "options"),
    [
        ("libx264", "yuv420p", {}),
        ("libx264", "yuv420p10le", {"x264-params": "cqm=jvt"}),  # with scaling lists
        ("libx265", "yuv420p10le", {"x265-params": "log-level=none"}),
        ("libx265", "yuv420p", {"x265-params": "log-level=none:scaling-list=default:ref=4"}),
    ],
)
def test_siting_is_read(tmp_path: Path, codec: str, name: str, options: dict[str, str], suffix: str) -> None:
    for siting in ("topleft", "center"):
        options = {**options, "chroma_sample_location": siting}
        path = make_clip(tmp_path / f"{siting}{suffix}", codec=codec, name=name, options=options, size=(128, 96))
        assert open_video(path).info.chroma_siting == siting
    assert open_video(make_clip(tmp_path / f"none{suffix}", codec="libx264", count=1)).info.chroma_siting in (
        "",
        "left",
    )


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_siting_is_kept(tmp_path: Path, codec: str) -> None:
    path = make_clip(tmp_path / "a.mp4", count=2, options={"chroma_sample_location": "topleft"})
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions(codec)) == []
    assert open_video(tmp_path / "b.mp4").info.chroma_siting == "topleft"

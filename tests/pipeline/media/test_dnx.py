"""DNxHD and DNxHR."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from retarget.pipeline.media.dnx import is_interlaced, settings_for
from retarget.pipeline.media.formats import planar_format
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.records import Color, VideoInfo

from .conftest import make_clip, rewrite

INFO = VideoInfo(
    Path("a.mov"), 1920, 1080, planar_format("yuv422p"), "yuv422p", Color("bt709", False), Fraction(1, 25),
    Fraction(25), 0.0, 1.0, 25,
)  # fmt: skip


def test_profiles() -> None:
    assert settings_for(INFO, "yuv422p10le", None) == {"profile": "dnxhr_hqx"}
    assert settings_for(INFO, "gbrp10le", None) == {"profile": "dnxhr_444"}
    fields = replace(INFO, field_order="tt")
    assert settings_for(fields, "yuv422p", None) == {"profile": "dnxhd", "b": "185M"}
    ntsc = replace(fields, frame_rate=Fraction(30000, 1001))
    assert settings_for(ntsc, "yuv422p", None) == {"profile": "dnxhd", "b": "220M"}
    assert settings_for(fields, "yuv422p", "dnxhr_sq") == {"profile": "dnxhr_sq"}
    assert settings_for(replace(fields, width=1280, height=720), "yuv422p", None) == {"profile": "dnxhr_hq"}
    assert [is_interlaced({"profile": name}) for name in ("dnxhd", "dnxhr_hq")] == [True, False]


@pytest.mark.parametrize("name", ["b.mov", "b.mxf"])
@pytest.mark.parametrize(
    ("source", "profile", "wanted"),
    [
        ("yuv422p10le", "dnxhr_hqx", "yuv422p10le"),
        ("yuv422p10le", None, "yuv422p10le"),
        ("yuv420p", None, "yuv422p"),
        ("yuv444p10le", "dnxhr_sq", "yuv422p"),
    ],
)
def test_profiles_open(tmp_path: Path, name: str, source: str, profile: str | None, wanted: str) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", name=source, size=(256, 144), count=2)
    rewrite(path, tmp_path / name, EncodeOptions("dnxhd", profile=profile))
    info = open_video(tmp_path / name).info
    assert (info.codec_name, info.native_format_name) == ("dnxhd", wanted)


def test_a_source_in_it_stays_in_it(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mov",
        codec="dnxhd",
        name="yuv422p",
        size=(256, 144),
        count=2,
        options={"profile": "dnxhr_hq"},
    )
    for name, codec in (("b.mov", "dnxhd"), ("b.mxf", "dnxhd"), ("b.mkv", "h264"), ("b.mp4", "h264")):
        rewrite(path, tmp_path / name, EncodeOptions())
        assert open_video(tmp_path / name).info.codec_name == codec

"""Title, language, chapters and timecode of the source are those of the output."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from retarget.pipeline.media.options import EncodeOptions

from .conftest import (
    make_clip,
    rewrite,
)


def test_description_is_kept(tmp_path: Path) -> None:
    def setup(out: Any, stream: Any) -> None:
        out.metadata["title"] = "Take 3"
        stream.metadata["language"] = "deu"
        out.set_chapters(
            [
                {"id": i, "start": i * 250, "end": i * 250 + 250, "time_base": Fraction(1, 1000),
                 "metadata": {"title": f"part {i}"}} for i in range(2)
            ]
        )  # fmt: skip

    path = make_clip(tmp_path / "a.mp4", setup=setup, audio=["aac"])
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions()) == []
    rewrite(path, tmp_path / "c.mkv", EncodeOptions())
    rewrite(path, tmp_path / "d.mkv", EncodeOptions(), trim_start=0.25)
    for name, starts in (("b.mp4", [0, 0.25]), ("c.mkv", [0, 0.25]), ("d.mkv", [0])):
        with av.open(str(tmp_path / name)) as out:
            assert out.metadata.get("title", out.metadata.get("TITLE")) == "Take 3"
            assert out.streams.video[0].language == "deu" or name.endswith(".mp4")
            assert out.streams.video[0].disposition == 1
            found = [float(c["start"] * c["time_base"]) for c in out.chapters()]
            assert found == pytest.approx(starts, abs=0.001)


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_timecode_is_kept_and_the_rate_stays(tmp_path: Path, suffix: str) -> None:
    def setup(_: Any, stream: Any) -> None:
        stream.metadata["timecode"] = "01:00:00:00"

    pts = [1001 * i for i in range(12)]
    rate = Fraction(24000, 1001)
    path = make_clip(tmp_path / "a.mov", setup=setup, time_base=Fraction(1, 24000), rate=rate, pts=pts)
    assert rewrite(path, tmp_path / f"b{suffix}", EncodeOptions()) == []
    rewrite(path, tmp_path / f"c{suffix}", EncodeOptions(), trim_start=5 * 1001 / 24000)
    for name, expected in (("b", "01:00:00:00"), ("c", "01:00:00:05")):
        with av.open(str(tmp_path / f"{name}{suffix}")) as out:
            metadata = {k.lower(): v for k, v in (out.metadata | out.streams.video[0].metadata).items()}
            assert metadata["timecode"] == expected
            assert float(out.streams.video[0].average_rate) == pytest.approx(24000 / 1001, abs=0.02)

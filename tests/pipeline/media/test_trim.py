"""The part of a source that is kept: its frames, its sound, its numbers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from retarget.pipeline.errors import OptionError, VideoOpenError
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.media.writer import create_video

from .conftest import (
    FILM,
    make_clip,
    make_picture,
    packets_of,
    rewrite,
    times,
)


def test_trim_keeps_the_frames_of_the_range(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", pts=[50 + i for i in range(24)])
    with open_video(path) as video:
        everything = list(video)
    with open_video(path, trim_start=0.25, trim_end=0.5) as video:
        kept = list(video)
    assert times(kept) == times(everything)[6:12]
    assert [f.index for f in kept] == list(range(6))
    assert video.info.frame_count_from_header == 6
    assert video.info.duration_seconds_from_header == pytest.approx(0.25)
    np.testing.assert_array_equal(kept[0].planes[0], everything[6].planes[0])
    with open_video(path, trim_start=0.416667, trim_end=11 / 24) as video:
        assert times(video) == times(everything)[10:11]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_seeking_gives_the_very_frames_that_decoding_gives(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = make_clip(
        tmp_path / f"a{suffix}", codec=codec, count=144, size=(48, 32), options={"g": "30", "bf": "2"}
    )
    with open_video(path) as video:
        everything = [(t, p) for t, p in ((f.pts, f.planes[0].copy()) for f in video)]
    for start in (99, 113, 120, 121):
        with open_video(path, trim_start=start / 24) as video:
            kept = [(f.pts, f.planes[0].copy()) for f in video]
        assert [t for t, _ in kept] == [t for t, _ in everything[start:]]
        np.testing.assert_array_equal(kept[0][1], everything[start][1])
        np.testing.assert_array_equal(kept[-1][1], everything[-1][1])


def test_trim_moves_picture_and_sound_together(tmp_path: Path) -> None:
    pts = [2400 + i * 1000 for i in range(12)]
    path = make_clip(tmp_path / "a.mp4", pts=pts, time_base=Fraction(1, 24000), audio=["aac"], subtitle=True)
    rewrite(path, tmp_path / "b.mp4", EncodeOptions(), trim_start=0.25, trim_end=0.45)
    with open_video(tmp_path / "b.mp4") as video:
        assert times(video) == [Fraction(1, 10) + i * FILM for i in range(5)]
    all_sound = {data: pts for data, pts, _ in packets_of(path, "audio")}
    sound = packets_of(tmp_path / "b.mp4", "audio")
    assert 8 <= len(sound) <= 10  # 0.2 s of 1024 samples at 48 kHz
    assert all(all_sound[data] - pts == Fraction(1, 4) for data, pts, _ in sound)
    lines = packets_of(tmp_path / "b.mp4", "subtitle")
    assert [pts for data, pts, _ in lines if b"there" in data] == [Fraction(1, 10)]


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.5), (1.0, 1.0), (-1.0, None), (None, 0.0)])
def test_senseless_trim(tmp_path: Path, start: float | None, end: float | None) -> None:
    with pytest.raises(OptionError, match=r"is empty; the end must lie after|is before the first frame"):
        open_video(tmp_path / "a.mp4", trim_start=start, trim_end=end)


def test_trim_beyond_the_end(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    with pytest.raises(VideoOpenError, match=r"no frame between 9 s and its end; it lasts 0\.5 s"):
        open_video(path, trim_start=9)


def test_trimmed_sequence_keeps_its_numbers(tmp_path: Path) -> None:
    for number in range(10, 16):
        make_picture(tmp_path / f"in.{number:04d}.png", "rgb24", number)
    source = tmp_path / "in.%04d.png"
    with open_video(source, trim_start=0.2, trim_end=0.4, sequence_rate=Fraction(10)) as video:
        assert [f.pts for f in video] == [2, 3]
        with create_video(tmp_path / "out.%04d.png", like=video, options=EncodeOptions()) as out:
            for frame in video:
                out.write(frame)
    assert sorted(p.name for p in tmp_path.glob("out.*")) == ["out.0012.png", "out.0013.png"]


@pytest.mark.parametrize("time", [float("nan"), float("inf")])
def test_a_time_that_is_none(tmp_path: Path, time: float) -> None:
    path = make_clip(tmp_path / "a.mp4")
    for how in ({"trim_start": time}, {"trim_end": time}):
        with pytest.raises(OptionError, match="makes no sense; give seconds"):
            open_video(path, **how)

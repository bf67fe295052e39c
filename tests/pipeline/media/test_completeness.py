"""Films that were cut off, and films that are whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from retarget.pipeline.media.reader import open_video

from .conftest import make_clip


def cut_off(path: Path, share: float) -> Path:
    data = path.read_bytes()
    cut = path.with_name(f"cut{path.suffix}")
    cut.write_bytes(data[: int(len(data) * share)])
    return cut


def noisy(path: Path, **values: Any) -> Path:
    from .conftest import noise_picture

    values = {"codec": "libx264", "size": (128, 96), "count": 48, "picture": noise_picture, **values}
    return make_clip(path, **values)


def first_to_last(source: Path, target: Path) -> Path:
    """The same with its header first."""
    with av.open(str(source)) as film, av.open(str(target), "w", options={"movflags": "+faststart"}) as out:
        copy = out.add_stream_from_template(film.streams.video[0], opaque=True)
        for packet in film.demux():
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    return target


def test_a_whole_film_lacks_nothing(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mov", ".mkv", ".ts", ".avi", ".mxf"):
        codec = "mpeg2video" if suffix == ".mxf" else "libx264"
        path = noisy(tmp_path / f"a{suffix}", count=12, codec=codec, audio=[] if suffix == ".mxf" else ["aac"])
        video = open_video(path)
        assert len(list(video)) == 12
        assert video.shortfall is None, suffix


def test_a_last_picture_that_is_shown_for_long_is_none_that_is_missing(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", pts=[0, 2000, 4000], time_base=Fraction(1, 1000))
    video = open_video(path)
    list(video)
    assert video.shortfall is None


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".webm"])
def test_a_film_that_was_cut_off(tmp_path: Path, suffix: str) -> None:
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    path = noisy(
        tmp_path / f"a{suffix}", codec=codec, options={"crf": "30", "b": "0"} if suffix == ".webm" else None
    )
    if suffix == ".mp4":
        path = first_to_last(path, tmp_path / "fast.mp4")
    video = open_video(cut_off(path, 0.5))
    found = len(list(video))
    assert found < 40
    assert video.shortfall is not None
    assert abs(video.shortfall.missing_frames - (48 - found)) <= 2
    assert video.shortfall.promised_seconds == pytest.approx(2, abs=0.05)
    assert "frames are missing at its end; it promises 2" in str(video.shortfall)


def test_what_lies_behind_the_trim_is_not_missed(tmp_path: Path) -> None:
    path = cut_off(noisy(tmp_path / "a.mkv"), 0.5)
    for end, is_short in ((0.3, False), (1.9, True)):
        video = open_video(path, trim_end=end)
        list(video)
        assert (video.shortfall is not None) == is_short


def test_sound_that_goes_on_longer_is_no_promise(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", count=6, audio=["aac"])  # 0.25 s of picture, 0.6 s of sound
    with av.open(str(path)) as film, av.open(str(tmp_path / "b.flv"), "w") as out:
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in film.streams}
        for packet in film.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
    video = open_video(tmp_path / "b.flv")
    list(video)
    assert video.shortfall is None

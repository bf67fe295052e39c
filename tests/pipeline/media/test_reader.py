"""Frames of films, stills and sequences, as often as asked; and sources that are refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.errors import OptionError, VideoOpenError, VideoReadError
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.media.writer import create_video

from .conftest import (
    FFV1,
    FILM,
    damaged,
    make_clip,
    make_picture,
    make_sound,
    noise,
    noise_picture,
    times,
)


def test_planes_are_read_only_views_of_the_right_size(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(101, 67), count=2, picture=noise_picture)
    with open_video(path) as video:
        frames = list(video)
    expected = noise(101, 67, "yuv420p", 1)
    assert [plane.shape for plane in frames[1].planes] == [(67, 101), (34, 51), (34, 51)]
    for plane, own in zip(frames[1].planes, expected.planes, strict=True):
        rows = np.frombuffer(own, np.uint8).reshape(-1, own.line_size)[:, : own.width]
        np.testing.assert_array_equal(plane, rows)
        assert not plane.flags.writeable
    assert [frame.index for frame in frames] == [0, 1]


def test_reader_can_be_iterated_again(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    with open_video(path) as video:
        first, second = list(video), list(video)
        partly = list(itertools.islice(video, 3))
        third = list(video)
    assert times(first) == times(second) == times(third)
    assert len(first) == 12
    assert len(partly) == 3
    np.testing.assert_array_equal(first[5].planes[0], third[5].planes[0])


def test_still_into_video(tmp_path: Path) -> None:
    picture = make_picture(tmp_path / "a.png", "rgb24")
    with open_video(picture, still_seconds=0.5, still_rate=Fraction(24)) as video:
        frames = list(video)
    assert video.info.is_still
    assert times(frames) == [i * FILM for i in range(12)]
    with open_video(picture) as video:
        assert len(list(video)) == 1
    with (
        open_video(picture, still_seconds=0.2) as video,
        create_video(tmp_path / "b.mkv", like=video, options=FFV1) as out,
    ):
        for frame in video:
            out.write(frame)
    with open_video(tmp_path / "b.mkv") as again:
        written = list(again)
    assert len(written) == 5
    for p, q in zip(frames[0].planes, written[4].planes, strict=True):
        np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("option", ["sequence_rate", "still_rate", "still_seconds"])
def test_senseless_rates(tmp_path: Path, option: str) -> None:
    with pytest.raises(OptionError, match=f"{option} is 0; it must be above 0"):
        open_video(tmp_path / "a.mp4", **{option: 0})  # type: ignore[arg-type]


def test_sequence_with_a_change_of_size(tmp_path: Path) -> None:
    make_picture(tmp_path / "in.1.png", "rgb24")
    make_picture(tmp_path / "in.2.png", "rgb24", size=(32, 48))
    with (
        open_video(tmp_path / "in.%d.png") as video,
        pytest.raises(VideoReadError, match="changes from 64x48 to 32x48 at frame 1; split it"),
    ):
        list(video)


def test_sequence_with_a_broken_picture(tmp_path: Path) -> None:
    make_picture(tmp_path / "in.1.png", "rgb24")
    (tmp_path / "in.2.png").write_bytes((tmp_path / "in.1.png").read_bytes()[:60])
    with (
        open_video(tmp_path / "in.%d.png") as video,
        pytest.raises(VideoReadError, match=r"in\.2\.png: .*(cannot be decoded|cannot be read)"),
    ):
        list(video)


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as out:
        make_sound(out, out.add_stream("aac", rate=48000), seconds=0.2, hertz=440)


def _headless(path: Path) -> None:
    whole = make_clip(path.with_name("whole.mp4"))
    path.write_bytes(whole.read_bytes()[:200])


def _undecodable(path: Path) -> None:
    whole = make_clip(path.with_name("whole.mkv"), codec="mjpeg", name="yuvj420p", count=3)
    damaged(whole, path, [0, 1, 2], "whole")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.mp4", lambda _: None, "no such file; check the path"),
        ("folder", lambda p: p.mkdir(), r"is a folder; .*folder/name\.%04d\.png"),
        ("a.mp4", lambda p: p.write_bytes(b""), r"is empty \(0 bytes\)"),
        ("a.mp4", lambda p: p.write_text("hello there\n" * 50), "not a video or picture that can be read"),
        ("a.txt", lambda p: p.write_text("hello there\n" * 50), "is no film or picture of a kind that is read"),
        (
            "a.mp4",
            lambda p: p.write_bytes(np.random.default_rng(0).bytes(5000)),
            "not a video or picture|no video",
        ),
        ("a.m4a", _sound_only, "has no video stream"),
        ("a.mp4", _headless, "not a video or picture that can be read"),
        ("a.mkv", _undecodable, "nothing in it can be decoded"),
        ("a.%04d.png", lambda _: None, "no file matches this pattern"),
    ],
)
def test_bad_sources(
    tmp_path: Path, name: str, make: Callable[[Path], Any], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    make(path)
    capfd.readouterr()
    with pytest.raises(VideoOpenError, match=message) as caught:
        open_video(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert isinstance(caught.value, OSError)
    assert capfd.readouterr() == ("", "")

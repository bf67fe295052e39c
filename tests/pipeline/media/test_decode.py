"""Every picture at its place in time, whatever of it is damaged."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.media import decode
from retarget.pipeline.media.reader import open_video

from .conftest import (
    damaged,
    make_clip,
    noise_picture,
    times,
)


@pytest.mark.parametrize(
    ("codec", "suffix", "name"),
    [("libvpx-vp9", ".webm", "yuv420p"), ("mpeg4", ".avi", "yuv420p"), ("mjpeg", ".mkv", "yuvj420p")],
)
def test_other_codecs_are_read(tmp_path: Path, codec: str, suffix: str, name: str) -> None:
    path = make_clip(tmp_path / f"a{suffix}", codec=codec, name=name, options={"deadline": "realtime"})
    with open_video(path) as video:
        frames = list(video)
    assert len(frames) == 12
    assert video.decode_failures == 0
    assert video.info.pixel_format.name == "yuv420p"
    assert video.info.color.full_range == (codec == "mjpeg")
    assert all(b > a for a, b in itertools.pairwise(times(frames)))


def test_missing_pts_is_derived(tmp_path: Path) -> None:
    """A bare H.264 stream has no times at all."""
    path = make_clip(tmp_path / "a.h264", options={"bf": "2"})
    with open_video(path) as video:
        frames = list(video)
    assert len(frames) == 12
    steps = {b - a for a, b in itertools.pairwise(times(frames))}
    assert len(steps) == 1
    assert steps == {Fraction(1, 24)}


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes decoders work in one thread, as on a machine with one core."""
    main_video = decode.main_video

    def alone(container: Any, path: Path) -> Any:
        stream = main_video(container, path)
        stream.codec_context.thread_count = 1
        return stream

    return lambda: monkeypatch.setattr(decode, "main_video", alone)


@pytest.mark.parametrize("threads", ["one", "many"])
@pytest.mark.parametrize("how", ["half", "whole"])
@pytest.mark.parametrize("victims", [[0], [10, 11], [40], [58, 59]])
def test_damaged_pictures_keep_their_place(
    tmp_path: Path, one_thread: Callable[[], None], how: str, victims: list[int], threads: str
) -> None:
    path = make_clip(tmp_path / "a.mp4", count=60, options={"g": "12", "bf": "2"}, picture=noise_picture)
    broken = damaged(path, tmp_path / "b.mp4", victims, how)
    if threads == "one":
        one_thread()
    # FFmpeg's H.264 threads may hand on a picture before they note that the second half of it was made up.
    least = 0 if (how, threads) == ("half", "many") else 1
    with open_video(path) as video:
        expected = times(video)
        assert video.decode_failures == 0
    with open_video(broken) as video:
        frames = list(video)
        assert times(frames) == expected
        assert video.decode_failures >= least
        assert video.decode_failures == sum(f.is_corrupt for f in frames)
        assert len(list(video)) == 60
    assert video.decode_failures < 30


def test_lost_picture_shows_the_previous_good_one(tmp_path: Path) -> None:
    """MJPEG pictures stand alone, so exactly one is lost."""
    path = make_clip(tmp_path / "a.mkv", codec="mjpeg", name="yuvj420p", count=8, picture=noise_picture)
    broken = damaged(path, tmp_path / "b.mkv", [5], "whole")
    with open_video(path) as video, open_video(broken) as other:
        good, bad = list(video), list(other)
    assert times(bad) == times(good)
    assert [f.index for f in bad if f.is_corrupt] == [5]
    assert other.decode_failures == 1
    np.testing.assert_array_equal(bad[5].planes[0], good[4].planes[0])
    np.testing.assert_array_equal(bad[6].planes[0], good[6].planes[0])


def test_lost_first_picture_shows_the_next(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="mjpeg", name="yuvj420p", count=4, picture=noise_picture)
    broken = damaged(path, tmp_path / "b.mkv", [0], "whole")
    with open_video(path) as video, open_video(broken) as other:
        good, bad = list(video), list(other)
    assert times(bad) == times(good)
    assert [f.is_corrupt for f in bad] == [True, False, False, False]
    np.testing.assert_array_equal(bad[0].planes[0], good[1].planes[0])


def test_truncated_file_ends_where_its_packets_end(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", count=30, picture=noise_picture)
    short = tmp_path / "b.mkv"
    short.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with open_video(path) as video, open_video(short) as other:
        whole, part = times(video), times(other)
    assert 10 < len(part) < 30
    assert part == whole[: len(part)]


def test_healthy_streams_with_hidden_pictures_gain_nothing(tmp_path: Path) -> None:
    """VP8 stores pictures that are never shown as packets of their own."""
    path = make_clip(
        tmp_path / "a.webm", codec="libvpx", count=40,
        options={"auto-alt-ref": "1", "lag-in-frames": "16", "g": "30"},
    )  # fmt: skip
    with open_video(path) as video:
        frames = list(video)
    assert len(frames) == 40
    assert video.decode_failures == 0


def test_hidden_pictures_stay_hidden_after_an_error(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.webm", codec="libvpx", count=60, picture=noise_picture,
        options={"auto-alt-ref": "1", "lag-in-frames": "16", "g": "15"},
    )  # fmt: skip
    broken = damaged(path, tmp_path / "b.webm", [5], "whole")
    with open_video(path) as video, open_video(broken) as other:
        whole, part = times(video), times(other)
    assert len(whole) == 60
    assert set(whole) <= set(part)
    assert len(part) <= 62  # near the damage, a hidden picture cannot be told from a lost one

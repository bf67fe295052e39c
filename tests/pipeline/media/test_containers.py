"""Containers that are opened, and the list of those that are written."""

from __future__ import annotations

from pathlib import Path

import av
import av.logging
import pytest
from av.error import FFmpegError

from retarget.pipeline.errors import VideoOpenError
from retarget.pipeline.files import suffixes
from retarget.pipeline.media.containers import MUXER_BY_SUFFIX, main_video, open_container, reason

from .conftest import make_clip, make_picture


def test_every_film_that_is_written_has_a_muxer() -> None:
    assert set(MUXER_BY_SUFFIX) == set(suffixes.FILM_OUTPUTS)


def test_ffmpeg_is_silent() -> None:
    assert av.logging.get_level() is None


@pytest.mark.parametrize("name", ["a:b.mp4", "100%d.png", "a b ü.mp4"])
def test_names_that_mean_something_to_ffmpeg(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make = make_picture(tmp_path / "x.png", "rgb24") if name.endswith(".png") else make_clip(tmp_path / "x.mp4")
    make.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with open_container(Path(name)) as container:
        assert main_video(container, Path(name)).width == 64


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    picture = make_picture(tmp_path / "cover.png", "rgb24")
    with av.open(str(tmp_path / "a.mp4"), "w") as out, av.open(str(picture)) as cover:
        stream = out.add_stream_from_template(cover.streams.video[0], opaque=True)
        stream.disposition = 1024
        for packet in cover.demux():
            if packet.size:
                packet.pts = packet.dts = 0
                packet.stream = stream
                out.mux(packet)
    with (
        open_container(tmp_path / "a.mp4") as container,
        pytest.raises(VideoOpenError, match="has no video stream"),
    ):
        main_video(container, tmp_path / "a.mp4")


def test_a_reason_is_one_line() -> None:
    assert reason(ValueError("two\n lines")) == "two lines"
    assert reason(ValueError()) == "ValueError"
    assert reason(FFmpegError(1, "no such thing")) == "no such thing"


def with_cover_first(path: Path, folder: Path, *, film_frames: int) -> Path:
    """A picture as an ordinary video that is marked as the default, before the film."""
    film = make_clip(folder / "film.mp4", count=film_frames, size=(32, 32))
    picture = make_clip(folder / "cover.mkv", codec="mjpeg", name="yuvj420p", count=1)
    with av.open(str(path), "w") as out, av.open(str(picture)) as cover, av.open(str(film)) as moving:
        copies = [out.add_stream_from_template(one.streams.video[0], opaque=True) for one in (cover, moving)]
        copies[0].disposition, copies[1].disposition = 1, 0
        for copy, one in zip(copies, (cover, moving), strict=True):
            for packet in one.demux():
                if packet.size:
                    packet.pts, packet.dts = packet.pts or 0, packet.dts or 0
                    packet.stream = copy
                    out.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_single_picture_is_not_the_film(tmp_path: Path, suffix: str) -> None:
    path = with_cover_first(tmp_path / f"a{suffix}", tmp_path, film_frames=5)
    with open_container(path) as container:
        assert (main_video(container, path).index, main_video(container, path).width) == (1, 32)


def test_of_two_single_pictures_the_marked_one_counts(tmp_path: Path) -> None:
    path = with_cover_first(tmp_path / "a.mkv", tmp_path, film_frames=1)
    with open_container(path) as container:
        assert main_video(container, path).index == 0

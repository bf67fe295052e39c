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

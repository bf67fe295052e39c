"""What is copied beside the video: sound, subtitles, covers, attachments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from retarget.pipeline.media.options import EncodeOptions

from .conftest import (
    FFV1,
    make_clip,
    make_picture,
    packets_of,
    rewrite,
)


def test_sound_and_subtitles_are_copied_packet_by_packet(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", audio=["aac", "aac"], subtitle=True)
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions()) == []
    for kind, index in (("audio", 0), ("audio", 1), ("subtitle", 0)):
        before, after = packets_of(path, kind, index), packets_of(tmp_path / "b.mp4", kind, index)
        assert before == after
        assert len(before) >= 2
    assert packets_of(path, "audio", 0) != packets_of(path, "audio", 1)


def test_packets_keep_in_step_with_the_video(tmp_path: Path) -> None:
    """In the file, sound lies near the pictures it belongs to (nothing was held back to the end)."""
    path = make_clip(tmp_path / "a.mkv", audio=["aac"])
    rewrite(path, tmp_path / "b.mkv", FFV1)
    with av.open(str(tmp_path / "b.mkv")) as container:
        order = [p.stream.type for p in container.demux() if p.size]
    assert "audio" in order[:4]
    assert "video" in order[-25:]


def test_streams_that_do_not_fit_are_noted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", audio=["aac"], subtitle=True)
    notes = rewrite(path, tmp_path / "b.mkv", EncodeOptions())
    assert notes.pop() == "sound begins 0.021 s before 0, which .mkv cannot hold: all starts later by that"
    assert notes == ["subtitle stream 2 (mov_text) left out: matroska cannot hold it"]
    assert len(packets_of(tmp_path / "b.mkv", "audio")) == len(packets_of(path, "audio"))


def test_what_quicktime_cannot_hold_is_noted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", audio=["flac"])
    notes = rewrite(path, tmp_path / "b.mov", EncodeOptions("prores"))
    assert notes == ["audio stream 1 (flac) left out: mov cannot hold it"]
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions()) == []


def test_second_video_is_noted_and_cover_picture_kept(tmp_path: Path) -> None:
    def setup(out: Any, _: Any) -> None:
        with av.open(str(make_picture(tmp_path / "cover.png", "rgb24"))) as cover:
            for disposition in (0, 1024):
                stream = out.add_stream_from_template(cover.streams.video[0], opaque=True)
                stream.disposition = disposition
            out.start_encoding()
            (packet,) = [p for p in cover.demux() if p.size]
            for stream in out.streams.video[1:]:
                packet.pts = packet.dts = 0
                packet.stream = stream
                out.mux(packet)

    path = make_clip(tmp_path / "a.mp4", setup=setup, size=(128, 96))
    notes = rewrite(path, tmp_path / "b.mp4", EncodeOptions())
    assert notes == ["video stream 1 (png) left out: only the first video is written"]
    with av.open(str(tmp_path / "b.mp4")) as out:
        assert [int(s.disposition) & 1024 for s in out.streams.video] == [0, 1024]
        (packet,) = [p for p in out.demux(out.streams.video[1]) if p.size]
        assert bytes(packet) == (tmp_path / "cover.png").read_bytes()


def test_attachments_are_kept(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mkv",
        setup=lambda out, _: out.add_attachment("notes.txt", "text/plain", b"remember"),
    )
    assert rewrite(path, tmp_path / "b.mkv") == []
    with av.open(str(tmp_path / "b.mkv")) as out:
        assert [(a.name, a.data) for a in out.streams.attachments] == [("notes.txt", b"remember")]

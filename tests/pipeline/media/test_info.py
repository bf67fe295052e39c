"""What a file says of itself."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from retarget.pipeline.errors import VideoOpenError
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video

from .conftest import (
    FILM,
    make_clip,
    rewrite,
)


def test_info_describes_the_file(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", audio=["aac"])
    info = open_video(path).info
    assert (info.width, info.height, info.codec_name, info.audio_streams) == (64, 48, "h264", 1)
    assert info.pixel_format.name == info.native_format_name == "yuv420p"
    assert (info.frame_rate, info.time_base, info.frame_count_from_header) == (24, FILM, 12)
    assert info.duration_seconds_from_header == pytest.approx(0.5)
    assert not info.is_still


def test_float_picture_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    context = av.CodecContext.create("exr", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 16, 16, "gbrpf32le", FILM
    frame = av.VideoFrame(16, 16, "gbrpf32le")
    for plane in frame.planes:
        np.frombuffer(plane, np.uint8)[:] = 0
    frame.pts = 0
    path.write_bytes(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]))
    with pytest.raises(VideoOpenError, match="gbrpf32le is not supported; convert it"):
        open_video(path)


@pytest.mark.parametrize(("suffix", "start", "is_free"), [
    (".ts", 36000, True), (".ts", 1.5, True), (".mkv", 36000, True), (".mp4", 0.5, False)
])  # fmt: skip
def test_a_clock_that_runs_freely_begins_at_0_in_the_output(
    tmp_path: Path, suffix: str, start: float, is_free: bool
) -> None:
    rate, base = Fraction(25), Fraction(1, 90000)
    pts = [round((start + i / 25) / base) for i in range(12)]
    path = make_clip(tmp_path / f"a{suffix}", pts=pts, time_base=base, rate=rate, size=(128, 96))
    info = open_video(path).info
    assert (info.origin_seconds > 0) == is_free
    assert info.start_seconds >= start - 0.01
    rewrite(path, tmp_path / "b.mp4", EncodeOptions())
    found = [frame.seconds for frame in open_video(tmp_path / "b.mp4")]
    begin = 0 if is_free else start
    np.testing.assert_allclose(found, [begin + i / 25 for i in range(12)], atol=0.002)
    with av.open(str(tmp_path / "b.mp4")) as out:
        assert out.duration / 1e6 < begin + 0.6


def test_sound_stays_with_its_picture(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", audio=["aac"])
    with (
        av.open(str(path)) as film,
        av.open(str(tmp_path / "b.ts"), "w", options={"output_ts_offset": "5000"}) as out,
    ):
        copies = [out.add_stream_from_template(stream, opaque=True) for stream in film.streams]
        for packet in film.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
    with av.open(str(tmp_path / "b.ts")) as shifted:
        before = [float(s.start_time * s.time_base) for s in shifted.streams]
    rewrite(tmp_path / "b.ts", tmp_path / "c.mp4", EncodeOptions())
    with av.open(str(tmp_path / "c.mp4")) as out:
        after = [float(s.start_time * s.time_base) for s in out.streams]
    assert min(before) > 4999
    assert min(after) < 0.1
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], abs=0.002)

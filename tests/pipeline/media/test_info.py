"""What a file says of itself."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from retarget.pipeline.errors import VideoOpenError
from retarget.pipeline.media.reader import open_video

from .conftest import (
    FILM,
    make_clip,
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

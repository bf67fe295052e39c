"""The last packets of an encoder."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video

from .conftest import (
    make_clip,
    rewrite,
    times,
)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_very_short_clips(tmp_path: Path, count: int, codec: str) -> None:
    path = make_clip(tmp_path / "a.mp4", count=count, pts=[5 + 3 * i for i in range(count)])
    rewrite(path, tmp_path / "b.mp4", EncodeOptions(codec))
    with open_video(path) as video, open_video(tmp_path / "b.mp4") as written:
        assert times(written) == times(video)
        assert len(times(written)) == count

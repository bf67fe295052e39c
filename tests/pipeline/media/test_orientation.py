"""All eight ways a picture can lie in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.media.convert import proxy
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.orientation import matrix_of
from retarget.pipeline.media.reader import open_video

from .conftest import BLUE, GREEN, RED, WHITE, corner_colors, corners, make_clip, rewrite


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_every_orientation_is_shown_upright_and_written_back(
    tmp_path: Path, degrees: int, is_mirrored: bool, suffix: str
) -> None:
    matrix = matrix_of(degrees, is_mirrored=is_mirrored)

    def picture(width: int, height: int, index: int, name: str) -> av.VideoFrame:
        upright = (height, width) if degrees in (90, 270) else (width, height)
        shown = corners(*upright, index, "rgb24").to_ndarray()
        coded = np.rot90(shown[:, ::-1] if is_mirrored else shown, degrees // 90)
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(coded), "rgb24").reformat(format=name)

    def setup(_: Any, stream: Any) -> None:
        stream.set_display_matrix(matrix)

    path = make_clip(
        tmp_path / f"a{suffix}", codec="libx264", name="yuv444p", count=1, picture=picture, setup=setup,
        options={"crf": "1"},
    )  # fmt: skip
    video = open_video(path)
    info, frame = video.info, next(iter(video))
    assert (info.rotation_degrees, info.is_mirrored) == (degrees, is_mirrored)
    assert corner_colors(proxy(frame, info, 64)) == [RED, GREEN, BLUE, WHITE]
    for x, y in ((4, 4), (20, 9)):  # display to coded and back
        coded = info.coded_from_display @ (x, y, 1)
        np.testing.assert_allclose(info.display_from_coded @ (*coded, 1), (x, y), atol=1e-9)
        assert 0 <= coded[0] <= info.width and 0 <= coded[1] <= info.height  # noqa: PT018
    assert rewrite(path, tmp_path / f"b{suffix}", EncodeOptions()) == []
    assert open_video(tmp_path / f"b{suffix}").info.display_matrix == info.display_matrix

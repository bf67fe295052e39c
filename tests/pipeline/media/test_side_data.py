"""What hangs on pictures, where it may be looked at."""

from __future__ import annotations

from pathlib import Path

from av.sidedata.sidedata import Type

from retarget.pipeline.media.decode import Decoding
from retarget.pipeline.media.side_data import side_data_of

from .conftest import make_clip, make_picture


def test_by_kind(tmp_path: Path) -> None:
    decoding = Decoding(make_clip(tmp_path / "a.mp4", count=1))
    native = next(decoding.pictures()).native
    assert b"x264" in side_data_of(native, "h264")[Type.SEI_UNREGISTERED]
    decoding.close()


def test_that_of_png_is_left_alone(tmp_path: Path) -> None:
    """PyAV frees the dictionary of a PNG's colour profile twice."""
    decoding = Decoding(make_picture(tmp_path / "a.png", "rgb24"))
    assert side_data_of(next(decoding.pictures()).native, "png") == {}
    decoding.close()

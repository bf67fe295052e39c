"""Shots in plain values."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from retarget.pipeline.editorial.shot import TimelineShot, as_file_name


def test_names_of_clips_as_names_of_files() -> None:
    assert as_file_name(" a/b:c.MOV") == "a_b_c"
    assert as_file_name("...") == "shot"


@pytest.mark.parametrize(
    ("frame", "rate", "timecode"),
    [
        (864048, Fraction(24), "10:00:02:00"),
        (864048, Fraction(24000, 1001), "10:00:02:00"),
        (1800, Fraction(30000, 1001), "00:01:00;02"),
        (1800, Fraction(30), "00:01:00:00"),
    ],
)
def test_where_a_shot_begins_on_the_timeline(frame: int, rate: Fraction, timecode: str) -> None:
    shot = TimelineShot(
        number=1, name="a", clip_name="a", track="V", media=Path("a.mov"), rate=Fraction(24), start_frame=0,
        frame_count=10, record_frame=frame, record_rate=rate,
    )  # fmt: skip
    assert shot.record_timecode == timecode

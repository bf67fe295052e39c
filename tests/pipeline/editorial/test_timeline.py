"""Timecode in the words of a timeline."""

from __future__ import annotations

from fractions import Fraction

import pytest

from retarget.pipeline.editorial.timeline import TimelineError, frames_of_timecode

NTSC = Fraction(30000, 1001)


def test_frames_of_timecode() -> None:
    assert frames_of_timecode("01:00:00:00", Fraction(24000, 1001)) == 86400
    assert frames_of_timecode("00:01:00;02", NTSC) == 1800
    assert frames_of_timecode("00:00:01:00", Fraction(2997, 100)) == 30
    with pytest.raises(TimelineError, match=r"'00:00:00:24' is no timecode at 24 frames per second; write it as"):
        frames_of_timecode("00:00:00:24", Fraction(24))

"""Trimming: which part of a source is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from ..errors import OptionError
from ..records import VideoInfo

TOLERANCE_SECONDS = Fraction(1, 2000)
"""What Matroska rounds times by: a trim point of 113/24 s still hits frame 113, stored as 4.708 s."""
SEEK_WORTH_SECONDS = 4.0
"""Below this start, decoding from the beginning is as quick as seeking."""


@dataclass(frozen=True)
class Trim:
    """The frames that are kept: those with `start_seconds <= seconds from the first frame < end_seconds`."""

    start_seconds: Fraction | None
    """None: from the first frame."""
    end_seconds: Fraction | None
    """None: to the last frame."""

    @property
    def is_whole(self) -> bool:
        """Whether all is kept."""
        return self.start_seconds is None and self.end_seconds is None

    def has_begun(self, seconds: Fraction) -> bool:
        """Whether a frame so many seconds from the first does not lie before what is kept."""
        return self.start_seconds is None or seconds + TOLERANCE_SECONDS >= self.start_seconds

    def is_over(self, seconds: Fraction) -> bool:
        """Whether a frame so many seconds from the first lies behind what is kept."""
        return self.end_seconds is not None and seconds + TOLERANCE_SECONDS >= self.end_seconds

    def __str__(self) -> str:
        return f"{_shown(self.start_seconds, 'its start')} and {_shown(self.end_seconds, 'its end')}"


@dataclass(frozen=True)
class Span:
    """What part of a source is kept, in absolute presentation time of that source."""

    start_seconds: Fraction | None
    """Packets before are left out; None: all."""
    end_seconds: Fraction | None
    """Packets from here on are left out; None: all."""
    cut_seconds: Fraction
    """Length of what is left out at the front: the first kept frame moves to the source's start by that."""
    origin_seconds: Fraction = Fraction(0)
    """Where the source's clock begins, if that is not 0: the output's begins at 0."""

    @property
    def shift_seconds(self) -> Fraction:
        """Subtracted from every time."""
        return self.cut_seconds + self.origin_seconds


WHOLE_SPAN = Span(None, None, Fraction(0))


def checked_trim(start: float | None, end: float | None) -> Trim:
    """The trim of two times in seconds. Raises OptionError if nothing could lie between them."""
    if not all(time is None or math.isfinite(time) for time in (start, end)):
        raise OptionError(f"trim from {start} to {end} makes no sense; give seconds")
    if start is not None and start < 0:
        raise OptionError(f"trim start {start:g} s is before the first frame; give 0 or more")
    if end is not None and end <= (start or 0):
        span = f"{start or 0:g} to {end:g} s"
        raise OptionError(f"trim from {span} is empty; the end must lie after the start")
    return Trim(None if start is None else Fraction(start), None if end is None else Fraction(end))


def trimmed_info(info: VideoInfo, trim: Trim) -> VideoInfo:
    """The info with the expected length of the kept part; what is not known stays 0."""
    whole = info.duration_seconds_from_header
    if whole == 0 or trim.is_whole:
        return info
    seconds = max(0.0, min(whole, float(trim.end_seconds or whole)) - float(trim.start_seconds or 0))
    return replace(
        info,
        duration_seconds_from_header=seconds,
        frame_count_from_header=round(info.frame_count_from_header * seconds / whole),
    )


def _shown(seconds: Fraction | None, otherwise: str) -> str:
    return otherwise if seconds is None else f"{float(seconds):g} s"

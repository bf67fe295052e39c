"""Time as editors write it: seconds, frames and SMPTE timecode at a frame rate, and the rate itself."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

USUAL_RATES = tuple(
    Fraction(*rate)
    for rate in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1))
)
"""The frame rates that timecode is used at."""

DROP_RATES = (Fraction(30000, 1001), Fraction(60000, 1001))
"""Those at which timecode may leave numbers out (drop-frame) to keep up with the clock."""

_SECONDS = re.compile(r"([-+]?(?:\d{1,9}\.?\d{0,20}|\.\d{1,20})(?:[eE][-+]?0?\d)?)\s*(s|ms)?$")
_FRAMES = re.compile(r"([-+]?\d{1,9})\s*f$")
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d(?:\.\d+)?)$")
_TIMECODE = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d)([:;])(\d{2,3})$")
_FOUND_TIMECODE = re.compile(r"(\d{1,2})[:;](\d{1,2})[:;](\d{1,2})([:;.,])(\d{1,3})\s*$", re.ASCII)
_RATE = re.compile(r"(\d{1,4}(\.\d{1,6})?([eE]\d)?|\d{1,7}/[1-9]\d{0,6})$")

TIME_FORMS = "write seconds (1.5), frames (36f), HH:MM:SS:FF or HH:MM:SS.mmm"
"""The advice for text that is no time."""


def seconds_of(time: float | str, frame_rate: Fraction) -> float:
    """Seconds from 1.5, "1.5s", "500ms", "36f", "00:00:01.500", "00:00:01:12", or drop-frame "00:01:00;02".

    Raises:
        ValueError: none of these, a frame that does not exist, or drop-frame at a rate that has none.
    """
    text = str(time).strip()
    if text[:1] in ("-", "+") and (_CLOCK.match(text[1:]) or _TIMECODE.match(text[1:])):
        return seconds_of(text[1:], frame_rate) * (-1 if text[0] == "-" else 1)
    if match := _SECONDS.match(text):
        return float(match[1]) * (1e-3 if match[2] == "ms" else 1.0)
    if match := _FRAMES.match(text):
        return float(int(match[1]) / frame_rate)
    if match := _CLOCK.match(text):
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    if _TIMECODE.match(text):
        return float(Timecode.read(text, frame_rate).frames / frame_rate)
    raise ValueError(f"{text!r} is no time; {TIME_FORMS}")


def counts_frames(time: float | str) -> bool:
    """Whether a time is said in frames or timecode, so that what it means depends on the frame rate."""
    text = str(time).strip()
    return bool(_FRAMES.match(text) or _TIMECODE.match(text.lstrip("+-")))


def rate_of(written: float | str) -> Fraction:
    """Frames per second from 24, 29.97 (meaning 30000/1001, as 23.976 and 59.94 do) or "30000/1001".

    Raises:
        ValueError: not a rate above 0 and up to 1000.
    """
    text = str(written).strip()
    rate = Fraction(text) if _RATE.match(text) else Fraction(0)
    if not 0 < rate <= 1000:
        raise ValueError(f"frame rate {written!r} makes no sense; write 24, 23.976 or 24000/1001")
    slowed = Fraction(math.ceil(rate) * 1000, 1001)
    return slowed if rate.denominator != 1 and abs(rate - slowed) < Fraction(5, 1000) else rate


def usual_rate(rate: Fraction) -> Fraction:
    """The rate that timecode counts at: a header's 23.98 or 2997/100 is one of the usual ones, another stays."""
    nearest = min(USUAL_RATES, key=lambda usual: abs(usual - rate))
    return nearest if abs(nearest - rate) <= Fraction(1, 200) else rate


def has_drop_frame(rate: Fraction) -> bool:
    """Whether timecode at this rate may be drop-frame: 29.97 and 59.94."""
    return usual_rate(rate) in DROP_RATES


def numbers_per_second(rate: Fraction) -> int:
    """How many frame numbers a second of timecode has: 24 at 23.976, 30 at 29.97 and at 30."""
    return max(1, math.floor(rate + Fraction(1, 2)))


@dataclass(frozen=True)
class Timecode:
    """A frame as editors number it (SMPTE ST 12-1); `str` writes it, from 00:00:00:00 again after a day."""

    frames: int
    """After 00:00:00:00."""
    rate: Fraction
    """Frames per second."""
    is_drop: bool = False
    """Drop-frame: each minute but every tenth leaves out its first numbers, 2 at 29.97, 4 at 59.94."""

    @classmethod
    def read(cls, text: str, rate: Fraction) -> Timecode:
        """From "01:00:00:00"; a ";", "." or "," before the frames means drop-frame.

        Raises:
            ValueError: no timecode, a frame that does not exist, or drop-frame at a rate that has none.
        """
        match = _FOUND_TIMECODE.match(text)
        if match is None or int(match[2]) > 59 or int(match[3]) > 59:
            raise ValueError(f"{text!r} is no timecode; write it as 01:00:00:00")
        minutes, seconds, frame, is_drop = int(match[2]), int(match[3]), int(match[5]), match[4] != ":"
        if frame >= numbers_per_second(rate):
            raise ValueError(f"frame {frame} does not exist at {float(rate):.6g} frames per second")
        if is_drop and not has_drop_frame(rate):
            raise ValueError("';' is drop-frame timecode, which only 29.97 and 59.94 have; write ':'")
        if is_drop and frame < _dropped_numbers(rate) and seconds == 0 and minutes % 10:
            raise ValueError(f"drop-frame timecode has no frame {frame} at the start of minute {minutes}")
        return cls._at(int(match[1]), minutes, seconds, frame, rate=rate, is_drop=is_drop)

    @classmethod
    def _at(cls, hours: int, minutes: int, seconds: int, frame: int, *, rate: Fraction, is_drop: bool) -> Timecode:
        if is_drop:
            frames = _per_drop_frame(rate) * _dropped_start(hours, minutes, seconds) + frame
        else:
            frames = ((hours * 60 + minutes) * 60 + seconds) * numbers_per_second(rate) + frame
        return cls(frames, rate, is_drop)

    def __add__(self, frames: int) -> Timecode:
        """That many frames later."""
        return Timecode(self.frames + frames, self.rate, self.is_drop)

    def __str__(self) -> str:
        if self.is_drop:
            return _dropped_text(self.frames, _per_drop_frame(self.rate))
        total_seconds, frame = divmod(self.frames, numbers_per_second(self.rate))
        minutes, seconds = divmod(total_seconds, 60)
        return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}:{seconds:02d}:{frame:02d}"


def advance_timecode(timecode: str, frames: int, rate: Fraction) -> str:
    """A file's timecode that many frames later, with the file's own sign (":", ";" or ".") before the frames.

    Takes it as it is found: frame numbers that the rate does not have count on. Text that is no timecode is
    given back as it is.
    """
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)", timecode)
    if match is None:
        return timecode
    hours, minutes, seconds, frame = (int(match[i]) for i in (1, 2, 3, 5))
    is_drop = match[4] in ";." and _dropped_numbers(rate) > 0
    later = str(Timecode._at(hours, minutes, seconds, frame, rate=rate, is_drop=is_drop) + frames)
    return re.sub("[:;](?=\\d+$)", match[4], later)


# Drop-frame is counted at 29.97 by opentimelineio. Faster rates divide its frames: at 59.94, frame 7 is the second
# half of frame 3.

_DROP_RATE = 30000 / 1001
_DROP_DAY_FRAMES = 24 * 6 * 17982


def _per_drop_frame(rate: Fraction) -> int:
    """How many frames pass in one at 29.97: 1 there, 2 at 59.94; 0 at rates that have no drop-frame."""
    per_second = numbers_per_second(rate)
    return per_second // 30 if per_second % 30 == 0 else 0


def _dropped_numbers(rate: Fraction) -> int:
    """How many numbers a minute leaves out."""
    return 2 * _per_drop_frame(rate)


def _dropped_start(hours: int, minutes: int, seconds: int) -> int:
    """The frames at 29.97 before the number 00 of a second; where that is left out, counted back to it."""
    from opentimelineio import opentime  # takes 50 ms, and few files are drop-frame

    written = f"{hours:02d}:{minutes:02d}:{seconds:02d};00"
    return int(opentime.from_timecode(written, _DROP_RATE).to_frames())


def _dropped_text(frames: int, divided: int) -> str:
    """The timecode of a frame of which `divided` make one at 29.97."""
    from opentimelineio import opentime

    whole, part = divmod(frames, divided)
    time = opentime.RationalTime(whole % _DROP_DAY_FRAMES, _DROP_RATE)
    second, frame = opentime.to_timecode(time, _DROP_RATE, True).split(";")
    return f"{second};{int(frame) * divided + part:02d}"

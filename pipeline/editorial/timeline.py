"""A timeline as read: its shots, and the original to give back with other media."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..timecode import Timecode, usual_rate
from .shot import TimelineShot


class TimelineError(OptionError):
    """A timeline, or a shot of it, that cannot be used as it is."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A timeline's shots, and the timeline itself to give back with other media."""

    path: Path
    name: str
    shots: tuple[TimelineShot, ...]
    notes: tuple[str, ...] = ()
    """What was left out or put right, one line each."""
    native: Any = field(repr=False, compare=False)
    """The opentimelineio Timeline."""


def frames_of_timecode(timecode: str, rate: Fraction) -> int:
    """How many frames after 00:00:00:00 a timecode is; ";" before the frames means drop-frame counting.

    Raises:
        TimelineError: no timecode, or one that the rate does not have.
    """
    try:
        return Timecode.read(timecode, usual_rate(rate)).frames
    except ValueError as error:
        raise TimelineError(
            f"{timecode!r} is no timecode at {rate_text(rate)} frames per second; write it as 01:00:00:00"
        ) from error


def rate_text(rate: Fraction) -> str:
    """A rate for messages: "23.976"."""
    return f"{float(rate):.6g}"

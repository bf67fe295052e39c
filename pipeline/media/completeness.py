"""Is this everything? What a film says of its length, against what came out of it.

A file that was cut off (a full card, a transfer that broke) mostly still opens, and ends early without an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from .containers import open_container

EXACT_CONTAINERS = frozenset({"mov", "matroska", "webm", "mxf"})
"""Say how long the picture is to a frame; others estimate, or round by more."""

ROUGH_SECONDS = Fraction(1, 4)
"""What those others may be wrong by."""

STEPS_OF_SLACK = Fraction(3, 2)
"""Of the longest time between two pictures: the last one's length is not always known."""

_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class Promise:
    """What a film's header and index say; in absolute time of the film."""

    end_seconds: Fraction
    """When its picture ends."""
    is_of_picture: bool
    """Whether that is said of the picture itself; else of the file, whose sound may be longer."""
    slack_seconds: Fraction
    """What the container is known to be wrong by."""


@dataclass(frozen=True)
class Shortfall:
    """What a film lacks of what it promises."""

    missing_frames: int
    """About so many: pictures that are not in the file have no times."""
    end_seconds: float
    """From the first frame: when the pictures end."""
    promised_seconds: float
    """And when they should."""

    def __str__(self) -> str:
        return (
            f"the source is not whole: about {self.missing_frames} frames are missing at its end; it promises "
            f"{self.promised_seconds:.3f} s, the pictures end at {self.end_seconds:.3f} s"
        )


class Seen:
    """The pictures of one reading, as they pass."""

    def __init__(self, time_base: Fraction, rate: Fraction) -> None:
        self._base, self._step = time_base, 1 / rate
        self._first: Fraction | None = None
        self._last: Fraction | None = None
        self._length = self._step
        self.longest_step = self._step

    def add(self, pts: int, duration: int) -> None:
        """The next picture's, in units of the time base; a duration of 0 is unknown."""
        at = pts * self._base
        if self._last is not None:
            self._step = at - self._last
            self.longest_step = max(self.longest_step, self._step)
        self._first = at if self._first is None else self._first
        self._last, self._length = at, duration * self._base or self._step

    @property
    def end_seconds(self) -> Fraction | None:
        """When the last picture ends; None before the first."""
        return None if self._last is None else self._last + self._length

    @property
    def seconds(self) -> float:
        """From the first picture to the end of the last."""
        return float((self.end_seconds or 0) - (self._first or 0))


def promise_of(container: InputContainer, stream: VideoStream) -> Promise | None:
    """What a film says of its length; None if it says nothing, or only estimates from what there is (streams)."""
    names = set(container.format.name.split(","))
    slack = Fraction(0) if names & EXACT_CONTAINERS else ROUGH_SECONDS
    base = stream.time_base or Fraction(1)
    start = (stream.start_time or 0) * base
    if names & {"mpegts", "mpeg"}:
        return None
    if stream.duration:
        return Promise(start + stream.duration * base, True, slack)
    stated = _clock_seconds(stream.metadata.get("DURATION", ""))
    if stated is not None:
        return Promise(stated, True, slack)
    if container.duration:
        return Promise(container.duration * _MICROSECOND, False, max(slack, ROUGH_SECONDS))
    return None


def shortfall_of(
    path: Path,
    promise: Promise | None,
    seen: Seen,
    *,
    first_seconds: Fraction,
    until: Fraction | None,
    rate: Fraction,
) -> Shortfall | None:
    """What is missing behind the last picture of a reading that went to the file's end; None: nothing.

    Args:
        first_seconds: of the film's first frame, in absolute time.
        until: where the reading was to end, in absolute time; None: with the film.
        rate: frames a second.
    """
    end = seen.end_seconds
    if promise is None or end is None:
        return None
    promised = promise.end_seconds if until is None else min(promise.end_seconds, until)
    missing = promised - end
    if missing <= promise.slack_seconds + STEPS_OF_SLACK * seen.longest_step:
        return None
    if not promise.is_of_picture and _end_of_all(path) >= promise.end_seconds - promise.slack_seconds:
        return None  # the sound goes on to the end
    frames = max(1, round(missing * rate))
    return Shortfall(frames, round(float(end - first_seconds), 3), round(float(promised - first_seconds), 3))


def _end_of_all(path: Path) -> Fraction:
    """When the last packet of any stream ends. Reads the whole file."""
    end = Fraction(0)
    with open_container(path) as container:
        try:
            for packet in container.demux():
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except FFmpegError:
            return end
    return end


def _clock_seconds(text: str) -> Fraction | None:
    """Of Matroska's "00:00:01.043000000"."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
    return None if match is None else int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3])

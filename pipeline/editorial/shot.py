"""A shot of a timeline, in plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..files import suffixes
from ..timecode import Timecode, has_drop_frame, usual_rate

MEDIA_SUFFIXES = frozenset({*suffixes.FILMS, *suffixes.PLATES})
"""What a folder of media is searched for, and what is no part of a shot's name."""


@dataclass(frozen=True, kw_only=True)
class TimelineShot:
    """One clip of a timeline's video tracks, in plain values."""

    number: int
    """Place among the shots, from 1: by track, then in order of the record."""
    name: str
    """The clip's, made a file name and unique in the timeline."""
    clip_name: str
    """As the timeline has it; a clip that is used twice gives two shots the same."""
    track: str
    media: Path | None
    """The file it is cut from; None where that was not found."""
    problem: str = ""
    """Why it cannot be used, in one line; empty if it can."""
    rate: Fraction
    """Frames per second that the frame numbers count at: the timeline's, once placed the file's."""
    is_rate_guessed: bool = False
    """An EDL does not say its rate; it was taken from the first file that was found."""
    start_frame: int
    """The first frame shown, as the file counts (timecode). Frames in transitions are shown, too."""
    frame_count: int
    record_frame: int
    """Where it begins on the timeline, at `record_rate`."""
    record_rate: Fraction
    media_start_frame: int | None = None
    """How the timeline says that the file counts its first frame; None: it does not say."""

    first_frame: int = 0
    """Of a placed shot: the first frame to work on, handle included, from the file's first = 0."""
    head_frames: int = 0
    """Of a placed shot: how many of the frames before the cut are worked on as a handle."""
    tail_frames: int = 0
    """Of a placed shot: how many of the frames after the cut are worked on as a handle."""
    media_frame_count: int = 0
    """Of a placed shot: length of the file; 0 if unknown."""

    @property
    def is_left_out(self) -> bool:
        """Whether the cut itself is one that cannot be worked on: its file is there, and another would not
        help."""
        return bool(self.problem) and self.media is not None

    @property
    def length_frames(self) -> int:
        """Frames to work on, handles included."""
        return self.head_frames + self.frame_count + self.tail_frames

    @property
    def head_seconds(self) -> float:
        """Length of the handle before the cut."""
        return float(self.head_frames / self.rate)

    @property
    def trim_start_seconds(self) -> float | None:
        """The range for `RetargetOptions`; None from the file's beginning."""
        return float(self.first_frame / self.rate) if self.first_frame else None

    @property
    def trim_end_seconds(self) -> float | None:
        """None to the file's end."""
        end = self.first_frame + self.length_frames
        return None if end == self.media_frame_count else float(end / self.rate)

    @property
    def record_timecode(self) -> str:
        """Where it begins on the timeline: "10:00:02:00"."""
        rate = usual_rate(self.record_rate)
        return str(Timecode(self.record_frame, rate, is_drop=has_drop_frame(rate)))


def as_file_name(text: str) -> str:
    """A clip's name as a file name on any system, without a film's suffix; "shot" if nothing is left."""
    if Path(text).suffix.lower() in MEDIA_SUFFIXES:
        text = text[: -len(Path(text).suffix)]
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]+', "_", text).strip(" .") or "shot"

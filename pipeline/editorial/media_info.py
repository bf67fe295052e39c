"""What a shot needs to know of the file it is cut from."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .. import media
from ..files import parse_pattern
from .timeline import TimelineError, frames_of_timecode


@dataclass(frozen=True)
class MediaInfo:
    """What a shot needs to know of the file it is cut from."""

    path: Path
    rate: Fraction
    """Frames per second."""
    frame_count: int
    """As the header says; 0 if unknown."""
    first_number: int = 0
    """In the name of a sequence's first picture."""
    timecode: str = ""
    """Of the first frame, as written in the file."""

    @property
    def start_frame(self) -> int:
        """How the file counts its first frame: its timecode, or the number of a sequence's first picture; else 0.

        Raises:
            TimelineError: its timecode does not exist at its rate.
        """
        if not self.timecode:
            return self.first_number
        try:
            return frames_of_timecode(self.timecode, self.rate)
        except TimelineError as error:
            raise TimelineError(f"{self.path}: its timecode cannot be read: {error}") from error


def probe_media(path: Path, *, sequence_rate: Fraction = Fraction(24)) -> MediaInfo:
    """Opens the file and says how it counts. `sequence_rate` is of pictures, which do not say theirs.

    Raises:
        VideoOpenError: the file cannot be used.
    """
    with media.open_video(path, sequence_rate=sequence_rate) as reader:
        info = reader.info
        rate = sequence_rate if info.is_still else info.frame_rate
        return MediaInfo(path, rate, info.frame_count_from_header, reader.first_number or 0, info.start_timecode)


def has_media(path: Path) -> bool:
    """Whether there is such a file, or any picture of such a sequence."""
    pattern = parse_pattern(path)
    return bool(pattern.files()) if pattern else path.is_file()

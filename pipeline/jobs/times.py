"""Times and ranges of a row in seconds: "1.5", "36f", "00:00:01:12", `frames: 10-200`."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from ..editorial import MediaInfo
from ..files import parse_pattern
from ..options import RetargetOptions
from ..timecode import counts_frames, seconds_of
from .cells import Cell, Mistakes, Row
from .checks import InputChecks
from .job_settings import JobSettings

TRIM_KEYS = ("trim_start", "trim_end")


class RowTimes:
    """A row's times in seconds. Frames and timecode count at the source's rate; only then is it opened."""

    def __init__(
        self, checks: InputChecks, mistakes: Mistakes, row: Row, settings: JobSettings, source: Path | None
    ) -> None:
        self._checks, self._mistakes = checks, mistakes
        self._row, self._settings, self._source = row, settings, source

    def seconds(self, key: str) -> float | None:
        """The key's time; None if it is not said, or wrong."""
        value = getattr(self._settings, key)
        if value is None:
            return None
        cell = self._row[key]
        try:
            return self._counted(cell, value) if counts_frames(value) else seconds_of(value, Fraction(1))
        except ValueError as error:
            self._mistakes.add(cell.place, f"{cell.key}: {error}")
            return None

    def neutral(self, key: str) -> float | str | Path | None:
        """auto, none, seconds, or a picture; None if it is wrong."""
        value, cell = getattr(self._settings, key), self._row[key]
        if value in ("auto", "none"):
            return str(value)
        picture = cell.path(str(value))
        if picture.is_file():
            return picture
        try:
            seconds_of(value, Fraction(1000))
        except ValueError:
            text = f"{cell.key}: {value!r} is neither auto, none, a time nor an existing picture"
            self._mistakes.add(cell.place, text)
            return None
        return self.seconds(key)

    def trim(self) -> tuple[float | None, float | None]:
        """The range to work on, from the source's first frame = 0; None at an open end."""
        settings, mistakes = self._settings, self._mistakes
        if settings.frames is not None:
            if any(settings.said(key) is not None for key in TRIM_KEYS):
                text = "'frames' and a start or end are both said; keep one of them"
                mistakes.add(self._row["frames"].place, text)
            return self._frames(self._row["frames"], settings.frames)
        start, end = self.seconds("trim_start"), self.seconds("trim_end")
        if start is not None and start < 0:
            mistakes.add(
                self._row["trim_start"].place, f"start {start:g} s is before the first frame; give 0 or more"
            )
            start = None
        if end is not None and end <= (start or 0):
            mistakes.add(self._row["trim_end"].place, f"the range {start or 0:g} to {end:g} s is empty; end later")
            end = None
        return start, end

    def _media(self, cell: Cell) -> MediaInfo | None:
        source = self._source
        if source is None:
            return None  # the missing source is told already
        rate = self._settings.said("frame_rate") or RetargetOptions().sequence_rate
        return self._mistakes.of(cell.place, lambda: self._checks.media(source, rate))

    def _counted(self, cell: Cell, value: float | str) -> float | None:
        seconds_of(value, Fraction(1000))  # text that is no time at all is told without opening anything
        media = self._media(cell)
        return None if media is None else seconds_of(value, media.rate)

    def _frames(self, cell: Cell, text: str) -> tuple[float | None, float | None]:
        """`10-200`: first and last frame, both worked on, from 0; of a sequence by the numbers in the names."""
        span = re.fullmatch(r"\s*(\d{1,9})?\s*(?:(-|\.\.)\s*(\d{1,9})?)?\s*", text)
        if span is None or not (span[1] or span[3]):
            self._mistakes.add(cell.place, f"{cell.key}: {text!r} is no range of frames; write 10-200")
            return None, None
        media = self._media(cell)
        if media is None:
            return None, None
        is_sequence = self._source is not None and parse_pattern(self._source) is not None
        zero = media.first_number if is_sequence else 0
        first = int(span[1]) - zero if span[1] else 0
        last = None if span[2] and not span[3] else int(span[3] or span[1]) - zero
        if first < 0 or (last is not None and last < first):
            ends = f"from {zero}" if zero else "from 0"
            self._mistakes.add(cell.place, f"{cell.key}: {text} is no range; frames count {ends} upwards")
            return None, None
        if media.frame_count and first >= media.frame_count:
            ends = f"{zero} to {zero + media.frame_count - 1}"
            self._mistakes.add(cell.place, f"{cell.key}: {text} lies behind the source's frames {ends}")
            return None, None
        start = float(first / media.rate) if first else None
        return start, None if last is None else float((last + 1) / media.rate)

"""CMX 3600 edit lists, with what their reader stumbles over put right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from ..timecode import DROP_RATES, USUAL_RATES, usual_rate
from .clips import clips_of, first_line
from .locate import MediaFinder
from .media_info import probe_media
from .timeline import TimelineError, rate_text

_ANY_TIMECODE_RATE = Fraction(60000, 1001)
"""Reads every timecode, drop-frame or not: for the names in an EDL, before its rate is known."""


class Edl:
    """A CMX 3600 list, with what its reader stumbles over put right."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        self.is_drop = any(_is_drop_mode(line) for line in lines)
        self._lines = list(_with_drop_signs(_readable(lines)))
        self.notes: list[str] = []
        if not any(line[0].isdigit() for line in self._lines):
            raise TimelineError(f"{path}: has no events; export the cut as EDL (CMX 3600) again")

    def guess_rate(self, finder: MediaFinder, sequence_rate: Fraction) -> Fraction:
        """The rate of the first file that is found.

        Raises:
            TimelineError: no file is found, or timecode does not count at its rate.
        """
        clips = clips_of(self.read(_ANY_TIMECODE_RATE))
        found = next((path for _, clip in clips if (path := finder.find(clip)[0])), None)
        if found is None and not self.is_drop:
            raise TimelineError(
                f"{self._path}: an EDL does not say its frame rate, and none of its media is found; say where with"
                " 'media: FOLDER', or the rate with 'timeline_rate: 24'"
            )
        rate = DROP_RATES[0]
        if found is not None:
            rate = usual_rate(probe_media(found, sequence_rate=sequence_rate).rate)
        if rate not in USUAL_RATES or (self.is_drop and rate not in DROP_RATES):
            counts = "drop-frame timecode" if self.is_drop else "timecode"
            raise TimelineError(
                f"{self._path}: {found} runs at {rate_text(rate)} frames per second, which {counts} does not "
                "have; say the list's rate with 'timeline_rate: 24'"
            )
        return rate

    def read(self, rate: Fraction) -> otio.schema.Timeline:
        """The list as a timeline that begins where its record does."""
        self.notes = []
        try:
            timeline = self._parsed(rate, is_lenient=False)
        except (otio.exceptions.OTIOError, ValueError, AttributeError, IndexError, TypeError) as strict:
            # the reader's own complaints, and what it trips over in damaged lines
            try:
                timeline = self._parsed(rate, is_lenient=True)
            except (otio.exceptions.OTIOError, ValueError, AttributeError, IndexError, TypeError) as error:
                raise TimelineError(
                    f"{self._path}: is no EDL (CMX 3600) at {rate_text(rate)} frames per second "
                    f"({first_line(error)}); correct it or its 'timeline_rate'"
                ) from error
            self.notes.append(f"{self._path}: {first_line(strict)}; the source range was taken")
        _begin_at_record(timeline)
        return timeline

    def _parsed(self, rate: Fraction, *, is_lenient: bool) -> otio.schema.Timeline:
        timeline = otio.adapters.read_from_string(
            "\n".join(self._lines), "cmx_3600", rate=float(rate), ignore_timecode_mismatch=is_lenient
        )
        assert isinstance(timeline, otio.schema.Timeline)
        return timeline


def _is_drop_mode(line: str) -> bool:
    return line.upper().startswith("FCM") and "DROP" in line.upper() and "NON" not in line.upper()


def _readable(lines: Iterable[str]) -> Iterator[str]:
    """Without remarks above the first event, which the reader refuses."""
    is_head = True
    for line in lines:
        is_head = is_head and not line[0].isdigit()
        if not is_head or line.startswith(("TITLE:", "FCM", "SPLIT")):
            yield line


def _with_drop_signs(lines: Iterable[str]) -> Iterator[str]:
    """Timecodes of events under FCM: DROP FRAME with ";" before the frames, which the reader goes by."""
    is_drop = False
    for line in lines:
        if line.upper().startswith("FCM"):
            is_drop = _is_drop_mode(line)
        if is_drop and line[0].isdigit():
            line = re.sub(r"\b(\d\d:\d\d:\d\d):(\d\d)\b", r"\1;\2", line)
        elif line.startswith("M2"):
            line = line.replace(";", ":")  # the reader knows no drop-frame in speed changes; it only skips it
        yield line


def _begin_at_record(timeline: otio.schema.Timeline) -> None:
    """Turns the EDL reader's negative track starts into the timeline's start and gaps, as OTIO has them."""
    begins = {
        i: -track.source_range.start_time
        for i, track in enumerate(timeline.tracks)
        if track.source_range is not None
    }
    if not begins:
        return
    rate = next(iter(begins.values())).rate
    zero = otio.opentime.RationalTime(0, rate)
    start = min(begins.get(i, zero) for i in range(len(timeline.tracks)))
    for i, track in enumerate(timeline.tracks):
        late = begins.get(i, zero) - start
        track.source_range = None
        if late > zero:
            track.insert(0, otio.schema.Gap(source_range=otio.opentime.TimeRange(zero, late)))
    timeline.global_start_time = start

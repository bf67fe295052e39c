"""CMX 3600 edit lists, with what their reader stumbles over put right."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from ..timecode import DROP_RATES, USUAL_RATES, usual_rate
from .clips import clips_of, first_line
from .edl_events import Event, events_of, mark_of, readable
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
        self._head, self._events = events_of(_with_drop_signs(_readable(lines)))
        self.notes: list[str] = []
        if not self._events:
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
        """The list as a timeline that begins where its record does.

        Raises:
            TimelineError: none of its events can be read.
        """
        self.notes = []
        events = [_whole(event, rate) for event in readable(self._events, self.notes)]
        try:
            timeline = self._parsed(events, rate)
        except _READ_ERRORS as error:
            good = [event for event in events if self._is_read(event, rate)]
            try:
                timeline = self._parsed(good, rate)
            except _READ_ERRORS:
                raise TimelineError(
                    f"{self._path}: is no EDL (CMX 3600) at {rate_text(rate)} frames per second "
                    f"({first_line(error)}); correct it or its 'timeline_rate'"
                ) from error
        self.notes = [f"{self._path}: {note}" for note in dict.fromkeys(self.notes)]
        _begin_at_record(timeline)
        return timeline

    def _is_read(self, event: Event, rate: Fraction) -> bool:
        """Whether an event can be read by itself; what is wrong with it is noted."""
        try:
            self._parsed([replace(event, kind="C", length="")], rate)
        except _READ_ERRORS as error:
            named = event.number or repr(event.line)
            self.notes.append(f"event {named} is left out: {first_line(error)}")
            return False
        return True

    def _parsed(self, events: list[Event], rate: Fraction) -> otio.schema.Timeline:
        if not events:
            raise ValueError("no event shows anything")
        lines = [*self._head, *itertools.chain.from_iterable(event.lines(i) for i, event in enumerate(events))]
        try:
            timeline = _read(lines, rate, is_lenient=False)
        except _READ_ERRORS as strict:
            timeline = _read(lines, rate, is_lenient=True)
            self.notes.append(f"{first_line(strict)}; the source range was taken")
        for track in timeline.tracks:
            for clip in track.find_clips():
                remarks = clip.metadata.get("cmx_3600", {}).get("comments", [])
                mark = mark_of(remarks)
                if mark is not None:
                    clip.metadata["cmx_3600"]["comments"] = [r for r in remarks if mark_of([r]) is None]
                    _apply(clip, events[mark], rate)
        return timeline


_READ_ERRORS = (otio.exceptions.OTIOError, ValueError, AttributeError, IndexError, TypeError, KeyError)
"""The reader's own complaints, and what it trips over in damaged lines."""


def _read(lines: list[str], rate: Fraction, *, is_lenient: bool) -> otio.schema.Timeline:
    timeline = otio.adapters.read_from_string(
        "\n".join(lines), "cmx_3600", rate=float(rate), ignore_timecode_mismatch=is_lenient
    )
    assert isinstance(timeline, otio.schema.Timeline)
    return timeline


def _whole(event: Event, rate: Fraction) -> Event:
    """The event with a source as long as its record, where a speed says what passes of the source, or nothing else
    does."""
    if not event.times or (event.speed is None and event.times[1]):
        return event
    try:
        start, begin, end = (_time(event.times[i], rate) for i in (0, 2, 3))
        stop = otio.opentime.to_timecode(start + (end - begin), float(rate))
    except _READ_ERRORS:
        return event
    return replace(event, times=(event.times[0], stop, *event.times[2:]))


def _apply(clip: otio.schema.Clip, event: Event, rate: Fraction) -> None:
    """What the reader leaves out of an event."""
    if event.source_file:
        clip.metadata["cmx_3600"]["source_file"] = event.source_file
    if event.speed == 0:
        clip.effects.append(otio.schema.FreezeFrame())
    elif event.speed is not None:
        scalar = event.speed / round(rate)  # a list counts whole frames: 24 a second at 23.976
        clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=scalar))


def _time(timecode: str, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.from_timecode(timecode, float(rate))


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

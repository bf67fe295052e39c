"""The clips of an OpenTimelineIO timeline: which of them are shots, and what they show."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from ..timecode import rate_of
from .locate import MediaFinder
from .shot import TimelineShot


def clips_of(timeline: otio.schema.Timeline) -> list[tuple[Any, Any]]:
    """(track, clip) of what is seen of the video tracks, in the order shots are numbered."""
    return [
        (track, clip)
        for track in timeline.video_tracks()
        if track.enabled
        for clip in track.find_clips()
        if clip.enabled and not isinstance(clip.media_reference, otio.schema.GeneratorReference) and _is_seen(clip)
    ]


def _is_seen(clip: Any) -> bool:
    """Whether anything of a clip lies within what is shown of the nests it lies in."""
    try:
        return bool(_seen_of(clip).duration.value > 0)
    except (otio.exceptions.OTIOError, ValueError):
        return True  # without a range, which is told where it is made a shot


def _seen_of(clip: Any) -> Any:
    """The part of a clip that is shown, without transitions: nests are trimmed, too."""
    seen, nest = clip.trimmed_range(), clip.parent()
    while nest is not None and nest.parent() is not None:
        if nest.source_range is not None:
            there = clip.transformed_time_range(seen, nest)
            start = max(there.start_time, nest.source_range.start_time)
            end = min(there.end_time_exclusive(), nest.source_range.end_time_exclusive())
            inside = otio.opentime.TimeRange.range_from_start_end_time(start, max(start, end))
            seen = nest.transformed_time_range(inside, clip)
        nest = nest.parent()
    return seen


def speed_of(clip: Any) -> float:
    """How many of the media's frames pass in one of the timeline's."""
    speed = 1.0
    for effect in clip.effects:
        if isinstance(effect, otio.schema.LinearTimeWarp):  # FreezeFrame is one, of speed 0
            speed *= effect.time_scalar
    return speed


def first_line(error: BaseException) -> str:
    """What a library complains of, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def shot_of(
    native: otio.schema.Timeline, track: Any, clip: Any, finder: MediaFinder, *, number: int, name: str
) -> TimelineShot:
    """The clip in plain values, its media found; what is wrong with it is in its `problem`."""
    media, problem = finder.find(clip)
    try:
        cut = _seen_of(clip)
        shown = clip.visible_range() if cut == clip.trimmed_range() else cut
        lead = cut.start_time - shown.start_time
        record = clip.transformed_time_range(cut, native.tracks).start_time - lead
        record += native.global_start_time or otio.opentime.RationalTime(0, record.rate)
        available = clip.media_reference.available_range
    except (otio.exceptions.OTIOError, ValueError) as error:
        zero = otio.opentime.RationalTime(0, 24)
        shown = cut = otio.opentime.TimeRange(zero, zero)
        lead = record = zero
        problem, available = f"the timeline gives it no range ({first_line(error)}); give the clip one", None
    speed = speed_of(clip)
    if speed < 0:
        problem = problem or "runs backwards in the timeline; render it forwards first and reverse the result"
    rate = _rate(cut.start_time.rate)
    first = round(cut.start_time.value - lead.rescaled_to(cut.start_time.rate).value * speed)
    return TimelineShot(
        number=number,
        name=name,
        clip_name=clip.name,
        track=track.name,
        media=media,
        problem=problem,
        rate=rate,
        start_frame=first,
        # a speed-up shows more of the file than it lasts, a still frame a single one
        frame_count=max(1, math.ceil(shown.duration.rescaled_to(cut.start_time.rate).value * speed - 1e-6)),
        record_frame=round(record.value),
        record_rate=_rate(record.rate),
        media_start_frame=None if available is None else _media_start(available, clip, float(rate)),
    )


def _media_start(available: Any, clip: Any, rate: float) -> int | None:
    """How the timeline counts the media's first frame; the EDL reader only repeats the cut there."""
    if "cmx_3600" in clip.metadata or available == clip.source_range:
        return None
    return round(available.start_time.rescaled_to(rate).value)


def _rate(rate: float) -> Fraction:
    return rate_of(f"{rate:.6f}") if 0 < rate <= 1000 else Fraction(24)

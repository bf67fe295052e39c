"""What a film says of itself: title, language, chapters, timecode, carried from the source to the output."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from ..records import VideoInfo
from ..timecode import advance_timecode
from .containers import main_video
from .trim import Span

# Written anew by every muxer, or true of the source's file only.
_STALE_KEYS = re.compile(
    r"^(major_brand|minor_version|compatible_brands|encoder|duration|bps|number_of_\w+|_statistics_\w+|rotate|alpha_mode)(-.*)?$",
    re.IGNORECASE,
)


def copy_description(
    source: InputContainer, target: OutputContainer, video: VideoStream, info: VideoInfo, span: Span
) -> None:
    """Gives the target and its video stream the source's metadata, disposition, chapters and timecode.

    Args:
        info: of the source.
        span: the part of the source that is kept; timecode and chapters move with its start.
    """
    main = main_video(source, info.path)
    target.metadata.update(kept_metadata(source.metadata))
    video.metadata.update(kept_metadata(main.metadata))
    video.disposition = main.disposition
    frames = round(span.cut_seconds * info.frame_rate)
    for metadata in (target.metadata, video.metadata):
        if "timecode" in metadata and frames:
            metadata["timecode"] = advance_timecode(metadata["timecode"], frames, info.frame_rate)
    chapters = _chapters_within(source, span)
    if chapters:
        target.set_chapters(chapters)


def kept_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """What of a file's or stream's metadata is also true of its copy."""
    return {_named(key): value for key, value in metadata.items() if not _STALE_KEYS.match(key)}


def _named(key: str) -> str:
    """As every muxer looks for it; Matroska has all names in capitals."""
    return key.lower() if key.lower() in ("timecode", "title", "language") else key


def _chapters_within(source: InputContainer, span: Span) -> list[Any]:
    chapters: list[Any] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1)
        start, end = chapter["start"] * base, chapter["end"] * base
        if span.start_seconds is not None:
            start = max(start, span.start_seconds)
        if span.end_seconds is not None:
            end = min(end, span.end_seconds)
        if start < end:
            moved = {
                "start": round((start - span.shift_seconds) / base),
                "end": round((end - span.shift_seconds) / base),
            }
            chapters.append({**chapter, **moved, "time_base": base})
    return chapters

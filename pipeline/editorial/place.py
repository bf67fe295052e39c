"""Lays a shot on the file that is there, with handles."""

from __future__ import annotations

import math
from dataclasses import replace

from .media_info import MediaInfo
from .shot import TimelineShot
from .timeline import TimelineError, rate_text


def place_shot(
    shot: TimelineShot, media: MediaInfo, *, handles_frames: int = 0, media_start_frame: int | None = None
) -> TimelineShot:
    """The shot laid on its file, with handles on both sides as far as the file has frames.

    `media_start_frame` is how to count the file's first frame, where its timecode was lost on the way.

    Raises:
        TimelineError: the file does not have these frames, or runs at another rate than the EDL counts at.
    """
    start, count = _offset(shot, media, media_start_frame), shot.frame_count
    if math.ceil(shot.rate) != math.ceil(media.rate):
        if shot.is_rate_guessed:
            raise TimelineError(
                f"{media.path}: runs at {rate_text(media.rate)} frames per second, the EDL seems to count at "
                f"{rate_text(shot.rate)}; say which it is with 'timeline_rate: {rate_text(shot.rate)}'"
            )
        start, count = (round(frames * media.rate / shot.rate) for frames in (start, count))
        count = max(1, count)
    length = media.frame_count
    if length and start + count == length + 1 and count > 1:
        count -= 1  # some count the last frame's end as one more
    if start < 0 or (length and start + count > length):
        raise TimelineError(
            f"{media.path}: has frames 0 to {length - 1 if length else 'its end'}, the shot wants {start} to "
            f"{start + count - 1}; if the file has lost its timecode, say 'media_start: 01:00:00:00'"
        )
    head = min(handles_frames, start)
    tail = min(handles_frames, length - start - count) if length else handles_frames
    return replace(
        shot,
        rate=media.rate,
        frame_count=count,
        first_frame=start - head,
        head_frames=head,
        tail_frames=tail,
        media_frame_count=length,
    )


def _offset(shot: TimelineShot, media: MediaInfo, media_start_frame: int | None) -> int:
    """The shot's first frame from the file's first = 0, at the shot's rate."""
    if media_start_frame is not None:
        return shot.start_frame - media_start_frame
    if shot.media_start_frame is not None:
        return shot.start_frame - shot.media_start_frame
    return shot.start_frame - media.start_frame

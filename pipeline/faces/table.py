"""A clip's analysis as rows of a table: one a face and frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from retarget.model import action_units

from .analysis import ClipAnalysis
from .selection import FaceSelection
from .tracking_csv import TrackingRow


def rows_of(analysis: ClipAnalysis) -> Iterator[TrackingRow]:
    """Rows by frame, then by face; a frame without a face has one without success.

    `face_id` is the face's place by size in its shot, 0 the largest, so that face 0 of the table is the face a
    driver clip is driven by.
    """
    seen: dict[int, list[TrackingRow]] = {}
    for track, place in analysis.select(FaceSelection("large-small", None)):
        for i, frame in enumerate(track.frames):
            row = TrackingRow(
                frame=int(frame) + 1,
                face_id=place,
                seconds=float(track.seconds[i]),
                confidence=float(track.confidence[i]),
                success=True,
                values=track.action_units[i],
            )
            seen.setdefault(int(frame), []).append(row)
    nothing = np.zeros(action_units.COUNT, np.float32)
    for index, seconds in enumerate(analysis.seconds):
        missing = TrackingRow(index + 1, 0, float(seconds), 0.0, False, nothing)
        yield from seen.get(index, [missing])

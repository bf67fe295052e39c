"""The few pictures of a clip that go into the report: before and after, the face and the whole frame."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from ..media import proxy
from ..records import Frame, VideoInfo
from .drawing import Rgb
from .quality import REASONS, ClipQuality, Moment, QcInput
from .series import ClipSeries, FaceSeries, Series
from .side_by_side import open_both, open_source
from .view import square_view

MOMENTS = 5
FACE_PICTURE_PX = 176
"""Its side."""
FACE_PICTURE_MARGIN = 1.6
"""Side of the square around a face over the face's size."""
FRAME_PICTURE_PX = 256
"""Its longer side."""
PICTURES_MAX_BYTES = 180_000
"""Of all of a clip's pictures; 240 kB as base64."""
JPEG_QUALITIES = (82, 70, 55, 40, 25)
"""Tried in turn until all pictures are small enough."""


def pictures_of(item: QcInput, clip: ClipSeries, quality: ClipQuality) -> tuple[Moment, ...]:
    """Pictures of the frames most worth seeing, read once more from both films.

    Raises:
        RetargetError: one of the films cannot be read.
    """
    assert item.output is not None, "checked by the caller"
    chosen = chosen_frames(quality)
    pictures: list[tuple[int, str, tuple[Rgb | None, ...]]] = []
    if not chosen:
        return ()
    with contextlib.ExitStack() as stack:
        readers = tuple(stack.enter_context(reader) for reader in open_both(item, item.output))
        pairs = itertools.islice(zip(*readers, strict=False), max(chosen) + 1)
        for one, other in pairs:
            if one.index in chosen:
                place = _place_at(clip.faces, one.index)
                faces = [_face_picture(f, r.info, place) for f, r in zip((one, other), readers, strict=True)]
                wholes = [proxy(f, r.info, FRAME_PICTURE_PX) for f, r in zip((one, other), readers, strict=True)]
                pictures.append((one.index, chosen[one.index], (*faces, *wholes)))
    for jpeg_quality in JPEG_QUALITIES:
        moments = tuple(
            Moment(frame, quality.seconds[frame], caption, *(_jpeg(p, jpeg_quality) for p in shown))
            for frame, caption, shown in pictures
        )
        if sum(moment.byte_count for moment in moments) <= PICTURES_MAX_BYTES:
            break
    return moments


def source_picture(item: QcInput) -> tuple[Moment, ...]:
    """The first frame of a job's source; empty if it has none.

    Raises:
        RetargetError: the source cannot be read.
    """
    with open_source(item) as source:
        first = next(iter(source), None)
        if first is None:
            return ()
        picture = proxy(first, source.info, FRAME_PICTURE_PX)
        return (Moment(0, 0.0, "source", b"", b"", _jpeg(picture, JPEG_QUALITIES[0]), b""),)


def chosen_frames(quality: ClipQuality) -> dict[int, str]:
    """Up to `MOMENTS` frames to show, each with why, in order of time.

    The worst moment of each reason first, the most urgent reasons before others, then the largest edit, then
    frames spread over the clip.
    """
    reasons = list(REASONS)
    longest = sorted(quality.flags, key=lambda flag: -flag.frame_count)
    first = {flag.reason: flag for flag in reversed(longest)}.values()
    urgent = [*sorted(first, key=lambda flag: reasons.index(flag.reason)), *longest]
    wishes = [(flag.worst_frame, REASONS[flag.reason].title) for flag in urgent]
    wishes = list(dict.fromkeys(wishes))[: MOMENTS - 2]
    edit = np.nan_to_num(np.array(quality.edit))
    if len(edit) and edit.max() > 0:
        wishes.append((int(edit.argmax()), "largest edit"))
    spread = np.linspace(0, quality.frames - 1, 2 * MOMENTS + 1)[1::2]
    wishes += [(round(frame), "") for frame in spread.tolist()]
    apart = quality.frames / (4 * MOMENTS)
    chosen: dict[int, str] = {}
    for frame, caption in wishes:
        if frame < quality.frames and all(abs(frame - other) >= apart for other in chosen):
            chosen[frame] = caption
    return dict(sorted(itertools.islice(chosen.items(), MOMENTS)))


def _place_at(faces: Sequence[FaceSeries], frame: int) -> Series | None:
    """(3,) where the most edited face of a frame is: centre x, y and size in display pixels."""
    rows = [(face, frame - int(face.frames[0])) for face in faces if face.frames[0] <= frame <= face.frames[-1]]
    seen = [(face, row) for face, row in rows if face.in_source[row]]
    if not seen:
        return None
    face, row = max(seen, key=lambda item: (np.nan_to_num(item[0].edit[item[1]]), item[0].place[item[1], 2]))
    return np.asarray(face.place[row], np.float64)


def _face_picture(frame: Frame, info: VideoInfo, place: Series | None) -> Rgb | None:
    if place is None:
        return None
    return square_view(frame, info, place[:2], FACE_PICTURE_MARGIN * place[2], FACE_PICTURE_PX).picture


def _jpeg(picture: Rgb | None, quality: int) -> bytes:
    if picture is None:
        return b""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()

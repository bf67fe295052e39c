"""The judges of pictures on single edits: of one person, of whom other pictures are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..faces import alignment, crop_matrix
from .detail import opening_detail
from .face_view import VIEW, Picture, region_masks, view_points
from .palette import PersonColors, Zones
from .seams import new_edges
from .series import Series

Landmarks = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class StillMarks:
    """What the judges of pictures say of one edit."""

    never_seen: float
    """Per mille of the face box whose colour is in none of the person's pictures, see `PersonColors`."""
    detail: Series
    """(3,) in the open mouth, right and left eye, see `opening_detail`."""
    new_edges: float
    """Per mille of the face box, see `new_edges`."""


class StillJudge:
    """Knows a person by pictures, and judges edits of them. Pictures are (H, W, 3) uint8 RGB of any size."""

    def __init__(self, known: Sequence[tuple[Picture, Landmarks]]) -> None:
        """Pictures of the person, each with its landmarks (478, 3) in its own pixels."""
        self._colors = PersonColors()
        self._edits = 0
        for picture, landmarks in known:
            box, points = _face_box(picture, landmarks), view_points(landmarks, alignment(landmarks))
            self._colors.add(-1, 0, box, box, Zones.of(points), region_masks(points))

    def judge(self, source: Picture, before: Landmarks, output: Picture, after: Landmarks) -> StillMarks:
        """An edit of `source`, which counts as known; landmarks (478, 3) of either in its own pixels."""
        placed = alignment(before)
        was, now = (_placed_box(picture, placed) for picture in (source, output))
        points, moved = view_points(before, placed), view_points(after, placed)
        self._edits += 1
        self._colors.add(self._edits, 0, was, now, Zones.of(points), region_masks(points))
        never = float(self._colors.never_seen(self._edits, 1)[0, 0])
        return StillMarks(never, opening_detail(now, moved), new_edges(was, now, points, moved))


def detail_of(picture: Picture, landmarks: Landmarks) -> Series:
    """(3,) detail in the openings of a picture, as `StillMarks.detail` has it of an edit."""
    return opening_detail(_face_box(picture, landmarks), view_points(landmarks, alignment(landmarks)))


def _face_box(picture: Picture, landmarks: Landmarks) -> Picture:
    return _placed_box(picture, alignment(landmarks))


def _placed_box(picture: Picture, placed: Series) -> Picture:
    matrix = crop_matrix(placed, VIEW)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # cv2 counts from pixel centres
    size = (VIEW.size_px, VIEW.size_px)
    return np.asarray(
        cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )

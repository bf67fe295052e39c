"""What the judges of pictures say of one face: of its colours, its boiling, and the detail in mouth and eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..faces import FaceTrack
from ..records import Face, Frame, VideoInfo
from .boiling import Boiling
from .detail import OPENINGS, opening_detail
from .face_view import Picture, face_picture, region_masks, view_points
from .palette import PersonColors, Zones
from .seams import new_edges
from .series import Series

Landmarks = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Pictures:
    """What the judges of pictures measured at the n moments of a track. NaN: not measured."""

    never_seen: Series
    """(n, regions) per mille of the face box, see `palette.PersonColors`."""
    boiling: Series
    """(n, regions, 2) source, output: see `boiling.Boiling`."""
    detail: Series
    """(n, openings, 2) source, output: see `detail.opening_detail`."""
    new_edges: Series
    """(n,) per mille of the face box, see `seams.new_edges`."""


class FaceJudge:
    """Judges one face of the source and what became of it in the output.

    Each moment is seen once, in order, and later found: the output's landmarks come when it has been tracked.
    Holds both face boxes until then.
    """

    def __init__(self, track: FaceTrack, colors: PersonColors, number: int) -> None:
        """`colors` are those of the person, to whom `number` tells its tracks apart."""
        self._track, self.colors, self._number = track, colors, number
        self._boiling = Boiling(len(track.frames))
        self._detail = np.full((len(track.frames), len(OPENINGS), 2), np.nan)
        self._new_edges = np.full(len(track.frames), np.nan)
        self._waiting: dict[int, tuple[Picture, Picture, Series]] = {}

    def see(
        self, at: int, before: tuple[Frame, VideoInfo], after: tuple[Frame, VideoInfo], landmarks: Landmarks
    ) -> None:
        """The track's moment `at` in source and output, and where the source's landmarks (478, 3) are."""
        placed = self._track.alignments[at]
        self.compare(
            at, face_picture(*before, placed), face_picture(*after, placed), view_points(landmarks, placed)
        )

    def compare(self, at: int, source: Picture, output: Picture, points: Series) -> None:
        """As `see`, of the face boxes and the source's `view_points`."""
        regions = region_masks(points)
        self.colors.add(self._number, at, source, output, Zones.of(points), regions)
        self._boiling.add(at, int(self._track.frames[at]), source, output, regions)
        self._detail[at, :, 0] = opening_detail(source, points)
        self._waiting[at] = source, output, points

    def find(self, at: int, faces: tuple[Face, ...]) -> None:
        """Who was tracked in the output at that moment, which has been seen."""
        source, output, before = self._waiting.pop(at)
        center, reach = self._track.centers[at], 0.5 * self._track.size_px[at]
        near = [(float(np.linalg.norm(face.center - center)), face) for face in faces]
        distance, face = min(near, key=lambda item: item[0], default=(np.inf, None))
        if face is not None and distance < reach:
            after = view_points(face.landmarks, self._track.alignments[at])
            self._detail[at, :, 1] = opening_detail(output, after)
            self._new_edges[at] = new_edges(source, output, before, after)

    def pictures(self) -> Pictures:
        """When all frames, of all the person's tracks, have been seen."""
        moments = len(self._track.frames)
        never = self.colors.never_seen(self._number, moments)
        return Pictures(never, self._boiling.residual, self._detail, self._new_edges)

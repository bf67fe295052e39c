"""What was measured of a finished clip, frame by frame, in its source and in its output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..edit import Fade

Series = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FaceSeries:
    """One edited face over every frame of its shot, in the source and in the output. NaN: not measured."""

    face: int
    """Position among the edited faces of the shot."""
    frames: NDArray[np.int64]
    """(n,) consecutive indices."""
    seconds: Series
    """(n,) from the clip's first frame."""
    units: tuple[str, ...]
    """Names of the k action units that were asked to move anywhere in the shot."""
    requested: Series
    """(n, k) v_rel."""
    own: Series
    """(n, k) of the source, smoothed."""
    measured: Series
    """(n, k) in the output, smoothed as `own` is."""
    yaw_degrees: Series
    """(n,) in the source, as are pitch, roll and confidence."""
    pitch_degrees: Series
    roll_radians: Series
    confidence: Series
    """(n,) in [0, 1]; NaN where the face is not tracked."""
    output_confidence: Series
    """(n,) likewise in the output."""
    jitter: Series
    """(n, 2) source, output: RMS second difference of the canonical landmarks; unit: distance of the outer eye
    corners."""
    misfit: Series
    """(n,) of the source's mesh to a head, see `HeadPose.residual`."""
    covered: Series
    """(n,) share of the source's face whose colour is not what it mostly is in the shot, see `LookSeries`."""
    sharpness: Series
    """(n, 2) source, output: see `Look`."""
    pop: Series
    """(n, 2) in 8-bit levels of the inner face: how far what the edit changed departs from the frames before and
    after, less how far those differ from each other; and how much it changed in those."""
    never_seen: Series
    """(n, regions) per mille of the output's face box whose colour the person never shows, see `PersonColors`."""
    boiling: Series
    """(n, regions, 2) source, output: see `Boiling`."""
    detail: Series
    """(n, openings, 2) source, output: see `opening_detail`."""
    new_edges: Series
    """(n,) per mille of the face box, see `seams.new_edges`."""
    place: Series
    """(n, 3) centre x, y and size of the face in the source, in display pixels."""
    fades: tuple[Fade, ...] = ()
    """Where and why the run did less than was asked, as its report says."""

    @property
    def wanted(self) -> Series:
        """(n, k) own + v_rel, within [0, 1] as measurements are."""
        return np.clip(self.own + self.requested, 0, 1)

    @property
    def edit(self) -> Series:
        """(n,) l2 of v_rel; NaN where the face is not tracked."""
        return np.linalg.norm(self.requested, axis=1) if self.units else np.where(self.in_source, 0.0, np.nan)

    @property
    def residual(self) -> Series:
        """(n,) l2 of wanted - measured."""
        if not self.units:
            return np.full(len(self.frames), np.nan)
        return np.asarray(np.linalg.norm(self.wanted - self.measured, axis=1), np.float64)

    @property
    def in_source(self) -> Mask:
        """(n,) where the face is tracked in the source."""
        return np.isfinite(self.confidence)

    @property
    def in_output(self) -> Mask:
        """(n,) where it is found again in the output."""
        return np.isfinite(self.output_confidence)


@dataclass(frozen=True, eq=False)
class ClipSeries:
    """One clip of n frames."""

    seconds: Series
    """(n,) of each frame of the source."""
    faces: Sequence[FaceSeries]
    face_counts: NDArray[np.int64]
    """(n, 2) tracked in source, output."""
    shot_of_frame: NDArray[np.int64]
    """(n,) number of the shot."""
    corrupt: NDArray[np.bool_]
    """(n, 2) source, output: not decoded whole."""
    output_frames: int
    """How many the output has."""
    frame_rate: Fraction
    """Of the source; for timecode and for how long the last frame is shown."""
    has_request: bool = True
    """Whether the run's report said what was asked."""
    shortfall: str = ""
    """What the source lacks at its end, in words."""
    pictures_per_frame: int = 1
    """2 where the rows are the fields of an interlaced film."""

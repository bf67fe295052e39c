"""What a run can be asked for: everything the command line can say, as a frozen dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from .drivers import After, DriverOptions, Measuring, Mode, Neutral
from .edit import PlanOptions
from .errors import OptionError
from .faces import FaceSelection, TrackOptions
from .media import EncodeOptions


def is_named(neutral: float | str | Path) -> TypeGuard[Neutral]:
    """Whether a neutral is auto, none or a time, rather than a picture."""
    return isinstance(neutral, float | int) or str(neutral) in ("auto", "none")


@dataclass(frozen=True, kw_only=True)
class RetargetOptions:
    """Everything the command line can say, with its defaults."""

    mode: Mode = "match"
    """match: take on the driver's expression. add: add its departure from neutral to the performance."""
    strength: float = 1.0
    gains: Mapping[str, float] = field(default_factory=dict)
    """Per action unit, by any of its names."""
    regions: tuple[str, ...] = ()
    """upper, lower, eyes, mouth and action units that may change; empty: all."""
    smooth_seconds: float = 0.2
    source_neutral: float | str | Path = "auto"
    """auto, none, a second of the clip, or a picture of the resting face."""
    driver_neutral: float | str | Path = "auto"
    trim_start: float | None = None
    """Only frames from this second (from the first frame) reach the output."""
    trim_end: float | None = None
    driver_offset_seconds: float = 0.0
    """The driver starts at this second of the output."""
    after: After | None = None
    """release, hold or loop once the driver has ended; None: release for clips and captures, hold for curves."""
    release_seconds: float = 0.5
    faces: FaceSelection | None = None
    """None: the largest of each shot, or all, left to right, if the driver has sections per face."""
    driver_faces: FaceSelection = field(default_factory=FaceSelection)
    """Whose expression a driver clip gives; a capture file's faces are counted by id."""
    min_face_px: int | None = None
    checkpoint: Path | None = None
    """None: the one that comes with the package."""
    gaze: bool = False
    """Whether a measured driver (clip or capture) also moves the eyes' direction. An actor's eyeline belongs to
    the scene, so it is kept unless asked; curves that name AU61..AU64 always move it."""
    device: str = "auto"
    batch: int = 0
    """Faces a forward pass; 0: by the device."""
    sequence_rate: Fraction = Fraction(24)
    """Frames a second of an image sequence, and of a still shown as a video."""
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("match", "add"):
            raise OptionError(f"mode {self.mode!r} is unknown; use match or add")
        if self.after not in (None, "release", "hold", "loop"):
            raise OptionError(f"after {self.after!r} is unknown; use release, hold or loop")
        if self.min_face_px is not None and self.min_face_px < 1:
            raise OptionError(f"a smallest face of {self.min_face_px} px makes no sense; use 1 or more")
        self.plan_options()  # says at once what is wrong with the rest

    def neutral_pictures(self) -> list[Path]:
        """The pictures of resting faces that are read."""
        return [Path(str(n)) for n in (self.source_neutral, self.driver_neutral) if not is_named(n)]

    def plan_options(
        self, neutral: NDArray[np.float32] | float | str = "auto", faces: FaceSelection | None = None
    ) -> PlanOptions:
        """The part that is about turning what the driver asks into an edit."""
        return PlanOptions(
            strength=self.strength,
            gains=self.gains,
            regions=self.regions,
            smooth_seconds=self.smooth_seconds,
            neutral=neutral,
            faces=self.faces or faces or FaceSelection(),
        )

    @property
    def is_trimmed(self) -> bool:
        """Whether only a part of the source is edited."""
        return bool(self.trim_start or self.trim_end)

    def track_options(self) -> TrackOptions:
        """The part that is about finding faces."""
        return TrackOptions(min_face_px=self.min_face_px)

    def measuring(self) -> Measuring:
        """The part that is about measuring the faces of a driver."""
        neutral = self.driver_neutral
        return Measuring(
            faces=self.driver_faces,
            smooth_seconds=self.smooth_seconds,
            gaze=self.gaze,
            neutral_picture=None if is_named(neutral) else Path(str(neutral)),
            sequence_rate=self.sequence_rate,
            track=self.track_options(),
        )

    def driver_options(self) -> DriverOptions:
        """The part that is about playing the driver."""
        neutral = self.driver_neutral
        return DriverOptions(
            mode=self.mode,
            offset_seconds=self.driver_offset_seconds,
            after=self.after,
            release_seconds=self.release_seconds,
            neutral=neutral if is_named(neutral) else "auto",  # a picture is measured where the driver is loaded
            face=self.driver_faces.index or 0,
        )

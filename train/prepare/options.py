"""What a preparation can be asked for, with every default."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class FlagLimits:
    """Beyond what a crop is flagged and by default not used. Changing them tracks nothing again.

    The defaults were chosen by looking at what they catch among 20,000 crops of clips and photos.
    """

    min_sharpness: float = 0.033
    """blurred: less of the face's contrast than this is finest detail."""
    max_enlargement: float = 2.0
    """small: a pixel of the source covers more than so many of the crop, each way."""
    max_yaw_degrees: float = 45.0
    """turned; the pipeline fades edits out between 35 and 55."""
    max_pitch_degrees: float = 35.0
    max_rival: float = 0.5
    """several_faces: another face in the frame is at least so large, relative to this one."""
    min_chroma: float = 3.0
    """gray: the colour varies less than this over the crop (standard deviation of Cr and Cb, of 255)."""
    max_residual: float = 0.09
    """misfit: the mesh fits no head better than this, canonical units."""
    max_outside: float = 0.3
    """edge: more than this share of the crop lies beyond the picture's edge, where its border is repeated."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Everything `retarget-train prepare` can be asked, with its defaults."""

    crop: CropSpec = field(default_factory=CropSpec)
    frames_per_clip: int = 120
    """At most, evenly spread."""
    min_face_px: int | None = None
    """Smallest face looked for; None: 6 % of the picture's height, at least 32 px."""
    jobs: int = 0
    """Processes; 0: one a core."""
    jpeg_quality: int = 95
    """Of the crops, 1 to 100; 0: PNG, which loses nothing and takes five times the space."""
    eval_fraction: float = 0.1
    """Of the people, for evaluation, where a list does not say."""
    limits: FlagLimits = field(default_factory=FlagLimits)
    openface: tuple[Path, ...] = ()
    """OpenFace's CSV files, or folders of them, in place of our own action units."""

    def __post_init__(self) -> None:
        if self.frames_per_clip < 1:
            raise OptionError(f"{self.frames_per_clip} frames per clip make no sense; use 1 or more")
        if self.jobs < 0:
            raise OptionError(f"{self.jobs} jobs make no sense; use 1 or more, or 0 for one a core")
        if not 0 <= self.jpeg_quality <= 100:
            raise OptionError(f"JPEG quality {self.jpeg_quality} makes no sense; use 1 to 100, or 0 for PNG")
        if not 0 <= self.eval_fraction < 1:
            raise OptionError(f"eval fraction {self.eval_fraction} makes no sense; use 0 to below 1")
        if self.min_face_px is not None and self.min_face_px < 1:
            raise OptionError(f"a smallest face of {self.min_face_px} px makes no sense; use 1 or more")

    @property
    def suffix(self) -> str:
        """Of the crops' files."""
        return ".jpg" if self.jpeg_quality else ".png"

    def as_json(self) -> dict[str, Any]:
        """What the dataset's description says of them: all but how many processes there were."""
        values = dataclasses.asdict(self)
        del values["jobs"]
        return values | {"openface": [str(path) for path in self.openface]}

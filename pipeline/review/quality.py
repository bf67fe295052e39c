"""How a clip came out, as plain records that can be pickled and stored as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from ..files import shown
from ..options import RetargetOptions
from ..report import Report
from ..timecode import advance_timecode

State = Literal["done", "skipped", "failed"]
MarkerColor = Literal["RED", "ORANGE", "YELLOW", "GREEN"]
Reason = Literal[
    "failed", "no_output", "unreadable", "frame_count", "face_lost_output", "painted", "boiling",
    "flicker", "residual", "softer", "incomplete", "decode", "face_lost_source",
    "pose", "faded", "blur", "occlusion",
    "no_face", "face_count",
]  # fmt: skip


@dataclass(frozen=True)
class ReasonInfo:
    """What a reason for a flag means."""

    color: MarkerColor
    """RED: wrong. ORANGE: probably visible. YELLOW: look if there is time. GREEN: for information."""
    title: str
    meaning: str


REASONS: Mapping[Reason, ReasonInfo] = {
    "failed": ReasonInfo("RED", "Failed", "the job ended with an error"),
    "no_output": ReasonInfo("RED", "No output", "the output is not there"),
    "unreadable": ReasonInfo("RED", "Unreadable", "source or output could not be read for this report"),
    "frame_count": ReasonInfo("RED", "Frame count", "the output has not as many frames as the source"),
    "face_lost_output": ReasonInfo(
        "RED", "Face lost in output", "tracked in the source, no longer recognised after the edit"
    ),
    "painted": ReasonInfo(
        "RED", "Painted colours", "colours that this person shows nowhere, or an open mouth of one flat colour"
    ),
    "boiling": ReasonInfo(
        "ORANGE", "Boiling", "the edited face changes from frame to frame in a way that no movement explains"
    ),
    "flicker": ReasonInfo("ORANGE", "Flicker", "the edit jumps from frame to frame where the source does not"),
    "residual": ReasonInfo("ORANGE", "Big residual", "the expression asked for was not reached"),
    "softer": ReasonInfo("ORANGE", "Softer", "the edited face is clearly less sharp than the source's"),
    "incomplete": ReasonInfo("ORANGE", "Source not whole", "the source ends before the end that it promises"),
    "decode": ReasonInfo("ORANGE", "Decode failure", "a picture could not be decoded whole"),
    "face_lost_source": ReasonInfo(
        "ORANGE", "Face lost in source", "not tracked for a while; those frames pass through unedited"
    ),
    "pose": ReasonInfo("YELLOW", "Extreme pose", "turned or nodded so far that the edit is faded"),
    "faded": ReasonInfo(
        "YELLOW", "Held back", "the edit fades: the face comes, goes, is cut by the border or hardly recognised"
    ),
    "blur": ReasonInfo("YELLOW", "Blur", "the source's face is out of focus or smeared by movement"),
    "occlusion": ReasonInfo("YELLOW", "Occlusion?", "the mesh fits badly: something may be before the face"),
    "no_face": ReasonInfo("GREEN", "No face", "a shot without a face to edit"),
    "face_count": ReasonInfo(
        "GREEN", "Face count", "more or fewer faces than in the output, or around it in the shot"
    ),
}

ASKED_FLOOR = 0.05
"""l2 of v_rel below which nobody would see an edit; such frames have no part in means."""


@dataclass(frozen=True, kw_only=True)
class QcInput:
    """A job that has ended."""

    name: str
    source: Path
    output: Path | None
    """None: it was never made."""
    report: Report | None
    """Of the run. None: unknown, so nothing can be said about what was asked."""
    state: State
    error: str
    """In one line; empty unless failed."""
    seconds: Mapping[str, float]
    """Busy time per stage."""
    options: RetargetOptions


@dataclass(frozen=True)
class Flag:
    """A range of frames that somebody should look at, and why."""

    reason: Reason
    first_frame: int
    """Index in the output, from 0."""
    last_frame: int
    """The last one that is flagged."""
    in_seconds: float
    """When the first flagged frame is shown, from the clip's first frame."""
    out_seconds: float
    """When the frame after the last is shown."""
    worst_frame: int
    comment: str
    """What was measured there."""
    face: int | None = None
    """Position among the edited faces of the shot; None: not about one face."""

    def __post_init__(self) -> None:
        if not 0 <= self.first_frame <= self.worst_frame <= self.last_frame:
            raise ValueError(
                f"Flag spans frames {self.first_frame} to {self.last_frame} with the worst at {self.worst_frame}"
            )

    @property
    def frame_count(self) -> int:
        """At least 1."""
        return self.last_frame - self.first_frame + 1

    @property
    def color(self) -> MarkerColor:
        """How bad it is, as its reason says."""
        return REASONS[self.reason].color


@dataclass(frozen=True)
class UnitSummary:
    """How one action unit came out over the frames in which it was asked to move."""

    name: str
    asked: float
    """Mean |v_rel|."""
    error: float
    """Mean |own + v_rel - measured in the output|."""
    response: float
    """Slope of the measured change over the asked one: 1 is what was asked, 0 nothing."""


@dataclass(frozen=True)
class PictureSummary:
    """What the judges of pictures say of a clip's edited frames, all faces together. NaN: not measured."""

    never_seen: float
    """Per mille of the face box whose colour the person never shows, in the worst frame."""
    never_seen_frame: int
    """The worst frame."""
    never_seen_regions: Mapping[str, float]
    """Of these, per mille of the face box that are in mouth, eyes and jaw: each in its own worst frame."""
    boiling: Mapping[str, float]
    """By region ("face" is the whole box), of the source's: 1 is none more."""
    detail: Mapping[str, float]
    """In the open mouth and the open eyes: median, of the source's."""
    new_edges: float
    """Per mille of the face box on edges of the skin that the source has nowhere near, in the worst frame."""

    def never_seen_in(self, region: str) -> float:
        """Per mille of the face box, in that region's worst frame; "face" is the whole box."""
        return self.never_seen_regions.get(region, self.never_seen)

    def detail_in(self, region: str) -> float:
        """Of the source's; NaN where it is not measured."""
        return self.detail.get(region, math.nan)


@dataclass(frozen=True)
class Moment:
    """Pictures of one frame: before and after, the face and the whole picture, as JPEG."""

    frame: int
    seconds: float
    caption: str
    face_before: bytes
    """Empty where there is no face, like the rest where there is nothing to show."""
    face_after: bytes
    frame_before: bytes
    frame_after: bytes

    @property
    def byte_count(self) -> int:
        """Of its pictures together."""
        return sum(map(len, (self.face_before, self.face_after, self.frame_before, self.frame_after)))


@dataclass(frozen=True, kw_only=True)
class ClipQuality:
    """All that the report says about one job. Plain values: it can be pickled, and stored as JSON."""

    __pydantic_config__ = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants"
    )

    name: str
    source: str
    output: str
    """Empty: there is none."""
    state: State
    error: str = ""
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    frame_rate: Fraction = Fraction(25)
    """For timecode only; times are seconds."""
    frames: int = 0
    frames_edited: int = 0
    faces: int = 0
    seconds: tuple[float, ...] = ()
    """Of each frame, from the clip's first."""
    edit: tuple[float, ...] = ()
    """Per frame, the l2 norm of what was asked (v_rel); of several faces the one that is asked most. NaN: no
    face."""
    residual: tuple[float, ...] = ()
    """Per frame, the l2 norm of own + v_rel - measured, over the action units that were asked in this clip; of
    several faces the worst. NaN: not measured."""
    units: tuple[UnitSummary, ...] = ()
    """Most asked first."""
    pictures: PictureSummary | None
    """None: no face was edited. No default: what was stored before it was measured is
    measured again."""
    flags: tuple[Flag, ...] = ()
    """In order of time."""
    moments: tuple[Moment, ...] = ()
    notes: tuple[str, ...] = ()
    """One line each."""

    @property
    def mean_edit(self) -> float:
        """Mean edit size over the frames with an edit; NaN if there is none."""
        return _mean_where(self.edit, self.edit)

    @property
    def mean_residual(self) -> float:
        """Mean residual over the frames with an edit; NaN if there is none."""
        return _mean_where(self.residual, self.edit)

    @property
    def score(self) -> float:
        """0 (nothing to see) to 100: how urgently to look, for sorting.

        100 if there is no usable output. Else each reason adds its colour's weight, a third of it for being there
        at all and the rest by the share of the clip it covers, and what is left of the request adds up to 5.
        """
        if any(flag.reason in _HOPELESS for flag in self.flags):
            return 100.0
        covered: dict[Reason, int] = {}
        for flag in self.flags:
            covered[flag.reason] = covered.get(flag.reason, 0) + flag.frame_count
        total = sum(
            _COLOR_WEIGHT[REASONS[reason].color] * (1 + 2 * min(1.0, count / max(self.frames, 1))) / 3
            for reason, count in covered.items()
        )
        left = self.mean_residual / self.mean_edit if self.mean_edit > 0 else 0.0
        return round(min(99.0, total + 5 * min(1.0, left if math.isfinite(left) else 0.0)), 2)

    def timecode(self, frame: int) -> str:
        """Of a frame of the output, counted from 00:00:00:00, drop-frame at 29.97 and 59.94 fps."""
        drop = self.frame_rate.denominator == 1001 and self.frame_rate.numerator in (30000, 60000)
        return advance_timecode("00:00:00;00" if drop else "00:00:00:00", frame, self.frame_rate)

    def to_json(self) -> bytes:
        """The whole record, for `quality_from_json`; names of files as they are shown."""
        plain = replace(
            self,
            name=shown(self.name),
            source=shown(self.source),
            output=shown(self.output),
            error=shown(self.error),
            notes=tuple(map(shown, self.notes)),
        )
        return _AS_JSON.dump_json(plain)


_HOPELESS: frozenset[Reason] = frozenset({"failed", "no_output", "unreadable"})
_COLOR_WEIGHT: Mapping[MarkerColor, float] = {"RED": 45, "ORANGE": 18, "YELLOW": 6, "GREEN": 0.5}

_AS_JSON = TypeAdapter(ClipQuality)


def quality_from_json(data: bytes) -> ClipQuality:
    """What `ClipQuality.to_json` wrote; a batch that runs again need not measure what has not changed.

    Raises:
        ValueError: it was written by another version, or is damaged; measure again.
    """
    return _AS_JSON.validate_json(data)


@dataclass(frozen=True)
class MarkerSpec:
    """A marker on the output's frames, for an editing timeline."""

    name: str
    comment: str
    color: MarkerColor
    start_frame: int
    """In the output, from 0."""
    frame_count: int


def markers_of(quality: ClipQuality) -> list[MarkerSpec]:
    """One marker a flag, in order of time; none for flags that are not about frames."""
    return [
        MarkerSpec(REASONS[f.reason].title, f.comment, f.color, f.first_frame, f.frame_count)
        for f in quality.flags
        if f.reason not in _HOPELESS
    ]


def _mean_where(values: Sequence[float], edit: Sequence[float]) -> float:
    """Mean of the finite values in frames with an edit worth the name."""
    both = np.array([values, edit], np.float64).reshape(2, -1)
    kept = both[0][np.isfinite(both[0]) & (np.nan_to_num(both[1]) >= ASKED_FLOOR)]
    return float(kept.mean()) if len(kept) else math.nan

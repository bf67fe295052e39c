"""Where somebody should look, and why: thresholds on what was measured.

The thresholds were found on real clips; each says on what.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ..edit import MEANINGS, Fade, facing
from .boiling import FLOOR_LEVELS, windowed
from .face_view import REGIONS, Region
from .quality import ASKED_FLOOR, REASONS, Flag, Reason
from .series import ClipSeries, FaceSeries, Mask, Series

BRIDGE_FRAMES = 2
"""Flagged ranges this close are one."""

RESIDUAL_FLOOR = 0.4
"""Smaller residuals are the tracker's noise: where nothing was asked, up to 0.25 on 25 shots."""
RESIDUAL_FRACTION = 0.9
"""Of what was asked. Half of all frames stay below 0.65 and 95 % below 0.9; at 1 nothing was reached."""

FLICKER_OVER_SOURCE = 1.5
"""Times the source's own second difference within two frames: what the edit may carry over from it."""
FLICKER_PER_REQUEST = 0.03
"""Second difference of the landmarks for one of v_rel (l2): a driven blink is no flicker."""
FLICKER_FLOOR = 0.012
"""What may be left, in distances of the outer eye corners; at most 0.006 in 24 of 25 shots."""
POP_FRACTION = 0.45
"""Of the change in the neighbouring frames (plus a level): what a frame may depart. At most 0.37 in 22 of 23
shots; 0.5 to 0.7 where an edit was left out in one frame."""
POP_PER_REQUEST = 0.3
"""More of it for one of v_rel's second difference; a clip driven with a blink a frame long came to 0.77."""
POP_LEVELS = 1.5
"""Less than this, of 255, is not seen."""

SOFTER_FRACTION = 0.75
"""Of the source's sharpness. An edit that shuts an open mouth came to 0.81, re-encoding to 0.92."""
BLUR_FRACTION = 0.55
"""Of the shot's sharp frames (90 %)."""
BLUR_FLOOR = 0.16
"""Below it a face is smeared whatever the rest is like; well-lit film is at 0.4 to 0.8, soft film at 0.25."""

NEVER_SEEN_PER_MILLE = 0.2
"""Five pixels of the face box. Twelve clips of people that no training saw have at most 0.08 with mild edits
(|v_rel| up to 0.65). Edited by 2 to 4, nine of them have 0.66 to 13 where blots, bars or gleams were painted into
eyes and mouths, and three that show none 0 to 0.08."""
FLAT_FRACTION = 0.25
"""Of the detail that the shot's open mouths have in nine of ten frames. Those edits have 0.45 and more, but for
one frame; one flat colour has 0."""
ENOUGH_OPEN_FRAMES = 8
DETAIL_UNKNOWN_LEVELS = 8.0
"""Where the source's mouth is not open often enough to compare with. The softest of those clips has 10.5."""
BOILING_RATIO = 1.3
"""Over `WINDOW_FRAMES`, of the source's residual in the same region. Mild edits reach 1.24 in the mouth, 1.16
in the eyes, 1.07 along the jaw and 1.02 in the whole box."""
BOILING_PER_SPEED: Mapping[Region, float] = {"face": 1.0, "mouth": 10.0, "eyes": 10.0, "jaw": 2.0}
"""Levels of residual for one of v_rel (l2) a frame: driven lids and lips uncover what was not there. Blinks and
speech that look right take up to 10 in eyes and mouth and none in box and jaw; blots in eyes that are opened
against the source's blinks take 12 to 46, flickering teeth 11 to 27, a boiling jaw 3 to 4."""

POSE_LEFT = 0.75
"""Of the edit, below which the pose's fade is worth a look: 34 degrees of yaw or 32 of pitch."""

MISFIT_FLOOR = 0.05
MISFIT_OVER_USUAL = 2.0
"""Times the shot's median. A bar passing before a face reaches 2.3 to 9 times, and 0.056 to 0.12."""
CONFIDENCE_FLOOR = 0.6
COVERED_FLOOR = 0.15
COVERED_PER_DEGREE = 0.012
"""Share of the face that may look otherwise for each degree that the head is turned from its usual pose. Half a
face behind an object is 0.25 and more."""


@dataclass(frozen=True, eq=False)
class _Finding:
    """A reason, where it holds, and what to say about it."""

    reason: Reason
    where: Mask
    amount: Series
    """The higher, the worse."""
    comment: Callable[[int], str]
    """Of the worst row."""
    least_frames: int = 1
    """Shorter ranges are chance."""


def flags_of(clip: ClipSeries) -> tuple[Flag, ...]:
    """Every flag of a clip that was read, in order of time."""
    ends = _end_seconds(clip)
    frames = np.arange(len(clip.seconds))
    flags = [
        flag for finding in _clip_findings(clip) for flag in _flags(finding, frames, clip.seconds, ends, None)
    ]
    for face in clip.faces:
        for finding in _face_findings(face):
            flags += _flags(finding, face.frames, clip.seconds, ends, face.face)
    if clip.output_frames != len(clip.seconds):
        at = max(0, min(clip.output_frames, len(clip.seconds)) - 1)
        made, had = (count // clip.pictures_per_frame for count in (clip.output_frames, len(clip.seconds)))
        text = f"{made} frames, the source has {had}"
        flags.append(Flag("frame_count", at, at, float(clip.seconds[at]), float(ends[at]), at, text))
    if clip.shortfall:
        last = len(clip.seconds) - 1
        begin, end = float(clip.seconds[last]), float(ends[last])
        flags.append(Flag("incomplete", last, last, begin, end, last, clip.shortfall))
    order = list(REASONS)
    return tuple(sorted(flags, key=lambda flag: (flag.first_frame, order.index(flag.reason), flag.face or 0)))


def _end_seconds(clip: ClipSeries) -> Series:
    """(n,) when each frame's successor is shown."""
    return np.append(clip.seconds[1:], clip.seconds[-1] + float(1 / (clip.frame_rate * clip.pictures_per_frame)))


def _flags(
    finding: _Finding, frames: NDArray[np.int64], seconds: Series, ends: Series, face: int | None
) -> Iterator[Flag]:
    for start, stop in _bridged(finding.where):
        if np.count_nonzero(finding.where[start:stop]) < finding.least_frames:
            continue
        amount = np.where(finding.where[start:stop], finding.amount[start:stop], -np.inf)
        worst = start + int(np.argmax(np.nan_to_num(amount, nan=0.0, neginf=-np.inf)))
        first, last = int(frames[start]), int(frames[stop - 1])
        yield Flag(
            finding.reason,
            first,
            last,
            round(float(seconds[first]), 4),
            round(float(ends[last]), 4),
            int(frames[worst]),
            finding.comment(worst),
            face,
        )


def _bridged(where: Mask) -> list[tuple[int, int]]:
    """(start, stop) of the runs of True, over gaps of up to `BRIDGE_FRAMES`."""
    at = np.flatnonzero(where)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > BRIDGE_FRAMES + 1)
    starts, stops = at[np.r_[0, breaks + 1]], at[np.r_[breaks, len(at) - 1]] + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def _clip_findings(clip: ClipSeries) -> Iterator[_Finding]:
    corrupt = clip.corrupt
    sides = ("the source", "the output")
    yield _Finding(
        "decode",
        _true(corrupt.any(axis=1)),
        corrupt.sum(axis=1).astype(np.float64),
        lambda i: "in " + " and ".join(side for side, bad in zip(sides, corrupt[i], strict=True) if bad),
    )
    counts, shots = clip.face_counts, clip.shot_of_frame
    usual, edited = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.bool_)
    for shot in np.unique(shots):
        usual[shots == shot] = np.bincount(counts[shots == shot, 0]).argmax()
    for face in clip.faces:
        edited[shots == shots[face.frames[0]]] = True
    yield _Finding(
        "no_face",
        ~edited,
        counts[:, 0].astype(np.float64),
        lambda i: f"shot {shots[i]}: nobody to edit ({_people(counts[i, 0])})",
    )
    odd = (counts[:, 0] != usual) | (counts[:, 0] != counts[:, 1])
    yield _Finding(
        "face_count",
        _true(odd & edited),
        (np.abs(counts[:, 0] - usual) + np.abs(counts[:, 0] - counts[:, 1])).astype(np.float64),
        lambda i: f"{_people(counts[i, 0])} in the source, {counts[i, 1]} in the output; usually {usual[i]}",
        least_frames=3,
    )


def _people(count: int) -> str:
    return "1 face" if count == 1 else f"{count} faces"


def _face_findings(face: FaceSeries) -> Iterator[_Finding]:
    missing = np.ones(len(face.frames))
    yield _Finding("face_lost_source", ~face.in_source, missing, lambda _: "not tracked; passed through")
    yield _Finding(
        "face_lost_output",
        face.in_source & ~face.in_output,
        np.nan_to_num(face.edit),
        lambda i: f"edit {np.nan_to_num(face.edit[i]):.2f}; the tracker finds no face there any more",
    )
    for fade in face.fades:
        if fade.cause != "turned":  # the pose is measured, and has a reason of its own
            yield _held_back(fade, face)
    yield from _picture_findings(face)
    yield from _edit_findings(face)
    yield from _source_findings(face)


def _held_back(fade: Fade, face: FaceSeries) -> _Finding:
    where = (face.frames >= fade.first_frame) & (face.frames <= fade.last_frame)
    return _Finding(
        "faded", where, np.ones(len(where)), lambda _: f"less is done than was asked: {MEANINGS[fade.cause]}"
    )


def _picture_findings(face: FaceSeries) -> Iterator[_Finding]:
    """What the edit painted."""
    never = face.never_seen[:, 0]
    detail, usual = face.detail[:, 0, 1], _least_detail(face)
    flat = detail < FLAT_FRACTION * usual
    yield _Finding(
        "painted",
        _true(never > NEVER_SEEN_PER_MILLE),
        never,
        lambda i: (
            f"{never[i]:.1f} ‰ of the face in colours never seen there; most in the {_most_painted(face, i)}"
        ),
    )
    yield _Finding(
        "painted",
        _true(flat),
        -detail,
        lambda i: f"the open mouth is flat: detail {detail[i]:.1f}, in the shot {usual:.1f}",
        least_frames=3,
    )
    ratio, allowed = _boiling(face)
    excess = np.nan_to_num(ratio / allowed)
    worst = excess.argmax(axis=1)
    yield _Finding(
        "boiling",
        _true(excess.max(axis=1) > 1),
        excess.max(axis=1),
        lambda i: (
            f"{ratio[i, worst[i]]:.1f} times the source's in the {REGIONS[worst[i]]}; what was asked explains "
            f"{allowed[i, worst[i]]:.1f}"
        ),
        least_frames=3,
    )


def _boiling(face: FaceSeries) -> tuple[Series, Series]:
    """(n, regions) how many times the source's residual the output's is over a while, and may be."""
    source, output = np.moveaxis(windowed(face.boiling), -1, 0)
    floored = np.maximum(source, FLOOR_LEVELS)
    per_speed = np.array([BOILING_PER_SPEED[region] for region in REGIONS])
    allowed = BOILING_RATIO + per_speed * windowed(_request_speed(face))[:, None] / floored
    return np.asarray(output / floored, np.float64), allowed


def _most_painted(face: FaceSeries, row: int) -> str:
    """The region with most of a row's colours."""
    parts = face.never_seen[row, 1:]
    return REGIONS[1 + int(parts.argmax())] if 2 * parts.max() > face.never_seen[row, 0] else "skin"


def _least_detail(face: FaceSeries) -> float:
    """What the source's open mouth has nearly always; where it is not open often enough, what any mouth has."""
    own = face.detail[:, 0, 0]
    return _quantile(own, 0.1) if np.isfinite(own).sum() >= ENOUGH_OPEN_FRAMES else DETAIL_UNKNOWN_LEVELS


def _edit_findings(face: FaceSeries) -> Iterator[_Finding]:
    """What the edit did."""
    edit, residual = face.edit, face.residual
    yield _Finding(
        "residual",
        _true(residual > np.maximum(RESIDUAL_FLOOR, RESIDUAL_FRACTION * edit)),
        residual,
        lambda i: f"{residual[i]:.2f} left of {edit[i]:.2f} asked; most {_farthest(face, i)}",
        least_frames=3,
    )
    jump, pop = _jump(face), _popping(face)
    yield _Finding(
        "flicker",
        _true((jump > FLICKER_FLOOR) | (pop > 1)),
        np.fmax(jump / FLICKER_FLOOR, pop),
        lambda i: (
            f"landmarks jump {_shown(face.jitter[i, 1], 3)}, in the source {_shown(face.jitter[i, 0], 3)}; "
            f"pixels depart {_shown(face.pop[i, 0], 1)} of {_shown(face.pop[i, 1], 1)} levels"
        ),
    )
    ratio = face.sharpness[:, 1] / face.sharpness[:, 0]
    yield _Finding(
        "softer",
        _true((ratio < SOFTER_FRACTION) & (edit >= ASKED_FLOOR)),
        -ratio,
        lambda i: f"{ratio[i]:.0%} of the source's sharpness",
        least_frames=3,
    )


def _source_findings(face: FaceSeries) -> Iterator[_Finding]:
    """What in the source makes an edit doubtful."""
    yaw, pitch = face.yaw_degrees, face.pitch_degrees
    left = facing(yaw, pitch, face.roll_radians)
    if face.units:
        yield _Finding(
            "pose",
            _true(left < POSE_LEFT),
            -left,
            lambda i: f"yaw {yaw[i]:.0f}°, pitch {pitch[i]:.0f}°: {left[i]:.0%} of the edit applied",
        )
    sharpness = face.sharpness[:, 0]
    usual = _quantile(sharpness, 0.9)
    yield _Finding(
        "blur",
        _true(sharpness < max(BLUR_FLOOR, BLUR_FRACTION * usual)),
        -sharpness,
        lambda i: f"sharpness {sharpness[i]:.2f}, in the shot {usual:.2f}",
        least_frames=2,
    )
    misfit, covered = face.misfit, face.covered
    turned = np.hypot(yaw - _quantile(yaw, 0.5), pitch - _quantile(pitch, 0.5))
    hidden = covered - COVERED_PER_DEGREE * turned
    torn = misfit > np.maximum(MISFIT_FLOOR, MISFIT_OVER_USUAL * _quantile(misfit, 0.5))
    yield _Finding(
        "occlusion",
        _true(torn | (face.confidence < CONFIDENCE_FLOOR) | (hidden > COVERED_FLOOR)),
        np.fmax(misfit / MISFIT_FLOOR, hidden / COVERED_FLOOR),
        lambda i: f"{covered[i]:.0%} of the face looks otherwise; mesh misfit {misfit[i]:.3f}",
        least_frames=2,
    )


def _shown(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "unknown"


def _jump(face: FaceSeries) -> Series:
    """(n,) second difference of the output's landmarks beyond what source and request explain; NaN: unknown."""
    allowed = FLICKER_OVER_SOURCE * maximum_filter1d(np.nan_to_num(face.jitter[:, 0]), 5)
    return np.asarray(face.jitter[:, 1] - allowed - FLICKER_PER_REQUEST * _request_jump(face), np.float64)


def _popping(face: FaceSeries) -> Series:
    """(n,) over 1 where a frame's edit departs from its neighbours' more than the request does; NaN: unknown."""
    departs, change = face.pop.T
    allowed = (POP_FRACTION + POP_PER_REQUEST * _request_jump(face)) * (change + 1)
    return np.asarray(departs / np.maximum(allowed, POP_LEVELS), np.float64)


def _request_speed(face: FaceSeries) -> Series:
    """(n,) l2 of v_rel's change from a frame to the next or from the one before, whichever is more."""
    out = np.zeros(len(face.frames))
    if face.units and len(out) > 1:
        change = np.linalg.norm(np.diff(np.nan_to_num(face.requested), axis=0), axis=1)
        out = np.maximum(np.append(change, 0), np.append(0, change))
    return out


def _request_jump(face: FaceSeries) -> Series:
    """(n,) l2 of v_rel's second difference, the highest of three frames."""
    out = np.zeros(len(face.frames))
    if face.units and len(out) > 2:
        out[1:-1] = np.linalg.norm(np.diff(np.nan_to_num(face.requested), 2, axis=0), axis=1)
    return np.asarray(maximum_filter1d(out, 3), np.float64)


def _farthest(face: FaceSeries, row: int) -> str:
    """The action unit that is farthest from what was asked: "AU12L (0.41)"."""
    off = np.abs(face.wanted[row] - face.measured[row])
    worst = int(np.argmax(np.nan_to_num(off)))
    return f"{face.units[worst]} ({off[worst]:.2f})"


def _true(comparison: Any) -> Mask:
    """A comparison with NaN is False."""
    return np.asarray(comparison, np.bool_)


def _quantile(values: Series, quantile: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, quantile)) if len(known) else 0.0

"""What will be done to whom: from a clip's analysis and a driver to relative action units per face and frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.action_units import Region
from retarget.model.crop_spec import CropSpec

from ..drivers import Driver, neutral_at, neutral_of
from ..errors import OptionError, UnknownActionUnitError
from ..faces import ClipAnalysis, FaceSelection, FaceTrack, Shot, apply, crop_matrix
from ..smoothing import runs, smooth
from .render import FaceRequest
from .trajectory import edge_ramp, envelope, relative

EDIT_FLOOR = 1 / 255
"""Relative action units all below this leave the frame untouched."""

APPEARANCE_RAMP_SECONDS = 0.2
"""Over which an edit sets in when a face appears within a shot, or goes before it is lost."""

ENVELOPE_SMOOTH_SECONDS = 0.3

_LANDMARK_FILTER = np.array([-3, 12, 17, 12, -3], np.float64) / 35
"""Savitzky-Golay, quadratic, five frames: takes the landmarker's jitter, keeps a blink."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PlanOptions:
    """How a driver's request becomes relative action units."""

    strength: float = 1.0
    gains: Mapping[str, float] | None = None
    """Per action unit, by any of its names: {"AU12": 0.5}."""
    regions: tuple[str, ...] = ()
    """Parts of the face (upper, lower, eyes, mouth) and action units that may change; empty: all."""
    smooth_seconds: float = 0.2
    neutral: NDArray[np.float32] | float | str = "auto"
    """What the source's expression is measured from: "auto" (estimated per face), "none", a second of the
    clip, or (C,) values."""
    faces: FaceSelection = field(default_factory=FaceSelection)

    def __post_init__(self) -> None:
        if not np.isfinite(self.strength) or abs(self.strength) > 10:
            raise OptionError(f"strength {self.strength} makes no sense; 1 is as driven, 0 nothing, 2 double")
        if not 0 <= self.smooth_seconds <= 5:
            raise OptionError(f"smoothing over {self.smooth_seconds} s makes no sense; use 0 (off) to 5 seconds")
        _gains(self)  # says at once what names or numbers are wrong


@dataclass(frozen=True, eq=False)
class FacePlan:
    """One face's edit over its shot."""

    track: FaceTrack
    position: int
    """Among the selected faces of its shot; what drivers call `face`."""
    own: Array
    """(n, C) absolute expression, smoothed."""
    delta_au: Array
    """(n, C) relative action units."""
    allowed: NDArray[np.float64]
    """(n,) in [0, 1]: how much pose, confidence and appearance let through."""
    alignments: NDArray[np.float64]
    """(n, 4) smoothed, see crop.alignment."""

    @property
    def is_active(self) -> NDArray[np.bool_]:
        """(n,) where there is anything to do."""
        active: NDArray[np.bool_] = np.abs(self.delta_au).max(axis=1) >= EDIT_FLOOR
        return active


def plan_faces(analysis: ClipAnalysis, driver: Driver, options: PlanOptions) -> list[FacePlan]:
    """One plan for each selected face of each shot."""
    shots = {shot.number: shot for shot in analysis.shots}
    chosen = analysis.select(options.faces)
    gain = _gains(options)
    return [
        _plan(
            track,
            position,
            shots[track.shot],
            driver,
            options,
            gain,
            _neutral(track, position, chosen, options.neutral),
        )
        for track, position in chosen
    ]


def _plan(
    track: FaceTrack,
    position: int,
    shot: Shot,
    driver: Driver,
    options: PlanOptions,
    gain: NDArray[np.float64],
    neutral: Array,
) -> FacePlan:
    seconds = track.seconds
    own = smooth(track.action_units, seconds, window_seconds=options.smooth_seconds)
    allowed = _allowed(track, shot)
    target = driver.target(seconds, position)
    delta = relative(own, neutral, target, gain=gain * allowed[:, None])
    return FacePlan(
        track=track,
        position=position,
        own=own.astype(np.float32),
        delta_au=delta,
        allowed=allowed,
        alignments=_steady(track.alignments, seconds, options.smooth_seconds),
    )


def _steady(alignments: NDArray[np.float64], seconds: NDArray[np.float64], window: float) -> NDArray[np.float64]:
    unwrapped = alignments.copy()
    unwrapped[:, 3] = np.unwrap(unwrapped[:, 3])
    return smooth(unwrapped, seconds, window_seconds=window)


def _allowed(track: FaceTrack, shot: Shot) -> NDArray[np.float64]:
    raw = envelope(track.yaw_degrees, track.pitch_degrees, track.confidence)
    steady = np.clip(smooth(raw[:, None], track.seconds, window_seconds=ENVELOPE_SMOOTH_SECONDS)[:, 0], 0, 1)
    allowed = np.minimum(steady, raw)
    for start, stop in _unbroken(track):
        seconds = track.seconds[start:stop]
        appears = seconds[0] if track.frames[start] > shot.first_frame + 1 else None
        vanishes = seconds[-1] if track.frames[stop - 1] < shot.last_frame - 1 else None
        allowed[start:stop] *= edge_ramp(seconds, appears, vanishes, APPEARANCE_RAMP_SECONDS)
    return allowed


def _neutral(
    track: FaceTrack,
    position: int,
    chosen: Sequence[tuple[FaceTrack, int]],
    neutral: NDArray[np.float32] | float | str,
) -> Array:
    if isinstance(neutral, np.ndarray):
        return neutral
    if isinstance(neutral, str):
        return neutral_of(track.series(), "none" if neutral == "none" else "auto")
    shown = [(t, p) for t, p in chosen if t.seconds[0] - 0.5 <= neutral <= t.seconds[-1] + 0.5]
    if not shown:
        raise OptionError(f"no selected face is seen at {neutral:g} s of the source; give another --neutral time")
    # Its own face at that second; seen in another shot, the one that most likely is the same person's.
    nearest, _ = min(shown, key=lambda item: (item[0] is not track, item[1] != position))
    return neutral_at(nearest.series(), neutral)


def _gains(options: PlanOptions) -> NDArray[np.float64]:
    """(C,) float64: strength times each unit's gain, 0 outside the regions."""
    gain = np.full(action_units.COUNT, options.strength)
    for name, value in (options.gains or {}).items():
        if not np.isfinite(value) or abs(value) > 10:
            raise OptionError(f"gain {value} of {name} makes no sense; 1 is as driven, 0 nothing, 2 double")
        gain[list(action_units.resolve(name))] *= value
    if options.regions:
        outside = np.ones(action_units.COUNT, np.bool_)
        outside[list(units_of(options.regions))] = False
        gain[outside] = 0
    return gain


REGIONS: tuple[Region, ...] = ("upper", "lower", "eyes", "mouth")


def units_of(regions: Sequence[str]) -> tuple[int, ...]:
    """Vector indices of a mix of regions and action units.

    Raises:
        UnknownActionUnitError: neither a region nor an action unit.
    """
    wanted: set[int] = set()
    for name in regions:
        if name.lower() in REGIONS:
            wanted.update(action_units.in_regions([name.lower()]))  # type: ignore[list-item]
            continue
        try:
            wanted.update(action_units.resolve(name))
        except UnknownActionUnitError as error:
            raise UnknownActionUnitError(
                f"region {name!r} is none of {', '.join(REGIONS)}, and {error}"
            ) from error
    return tuple(sorted(wanted))


class EditSchedule:
    """The plans by frame: what to ask of the renderer for each picture as it comes by."""

    def __init__(self, analysis: ClipAnalysis, plans: Sequence[FacePlan], crop: CropSpec) -> None:
        self._analysis, self._crop = analysis, crop
        self._by_frame: dict[int, list[tuple[FacePlan, int]]] = {}
        for plan in plans:
            for i in np.flatnonzero(plan.is_active):
                self._by_frame.setdefault(int(plan.track.frames[i]), []).append((plan, int(i)))
        self._runs = {id(plan): _run_of_each(plan.track) for plan in plans}

    def __len__(self) -> int:
        """Frames with something to do."""
        return len(self._by_frame)

    def faces(self, frame_index: int) -> list[FaceRequest]:
        """Requests for one frame; empty where it passes through."""
        return list(self._requests(self._by_frame.get(frame_index, ())))

    def _requests(self, planned: Sequence[tuple[FacePlan, int]]) -> Iterator[FaceRequest]:
        for plan, i in planned:
            matrix = crop_matrix(plan.alignments[i], self._crop)
            landmarks = apply(matrix, self._landmarks(plan, i)).astype(np.float32)
            yield FaceRequest(matrix, landmarks, plan.delta_au[i], plan.own[i])

    def _landmarks(self, plan: FacePlan, i: int) -> NDArray[np.float64]:
        """(478, 3) display pixels, steadied over five frames where there are that many in a row."""
        start, stop = self._runs[id(plan)][i]
        if i - 2 < start or i + 3 > stop:
            return self._analysis.landmarks(plan.track, i).astype(np.float64)
        near = [self._analysis.landmarks(plan.track, j) for j in range(i - 2, i + 3)]
        return np.tensordot(_LANDMARK_FILTER, np.stack(near).astype(np.float64), axes=1)


def _run_of_each(track: FaceTrack) -> list[tuple[int, int]]:
    """For each moment of the track, the unbroken run of frames it lies in."""
    out: list[tuple[int, int]] = []
    for start, stop in _unbroken(track):
        out += [(start, stop)] * (stop - start)
    return out


def _unbroken(track: FaceTrack) -> list[tuple[int, int]]:
    """(start, stop) of the track's runs of consecutive frames; where the face was lost in between, one ends."""
    return runs(track.frames.astype(np.float64), 0.5)  # half a frame: any missing one breaks a run

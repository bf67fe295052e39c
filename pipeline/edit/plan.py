"""What will be done to whom: from a clip's analysis and a driver to relative action units per face and frame."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..drivers import Driver, neutral_at, neutral_of
from ..errors import OptionError
from ..faces import ClipAnalysis, FaceTrack, Person, Shot
from ..smoothing import smooth
from .causes import Fade
from .fading import FULL_EFFECT, allowances, fades_of
from .lender import Lender
from .lips import lips_shut, touching
from .loan import Loans, Sighting
from .looks import Seen
from .options import PlanOptions
from .own_motion import OwnMotion
from .trajectory import relative, softened

EDIT_FLOOR = 1 / 255
"""Relative action units all below this leave the frame untouched."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FacePlan:
    """One face's edit over its shot."""

    track: FaceTrack
    position: int
    """Among the selected faces of its shot; what drivers call `face`."""
    own: Array
    """(n, C) absolute expression, smoothed."""
    delta_au: Array
    """(n, C) relative action units, softened where they are more than can be shown."""
    allowed: NDArray[np.float64]
    """(n,) in [0, 1]: how much pose, border, confidence and appearance let through."""
    fades: tuple[Fade, ...]
    """Where and why less is done than was asked."""
    alignments: NDArray[np.float64]
    """(n, 4) smoothed, see crop.alignment."""
    asked: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    """(n,) length of the vector of relative action units that the driver asks for, before it was softened."""
    held_back: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """By opening (mouth, right eye, left eye): (n,) in [0, 1] how much of what the driver opens is opened, as far
    as that was looked at; see `reach`."""
    corrected_from: Array | None = None
    """(n, C) what the result is to show, where `delta_au` was corrected so that it does; None: it was not."""
    lips_together: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    """(n,) in [0, 1]: how far the lips are to touch; empty: as they may."""
    own_motion: OwnMotion | None = None
    """How this person's face moves otherwise than others do; None where nobody looked."""

    @property
    def goal(self) -> Array:
        """(n, C) the relative action units that the result is to show."""
        return self.delta_au if self.corrected_from is None else self.corrected_from

    @property
    def is_active(self) -> NDArray[np.bool_]:
        """(n,) where there is anything to do."""
        active: NDArray[np.bool_] = np.abs(self.delta_au).max(axis=1) >= EDIT_FLOOR
        return active


@dataclass(frozen=True)
class Refinement:
    """What measuring the result and correcting the plans came to."""

    rounds: int
    moments: int
    """That were measured, of all faces."""
    miss_before: float
    """Root mean square of what the result lacked at some of them, over the action units that were asked for."""
    miss_after: float
    """The same of the corrected result."""


@dataclass(frozen=True, eq=False)
class Plans:
    """What will be done to whom in a clip: one plan for each selected face of each shot."""

    analysis: ClipAnalysis
    faces: tuple[FacePlan, ...]
    loans: Loans | None = None
    """What is borrowed from other frames; None where nobody looked."""
    lenders: tuple[Lender, ...] = ()
    """Further clips of those who are edited."""
    refinement: Refinement | None = None
    """How far the result was measured and corrected; None where nobody looked."""

    @property
    def faded_frames(self) -> int:
        """Frames in which some face's edit is held back, see `fading`."""
        return len({int(frame) for plan in self.faces for frame in plan.track.frames[plan.allowed < FULL_EFFECT]})

    @property
    def edited_persons(self) -> tuple[Person, ...]:
        """Who is edited, of those whose person is known."""
        numbers = {plan.track.person for plan in self.faces}
        return tuple(person for person in self.analysis.persons if person.number in numbers)

    def seen(self, own: FaceTrack) -> Iterator[Seen]:
        """Where the person of a track is seen, in the source and in further clips."""
        for track in self.analysis.tracks:
            if track is own or (track.person and track.person == own.person):
                yield Seen(0, self.analysis, track)
        for number, lender in enumerate(self.lenders, 1):
            for track in lender.tracks.get(own.person, ()):
                yield Seen(number, lender.analysis, track)

    def frames_lent(self, clip: int) -> tuple[int, int]:
        """How many frames of a lender (from 1) lend something, and in how many of the source that is shown."""
        if self.loans is None:
            return 0, 0
        tracks = {(plan.track.shot, plan.track.face_id): plan.track for plan in self.faces}
        borrowing = {
            int(tracks[shot, face].frames[at])
            for (shot, face, at), loans in self.loans.by_moment.items()
            if any(loan.key[-1] == clip for loan in loans)
        }
        return len(self.loans.sightings.get(clip, {})), len(borrowing)

    @property
    def edited_frames(self) -> int:
        """Frames with something to do."""
        return len({int(frame) for plan in self.faces for frame in plan.track.frames[plan.is_active]})

    def sightings(self, frames: Collection[int]) -> dict[int, dict[int, list[Sighting]]]:
        """What these frames borrow, by number of the clip and index of the frame that it is read from."""
        if self.loans is None:
            return {}
        keys = {
            loan.key
            for plan in self.faces
            for i in np.flatnonzero(np.isin(plan.track.frames, list(frames)))
            for loan in self.loans.by_moment.get((plan.track.shot, plan.track.face_id, int(i)), ())
        }
        out: dict[int, dict[int, list[Sighting]]] = {}
        for clip, frames_of_clip in self.loans.sightings.items():
            found = ((at, [one for one in lent if one.key in keys]) for at, lent in frames_of_clip.items())
            out[clip] = {at: lent for at, lent in found if lent}
        return {clip: lent for clip, lent in out.items() if lent}


def plan_faces(analysis: ClipAnalysis, driver: Driver, options: PlanOptions) -> Plans:
    """The plans, from what tracking found and what the driver asks. Touches no picture."""
    shots = {shot.number: shot for shot in analysis.shots}
    chosen = analysis.select(options.faces)
    gain = np.array(options.gain_of_units(), np.float64)
    plans = (
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
    )
    return Plans(analysis, tuple(plans))


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
    by_cause = allowances(track, shot)
    allowed = np.minimum.reduce(list(by_cause.values()))
    target = driver.target(seconds, position)
    asked = relative(own, neutral, target, gain=gain * allowed[:, None])
    touch = touching(target, gain, allowed)
    asked = lips_shut(asked, own, touch)
    is_asked = np.abs(relative(own, neutral, target, gain=gain)).max(axis=1) >= EDIT_FLOOR
    return FacePlan(
        track=track,
        position=position,
        own=own.astype(np.float32),
        asked=np.linalg.norm(asked, axis=1),
        delta_au=softened(asked),
        lips_together=touch,
        allowed=allowed,
        fades=fades_of(track, by_cause, is_asked),
        alignments=_steady(track.alignments, seconds, options.smooth_seconds),
    )


def _steady(alignments: NDArray[np.float64], seconds: NDArray[np.float64], window: float) -> NDArray[np.float64]:
    unwrapped = alignments.copy()
    unwrapped[:, 3] = np.unwrap(unwrapped[:, 3])
    return smooth(unwrapped, seconds, window_seconds=window)


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
    # Its own face at that second; seen in another shot, the same person's, or the one that most likely is.
    nearest, _ = min(
        shown, key=lambda item: (item[0] is not track, not _is_one(item[0], track), item[1] != position)
    )
    return neutral_at(nearest.series(), neutral)


def _is_one(one: FaceTrack, other: FaceTrack) -> bool:
    return one.person == other.person != 0

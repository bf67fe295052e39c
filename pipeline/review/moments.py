"""Which moments of a run are worth a picture, and who is edited in them how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..edit import EDIT_FLOOR, FacePlan


def choose_moments(plans: Sequence[FacePlan], frame_count: int, count: int) -> list[int]:
    """The frames to show, in order: the strongest edits, spread over the frames that are edited.

    At most `count` of the `frame_count` frames; where fewer are edited, the others are spread over the rest.
    """
    strength = np.zeros(frame_count)
    for plan in plans:
        force = np.linalg.norm(plan.delta_au, axis=1) * plan.is_active
        np.maximum.at(strength, plan.track.frames, force)
    edited = int((strength > 0).sum())
    if edited == 0:
        return sorted({round(x) for x in np.linspace(0, frame_count - 1, min(count, frame_count))})
    reach = max(1.0, edited / count)
    chosen: list[int] = []
    distance = np.full(frame_count, float(frame_count))
    while len(chosen) < min(count, frame_count):
        # squared, so that next to a strong moment a weaker one further on is the better picture
        score = strength * np.minimum(distance / reach, 1) ** 2
        best = int(np.argmax(score if score.any() else distance))
        chosen.append(best)
        distance = np.minimum(distance, np.abs(np.arange(frame_count) - best))
    return sorted(chosen)


@dataclass(frozen=True, eq=False)
class FaceMoment:
    """One planned face in one frame."""

    plan: FacePlan
    at: int
    """Its place in the plan's arrays."""

    @property
    def delta_au(self) -> NDArray[np.float32]:
        """(C,) relative action units."""
        return self.plan.delta_au[self.at]

    @property
    def strength(self) -> float:
        """l2 of `delta_au`."""
        return float(np.linalg.norm(self.delta_au))

    @property
    def size_px(self) -> float:
        """The longer side of the face, in display pixels."""
        return float(self.plan.track.size_px[self.at])

    @property
    def center(self) -> NDArray[np.float64]:
        """(2,) x, y in display pixels."""
        return self.plan.track.centers[self.at]


def faces_at(plans: Sequence[FacePlan], frame_index: int) -> list[FaceMoment]:
    """The planned faces that are seen in a frame, the most edited (of equals the largest) first."""
    found = []
    for plan in plans:
        at = int(np.searchsorted(plan.track.frames, frame_index))
        if at < len(plan.track.frames) and plan.track.frames[at] == frame_index:
            found.append(FaceMoment(plan, at))
    return sorted(found, key=lambda face: (-face.strength, -face.size_px))


def strongest(values: NDArray[np.floating], count: int, *, floor: float = EDIT_FLOOR) -> list[tuple[str, float]]:
    """(name, value) of the largest magnitudes of a vector (C,); a name without side where both sides agree."""
    merged: list[tuple[str, float]] = []
    for unit in action_units.ACTION_UNITS:
        own = [(entry, float(values[action_units.NAMES.index(entry)])) for entry in unit.entries]
        if len(own) == 2 and abs(own[0][1] - own[1][1]) < 0.05:
            own = [(unit.name, (own[0][1] + own[1][1]) / 2)]
        merged += [(name, value) for name, value in own if abs(value) >= floor]
    return sorted(merged, key=lambda pair: -abs(pair[1]))[:count]

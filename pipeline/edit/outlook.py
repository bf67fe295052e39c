"""A plan's moments as they will look: mouth and eyes before and after the edit, without a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..faces import head_pose
from .choice import Wanted
from .looks import Looks, upright
from .parts import PARTS, Part
from .plan import FacePlan, Plans
from .reach import ALIKE_TURN, held_back
from .records import FaceRequest
from .render import Renderer
from .schedule import EditSchedule

AT_ONCE = 256
"""Moments whose landmarks are held in memory."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _State:
    """A part at n moments."""

    shapes: tuple[Array, ...]
    """A piece each: (n, k, 2)."""
    gaps: NDArray[np.float64]
    """(n, pieces)"""

    @classmethod
    def of(cls, canonical: NDArray[np.float64], part: Part) -> _State:
        """Of landmarks (n, 478, 3) canonical."""
        shapes = tuple(piece.shape(canonical) for piece in part.pieces)
        return cls(shapes, np.stack([piece.gap(canonical) for piece in part.pieces], 1))

    @classmethod
    def joined(cls, states: list[_State]) -> _State:
        shapes = zip(*(state.shapes for state in states), strict=True)
        return cls(tuple(np.concatenate(s) for s in shapes), np.concatenate([state.gaps for state in states]))


class Outlook:
    """Some moments of a plan. Keeps about 1 kB of each, and holds the landmarks of `AT_ONCE`."""

    def __init__(self, plans: Plans, plan: FacePlan, moments: NDArray[np.int64], renderer: Renderer) -> None:
        self._schedule = EditSchedule(replace(plans, loans=None), renderer.crop)
        self._plan, self._moments, self._renderer = plan, moments, renderer
        states: list[list[_State]] = []
        rotations = []
        for requests in self._requests(plan.delta_au[moments]):
            poses = [head_pose(request.landmarks) for request in requests]
            rotations += [upright(pose) for pose in poses]
            own = np.stack([p.canonical(r.landmarks) for p, r in zip(poses, requests, strict=True)])
            states.append([_State.of(own, part) for part in PARTS])
        self._own = [_State.joined(list(some)) for some in zip(*states, strict=True)]
        self._rotations = np.stack(rotations).astype(np.float32)

    def shown(self, part: int, looks: Looks) -> NDArray[np.float64]:
        """(n, pieces) the largest gap of a part (its number among PARTS) that is seen at about the pose of each
        moment, its own included."""
        out = self._own[part].gaps.copy()
        for i, rotation in enumerate(self._rotations if len(looks) else ()):
            alike = np.abs(looks.rotations - rotation).max((1, 2)) <= ALIKE_TURN
            out[i] = np.maximum(out[i], looks.gaps[alike].max(0, initial=0))
        return out

    def within_reach(self, plan: FacePlan, shown: NDArray[np.float64]) -> FacePlan:
        """The plan with nothing opened further than (n, pieces of all parts) is shown."""

        def gaps(delta_au: Array) -> NDArray[np.float64]:
            return np.concatenate([state.gaps for state in self._after(delta_au)], 1)

        pieces, moments = [piece for part in PARTS for piece in part.pieces], self._moments
        openers, seconds = [piece.opener for piece in pieces], plan.track.seconds[moments]
        delta, left = held_back(plan.delta_au[moments], openers, shown, gaps, seconds)
        everywhere = plan.delta_au.copy()
        everywhere[moments] = delta
        held = {piece.name: self._everywhere(plan, piece.name, left[:, i]) for i, piece in enumerate(pieces)}
        return replace(plan, delta_au=everywhere, held_back=held)

    def wanted(self, plan: FacePlan) -> list[Wanted]:
        """Of each part: what is to be shown, and what the plate shows."""
        return [
            Wanted(
                seconds=plan.track.seconds[self._moments],
                shapes=after.shapes,
                gaps=after.gaps,
                plate_shapes=own.shapes,
                plate_gaps=own.gaps,
                rotations=self._rotations,
                sizes_px=np.exp(plan.alignments[self._moments, 2]),
            )
            for after, own in zip(self._after(plan.delta_au[self._moments]), self._own, strict=True)
        ]

    def _after(self, delta_au: Array) -> list[_State]:
        """Each part after an edit (n, C)."""
        states: list[list[_State]] = []
        for requests in self._requests(delta_au):
            poses = [head_pose(request.landmarks) for request in requests]
            targets = self._renderer.targets(requests)
            after = np.stack([pose.canonical(target) for pose, target in zip(poses, targets, strict=True)])
            states.append([_State.of(after, part) for part in PARTS])
        return [_State.joined(list(some)) for some in zip(*states, strict=True)]

    def _requests(self, delta_au: Array) -> Iterator[list[FaceRequest]]:
        """What is asked of the network for (n, C), some moments at a time."""
        everywhere = self._plan.delta_au.copy()
        everywhere[self._moments] = delta_au
        plan = replace(self._plan, delta_au=everywhere)
        for start in range(0, len(self._moments), AT_ONCE):
            yield [self._schedule.request(plan, int(i)) for i in self._moments[start : start + AT_ONCE]]

    def _everywhere(self, plan: FacePlan, name: str, left: NDArray[np.float64]) -> NDArray[np.float64]:
        out = plan.held_back.get(name, np.ones(len(plan.track.frames))).copy()
        out[self._moments] *= left
        return out

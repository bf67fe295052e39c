"""The closed loop: a sample of the result is rendered and measured, and the plans corrected by what it lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from .edit import (
    SAMPLES_A_SECOND,
    EditedFrame,
    EditSchedule,
    FacePlan,
    Plans,
    Refinement,
    Renderer,
    borrowing,
    corrected,
    missed,
    rms_of_asked,
    sampled,
)
from .faces import Landmarker, apply
from .media import VideoReader
from .options import RetargetOptions
from .records import Frame, VideoInfo
from .resources import Resources
from .session import Session, edits, open_planned
from .smoothing import Series
from .stream import Clock, Progress, Stage, no_progress

CHECKED = 4
"""One of so many sampled moments is measured again when the plans are corrected."""

Moments = NDArray[np.int64]


def refined(session: Session, plans: Plans) -> Plans:
    """The plans of a session, corrected as often as its options say."""
    loop = _Loop(session.reader, session.renderer, session.options, session.clock, session.progress)
    return loop.refined(plans)


def refine_plans(
    plans: Plans, options: RetargetOptions | None = None, *, resources: Resources | None = None
) -> Plans:
    """The plans with what their result lacks added to what they ask, `options.refine` times.

    Renders and measures about four frames a second of where something is edited; holds as much as
    `edited_frames`.

    Raises:
        RetargetError: the source, the checkpoint or the device cannot be used.
    """
    options, resources = options or RetargetOptions(), resources or Resources()
    with open_planned(plans, options) as reader:
        renderer = resources.renderer(options, reader.info)
        return _Loop(reader, renderer, options, Clock(), no_progress).refined(plans)


@dataclass(frozen=True, eq=False)
class _Loop:
    reader: VideoReader
    renderer: Renderer
    options: RetargetOptions
    clock: Clock
    progress: Progress[EditedFrame]

    def refined(self, plans: Plans) -> Plans:
        if not self.options.refine:
            return plans
        if plans.loans is None:
            plans = self._borrowing(plans)
        moments = [sampled(plan) for plan in plans.faces]
        if not any(len(some) for some in moments):
            return plans
        with Landmarker(self.options.tracker) as landmarker:
            return self._rounds(plans, moments, landmarker)

    def _rounds(self, asked: Plans, moments: Sequence[Moments], landmarker: Landmarker) -> Plans:
        """The corrected plans; those that were asked for where the result came no nearer to them."""
        rounds, plans = self.options.refine, asked
        again = [
            np.flatnonzero(np.isin(some, sampled(plan, SAMPLES_A_SECOND / CHECKED)))
            for plan, some in zip(asked.faces, moments, strict=True)
        ]
        measured = sum(len(some) for some in moments)
        misses = self._missed(plans, moments, landmarker)
        before = rms_of_asked(plans.faces, [miss[rows] for miss, rows in zip(misses, again, strict=True)])
        for number in range(1, rounds + 1):
            plans = self._corrected(plans, moments, misses)
            if number == rounds:
                moments = [some[rows] for some, rows in zip(moments, again, strict=True)]
            misses = self._missed(plans, moments, landmarker)
        after = rms_of_asked(plans.faces, misses)
        if after >= before:
            return replace(asked, refinement=Refinement(0, measured, before, before))
        return replace(plans, refinement=Refinement(rounds, measured, before, after))

    def _corrected(self, plans: Plans, moments: Sequence[Moments], misses: Sequence[Series]) -> Plans:
        """Corrected, and again opened no further than the footage shows, with loans that suit."""
        faces = tuple(corrected(*each) for each in zip(plans.faces, moments, misses, strict=True))
        held = self._borrowing(replace(plans, faces=faces, loans=None))
        pairs = zip(held.faces, plans.faces, strict=True)
        return replace(held, faces=tuple(replace(face, held_back=asked.held_back) for face, asked in pairs))

    def _borrowing(self, plans: Plans) -> Plans:
        with self.clock.running("borrow"):
            return borrowing(plans, self.renderer)

    def _missed(
        self, plans: Plans, moments: Sequence[Moments], landmarker: Landmarker
    ) -> list[NDArray[np.float64]]:
        """(m, C) of each face: what the result lacks at those moments."""
        measured = self._measured(plans, moments, landmarker)
        return [missed(*each) for each in zip(plans.faces, moments, measured, strict=True)]

    def _measured(
        self, plans: Plans, moments: Sequence[Moments], landmarker: Landmarker
    ) -> list[NDArray[np.float32]]:
        """(m, C) of each face: absolute action units of the result at those moments; NaN where it is not found."""
        out = [np.full((len(some), action_units.COUNT), np.nan, np.float32) for some in moments]
        wanted: dict[int, list[tuple[int, int]]] = {}
        for face, some in enumerate(moments):
            for row, i in enumerate(some):
                wanted.setdefault(int(plans.faces[face].track.frames[i]), []).append((face, row))
        rendered = edits(self.reader, self.renderer, plans, wanted.keys(), clock=self.clock)
        look = _Look(plans, self.renderer, landmarker, self.reader.info)
        with contextlib.closing(rendered):
            for frame in self.progress(rendered, Stage.REFINE, len(wanted)):
                with self.clock.running("measure"):
                    for face, row in wanted[frame.result.index]:
                        seen = look.at(plans.faces[face], int(moments[face][row]), frame.result)
                        if seen is not None:
                            out[face][row] = seen
        return out


class _Look:
    """Looks at edited faces where they are expected."""

    def __init__(self, plans: Plans, renderer: Renderer, landmarker: Landmarker, info: VideoInfo) -> None:
        self._schedule = EditSchedule(plans, renderer.crop)
        self._renderer, self._landmarker, self._info = renderer, landmarker, info

    def at(self, plan: FacePlan, moment: int, frame: Frame) -> NDArray[np.float32] | None:
        """(C,) absolute action units at a moment of a plan, whose edited frame this is; None: no such face."""
        request = self._schedule.request(plan, moment)
        (target,) = self._renderer.targets([request])
        expected = apply(cv2.invertAffineTransform(request.crop_from_display), target)
        seen = self._landmarker.near_in(frame, self._info, expected)
        return None if seen is None else seen.action_units

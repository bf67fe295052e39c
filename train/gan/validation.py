"""How a network does on the people whom a run only looks at, in pictures and in numbers; and when it did best.

    true_frame   of frame pairs: distance to the true frame in mouth and eyes, over that of the geometry's warp (of
                 the source, for a network without geometry): mean of `pixel_over_warp` and `gradient_over_warp`
    expression   distance of the action units that the tracker sees to those asked for, over that of doing nothing;
                 where the dataset's are the tracker's own
    zero_edit    mean change, in [0, 1] units, of an edit that asks for nothing

Less is better. They choose a step of a run, and are no evaluation: the network was chosen by them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retarget.model.editor import Editor
from retarget.model.generator import EditInput, compose
from retarget.model.images import warp

from ..metrics import FaceMeter, is_measured
from . import losses
from .batches import BatchSource, Examples
from .options import BestBy
from .regions import feature_mask
from .sampling import sheet
from .steps import Edited, apply_editor

_ORDER = ("true_frame", "expression", "zero_edit")


@dataclass(frozen=True)
class Best:
    """When a run did best."""

    by: str
    score: float
    step: int
    people: str
    """"validation" for people set aside, "training" where there are none."""


def best_of(scores: Mapping[str, float], by: BestBy, *, step: int, people: str) -> Best | None:
    """This step by the score that decides; None if that is not measured here."""
    name = next((name for name in _ORDER if name in scores), None) if by == "auto" else by
    score = scores.get(name, math.nan) if name else math.nan
    return Best(name, score, step, people) if name and math.isfinite(score) else None


def judge_of(source: BatchSource, count: int, device: torch.device, meter: FaceMeter | None) -> Judge:
    """A judge on so many examples; with a tracker where the dataset's action units are of one."""
    sees = meter if meter is not None or not is_measured(source.dataset) else FaceMeter().to(device)
    return Judge(source.examples(count).to(device), sees)


@dataclass(frozen=True, eq=False)
class Judge:
    """The same examples, again and again."""

    examples: Examples
    meter: FaceMeter | None
    """None: expressions are not measured."""

    @property
    def name(self) -> str:
        """What its scores are of: "validation", or "training" if nobody was set aside."""
        return "validation" if self.examples.is_new else "training"

    @torch.no_grad()
    def look(self, editor: Editor, *, rows: int) -> tuple[NDArray[np.uint8], dict[str, float]]:
        """((h, w, 3) uint8 RGB, a row an example; the scores)."""
        batch = self.examples.batch
        fake = apply_editor(editor, batch)
        warped = warp(batch.image, fake.edit.flow)
        still = editor(EditInput(batch.image, batch.au, torch.zeros_like(batch.au), batch.landmarks))
        scores = {"zero_edit": float((compose(batch.image, still) - batch.image).abs().mean()) / 2}
        scores |= self._true_frames(fake, warped) | self._expressions(editor, fake)
        return sheet(self.examples, fake, warped, rows=rows), scores

    def _true_frames(self, fake: Edited, warped: Tensor) -> dict[str, float]:
        batch = self.examples.batch
        if not batch.pairs:
            return {}
        count, target = batch.pairs, batch.pair_image
        mask = feature_mask(batch.pair_landmarks, target.shape[-1])
        ours, theirs = (losses.pixel_loss(x[:count], target, mask, scales=1) for x in (fake.picture, warped))
        sharp, plain = (losses.gradient_loss(x[:count], target, mask) for x in (fake.picture, warped))
        pixel, gradient = (float(a / b.clamp(min=1e-6)) for a, b in ((ours, theirs), (sharp, plain)))
        return {
            "pixel_over_warp": pixel,
            "gradient_over_warp": gradient,
            "true_frame": (pixel + gradient) / 2,
        }

    def _expressions(self, editor: Editor, fake: Edited) -> dict[str, float]:
        if self.meter is None:
            return {}
        wanted = editor.known(self.examples.batch.wanted_au)
        after = editor.known(self.meter(fake.picture, fake.landmarks).action_units)
        before = editor.known(self._before)
        missed, asked = ((x - wanted).norm(dim=1).mean() for x in (after, before))
        return {"expression": float(missed / asked.clamp(min=1e-6))}

    @functools.cached_property
    def _before(self) -> Tensor:
        assert self.meter is not None
        return self.meter(self.examples.batch.image, self.examples.batch.landmarks).action_units

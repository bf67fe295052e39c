"""What was measured of one method, edit by edit: scores of all of it, and of any people in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .measurements import (
    Outcome,
    PairOutcome,
    SweepOutcome,
    ZeroOutcome,
    class_score_of,
    inception_of,
    paired_scores,
    sweep_scores,
    unpaired_scores,
    zero_scores,
)
from .methods import Method
from .picture_judges import RealPatches, Verdict, Verdicts, crop_judge_scores
from .scores import CostScores, MethodScores

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Findings:
    """Records of one method's edits on crops."""

    unpaired: Sequence[Outcome]
    paired: Sequence[PairOutcome]
    zero: Sequence[ZeroOutcome]
    sweep: Sequence[SweepOutcome]
    verdicts: Verdicts = field(default_factory=lambda: Verdicts((), ()))

    def scores(
        self, method: Method, cost: CostScores | None, *, real: Mapping[str, RealPatches], seed: int
    ) -> MethodScores:
        """The method's row. `real`: patches to compare mouths and eyes with; none: they are not."""
        return MethodScores(
            label=method.label,
            kind=method.kind,
            is_reference=method.is_reference,
            checkpoint=method.source.name if method.source else "",
            crop_px=method.crop_px,
            condition=method.editor.condition if method.editor else "",
            action_units=len(method.editor.action_units) if method.editor else 0,
            unpaired=unpaired_scores(self.unpaired),
            paired=paired_scores(self.paired),
            zero=zero_scores(self.zero),
            sweep=sweep_scores(self.sweep),
            cost=cost,
            inception=inception_of(self.unpaired, seed=seed),
            class_score=class_score_of(self.unpaired, seed=seed),
            judges=crop_judge_scores(self.verdicts, real, seed=seed),
        )

    def people(self, identity: NDArray[np.int64]) -> NDArray[np.int64]:
        """Who is edited, in order; `identity`: of the dataset's rows."""
        return np.unique([identity[record.trial.source] for record in self.unpaired])

    def of(self, people: Sequence[int], identity: NDArray[np.int64]) -> Findings:
        """The records of those people; of one who is named twice, twice."""
        counts = np.bincount(people, minlength=int(identity.max()) + 1)

        def repeated(records: Sequence[T], rows: Sequence[int]) -> list[T]:
            return [r for r, row in zip(records, rows, strict=True) for _ in range(counts[identity[row]])]

        def of_trials(records: Sequence[Verdict]) -> tuple[Verdict, ...]:
            return tuple(repeated(records, [record.trial.source for record in records]))

        return Findings(
            repeated(self.unpaired, [record.trial.source for record in self.unpaired]),
            repeated(self.paired, [record.trial.source for record in self.paired]),
            repeated(self.zero, [record.row for record in self.zero]),
            repeated(self.sweep, [record.row for record in self.sweep]),
            Verdicts(of_trials(self.verdicts.pairs), of_trials(self.verdicts.unpaired)),
        )

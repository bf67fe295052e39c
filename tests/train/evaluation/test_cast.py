"""Faces are chosen among those that the tracker sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.train.data import Dataset
from retarget.train.evaluation.bench import Bench, Tools
from retarget.train.evaluation.cast import choose
from retarget.train.evaluation.errors import EvaluationError
from retarget.train.evaluation.evaluation import evaluate
from retarget.train.evaluation.methods import nothing

SIZE = 64


def test_where_nothing_can_be_measured_it_says_so(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any, patch_meter: Any
) -> None:
    with pytest.raises(EvaluationError, match=r"no face is seen in any of 6 crops; look at sheet\.png"):
        evaluate({"net": saved()}, dataset, tmp_path / "a", quick, tools=Tools(patch_meter(blind=True)))
    calm = dataclasses.replace(quick, min_request=9.0)
    with pytest.raises(EvaluationError, match="differ by 9 in expression; evaluate on more faces"):
        evaluate({"net": saved()}, dataset, tmp_path / "b", calm, tools=tools)


def test_unseen_faces_are_passed_over_and_counted(dataset: Dataset, quick: Any, patch_meter: Any) -> None:
    class Picky(patch_meter):
        def measure(self, crop: np.ndarray, near: np.ndarray) -> Any:
            seen = super().measure(crop, near)
            return None if np.array_equal(crop, dataset.image(0)) else seen

    bench = Bench(dataset, [nothing(SIZE)], Tools(Picky()), quick)
    cast = choose(bench, np.arange(6))
    assert 0 not in cast.sources
    assert all(0 not in (trial.source, trial.target) for trial in (*cast.trials, *cast.pairs))
    assert cast.notes == ("1 crops in which the tracker sees no face were passed over",)
    assert {frozenset((t.source, t.target)) for t in cast.pairs} <= {frozenset((2, 3)), frozenset((4, 5))}

"""Who judges expressions learns at the size that is judged, and from training people alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from retarget.model import action_units
from retarget.train.data import Dataset
from retarget.train.evaluation.expression_judge import SEEN_PX, ExpressionJudge

JAW = action_units.resolve("AU26")[0]


class Brightness:
    """Describes a picture by its rows' means; remembers how many it saw."""

    def __init__(self) -> None:
        self.seen = 0

    def describe(self, patches: Sequence[np.ndarray]) -> np.ndarray:
        assert all(patch.shape == (SEEN_PX, SEEN_PX, 3) for patch in patches)
        self.seen += len(patches)
        return np.stack([patch.mean((1, 2))[::8] for patch in patches])


def test_an_open_mouth_is_told_at_each_size(make_dataset: Callable[..., Dataset]) -> None:
    dataset, features = make_dataset(people=6, frames=20, evaluated=1), Brightness()
    judge = ExpressionJudge(dataset, features, seed=0)
    assert judge.missing is None
    assert features.seen == 0  # nothing is learnt before it is asked
    rows = np.flatnonzero(dataset.is_eval)
    pictures = [dataset.image(int(row)) for row in rows]
    classes = judge.probabilities(pictures)
    assert classes is not None
    assert features.seen == 100 + 20  # the training people's, and those asked about
    judge.probabilities(pictures)
    assert features.seen == 100 + 40
    assert judge.accuracy(pictures, dataset.action_units[rows]) > 0.4  # by chance one in eight
    small = [picture[::2, ::2] for picture in pictures]
    judge.probabilities(small)
    assert features.seen == 100 + 60 + 100 + 20


def test_why_there_is_none(make_dataset: Callable[..., Any]) -> None:
    dataset = make_dataset(people=3, frames=5)
    assert ExpressionJudge(dataset, None, seed=0).missing == "not measured: install retarget[evaluate]"
    judge = ExpressionJudge(dataset, Brightness(), seed=0)
    assert judge.missing == "not measured: 15 usable training crops, and 80 are needed"
    assert judge.probabilities([dataset.image(0)]) is None

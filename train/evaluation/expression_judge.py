"""How plainly and how variously edits show expressions: by classes of the dataset's own people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..data import Dataset
from ..metrics import FEWEST_PICTURES, ExpressionClassifier
from .trials import spread

SEEN_PX = 128
"""What the network sees of crops of any size."""
MOST_PICTURES = 1200
"""Of the training split, to learn from."""
AT_ONCE = 32

Picture = NDArray[np.uint8]


class Features(Protocol):
    """metrics.patches.PatchNetwork."""

    def describe(self, patches: Sequence[Picture]) -> NDArray[np.float64]: ...


class ExpressionJudge:
    """A classifier for each crop size, learnt when first asked, from the training split at that very size.

    A network for small crops would else be judged by how small its crops are.
    """

    def __init__(self, dataset: Dataset, features: Features | None, *, seed: int) -> None:
        self._dataset, self._features, self._seed = dataset, features, seed
        self._known: dict[int, ExpressionClassifier] = {}
        rows = np.flatnonzero(dataset.usable & ~dataset.is_eval)
        order = spread(dataset.identity[rows], MOST_PICTURES, np.random.default_rng([seed, 8]))
        self._rows = rows[order]

    @property
    def missing(self) -> str | None:
        """Why there is none, if so."""
        if self._features is None:
            return "not measured: install retarget[evaluate]"
        if len(self._rows) < FEWEST_PICTURES:
            return f"not measured: {len(self._rows)} usable training crops, and {FEWEST_PICTURES} are needed"
        return None

    def probabilities(self, pictures: Sequence[Picture]) -> NDArray[np.float64] | None:
        """(n, K) of n pictures (S, S, 3) of one size; None where nobody can say."""
        if self.missing or not pictures:
            return None
        return self._of(pictures[0].shape[0]).probabilities(self._described(pictures))

    def accuracy(self, pictures: Sequence[Picture], units: NDArray[np.floating]) -> float:
        """Share of unedited pictures of one size, whose action units are (n, C), that it puts into their class."""
        return self._of(pictures[0].shape[0]).accuracy(units, self._described(pictures))

    def _of(self, size_px: int) -> ExpressionClassifier:
        if size_px not in self._known:
            pictures = [_resized(self._dataset.image(int(row)), size_px) for row in self._rows]
            units = self._dataset.action_units[self._rows]
            self._known[size_px] = ExpressionClassifier.fit(units, self._described(pictures), seed=self._seed)
        return self._known[size_px]

    def _described(self, pictures: Sequence[Picture]) -> NDArray[np.float64]:
        assert self._features is not None
        seen = [_resized(picture, SEEN_PX) for picture in pictures]
        parts = [self._features.describe(seen[i : i + AT_ONCE]) for i in range(0, len(seen), AT_ONCE)]
        return np.concatenate(parts)


def _resized(picture: Picture, size_px: int) -> Picture:
    if picture.shape[0] == size_px:
        return picture
    way = cv2.INTER_AREA if size_px < picture.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size_px, size_px), interpolation=way), np.uint8)

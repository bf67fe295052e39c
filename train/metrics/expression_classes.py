"""Expression classes of a dataset's own, and who tells them from pictures: in the place of Inception's classes.

The score of Salimans et al. (2016), exp KL(p(y|x) || p(y)), needs a classifier. The weights of its own are not to
be had from a package registry, and its classes are dogs and ships. Here the classes are clusters of a dataset's
expressions, and softmax regression on a network's features tells them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

CLASSES = 8
FEWEST_PICTURES = 10 * CLASSES
RESTARTS, ROUNDS = 8, 50
WEIGHT_DECAY = 1e-2

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExpressionClassifier:
    """Softmax regression on features (n, d), to the nearest of the centres of expressions."""

    centres: Values
    """(K, C) action units."""
    mean: Values
    """(d,)"""
    spread: Values
    """(d,)"""
    weight: Values
    """(d + 1, K), the last row a constant's."""

    @classmethod
    def fit(cls, units: NDArray[np.floating], features: Values, *, seed: int = 0) -> ExpressionClassifier:
        """From n pictures' action units (n, C) and features (n, d); n from `FEWEST_PICTURES`."""
        centres = cluster_centres(np.asarray(units, np.float64), CLASSES, seed=seed)
        mean, spread = features.mean(0), features.std(0) + 1e-6
        weight = _regression(_with_constant((features - mean) / spread), nearest(units, centres))
        return cls(centres, mean, spread, weight)

    def probabilities(self, features: Values) -> Values:
        """(n, K), rows summing to 1."""
        logits = _with_constant((features - self.mean) / self.spread) @ self.weight
        raised = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(raised / raised.sum(1, keepdims=True))

    def accuracy(self, units: NDArray[np.floating], features: Values) -> float:
        """Share of pictures that are put into the class of their expression."""
        return float((self.probabilities(features).argmax(1) == nearest(units, self.centres)).mean())


def cluster_centres(points: Values, count: int, *, seed: int) -> Values:
    """(count, C): k-means of points (n, C), the best of a few starts (k-means++)."""
    rng = np.random.default_rng(seed)
    tries = [_lloyd(points, _spread_out(points, count, rng)) for _ in range(RESTARTS)]
    return min(tries, key=lambda centres: float(_distances(points, centres).min(1).sum()))


def nearest(points: NDArray[np.floating], centres: Values) -> NDArray[np.int64]:
    """(n,) which of the centres (K, C) each of the points (n, C) is nearest to."""
    return np.asarray(_distances(np.asarray(points, np.float64), centres).argmin(1), np.int64)


def _distances(points: Values, centres: Values) -> Values:
    """(n, K), squared."""
    return np.asarray(np.square(points[:, None] - centres[None]).sum(2))


def _spread_out(points: Values, count: int, rng: np.random.Generator) -> Values:
    chosen = [points[rng.integers(len(points))]]
    for _ in range(count - 1):
        chance = _distances(points, np.array(chosen)).min(1) + 1e-12
        chosen.append(points[rng.choice(len(points), p=chance / chance.sum())])
    return np.array(chosen)


def _lloyd(points: Values, centres: Values) -> Values:
    for _ in range(ROUNDS):
        own = nearest(points, centres)
        moved = np.array(
            [points[own == k].mean(0) if (own == k).any() else centres[k] for k in range(len(centres))]
        )
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres


def _with_constant(features: Values) -> Values:
    return np.concatenate([features, np.ones((len(features), 1))], 1)


def _regression(rows: Values, classes: NDArray[np.int64]) -> Values:
    """(d, K): softmax regression with a ridge, by L-BFGS."""
    x, y = torch.from_numpy(rows), torch.from_numpy(classes)
    weight = torch.zeros(rows.shape[1], CLASSES, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weight, y) + WEIGHT_DECAY * weight[:-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return np.asarray(weight.detach().numpy())

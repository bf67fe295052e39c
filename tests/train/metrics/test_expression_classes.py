"""Expressions fall into classes, and pictures are put into them."""

from __future__ import annotations

import numpy as np
import pytest

from retarget.train.metrics.expression_classes import CLASSES, ExpressionClassifier, cluster_centres, nearest


def planted(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(classes, action units, features): eight expressions, told by features that are a noisy turn of them."""
    rng = np.random.default_rng(seed)
    kinds = np.eye(CLASSES)
    own = rng.integers(0, CLASSES, count)
    units = kinds[own] + rng.normal(0, 0.05, (count, CLASSES))
    turn = np.random.default_rng(9).normal(size=(CLASSES, 20))
    return own, units, units @ turn + rng.normal(0, 0.1, (count, 20))


def test_planted_clusters_are_found() -> None:
    own, units, _ = planted(400, 0)
    centres = cluster_centres(units, CLASSES, seed=0)
    found = nearest(units, centres)
    assert len(set(zip(own.tolist(), found.tolist(), strict=True))) == CLASSES  # one to one
    assert np.array_equal(cluster_centres(units, CLASSES, seed=0), centres)


def test_pictures_never_seen_are_put_into_their_class() -> None:
    _, units, features = planted(400, 0)
    classifier = ExpressionClassifier.fit(units, features)
    _, others, seen = planted(100, 1)
    classes = classifier.probabilities(seen)
    assert classes.shape == (100, CLASSES)
    np.testing.assert_allclose(classes.sum(1), 1)
    assert classifier.accuracy(others, seen) > 0.95
    noise = np.random.default_rng(3).normal(size=seen.shape)
    assert classifier.accuracy(others, noise) == pytest.approx(1 / CLASSES, abs=0.12)

"""Who is edited towards what: fair, repeatable, and worth asking for."""

from __future__ import annotations

import numpy as np

from retarget.model import action_units
from retarget.train.evaluation.trials import (
    PAIRS_A_CLIP,
    paired_rows,
    spread,
    unpaired_trials,
)

C = action_units.COUNT


def _units(**values: float) -> np.ndarray:
    out = np.zeros(C, np.float32)
    for name, value in values.items():
        out[list(action_units.resolve(name))] = value
    return out


def test_spread_takes_from_everyone_before_anyone_gives_twice() -> None:
    identity = np.array([0] * 50 + [1] * 2 + [2])
    chosen = spread(identity, 5, np.random.default_rng(0))
    assert sorted(identity[chosen[:3]]) == [0, 1, 2]
    assert sorted(identity[chosen]) == [0, 0, 1, 1, 2]
    assert len(set(chosen.tolist())) == 5


def test_spread_is_the_seeds_alone_and_ends_with_the_rows() -> None:
    identity = np.arange(6) // 2
    first, second = (spread(identity, 99, np.random.default_rng(3)) for _ in range(2))
    assert first.tolist() == second.tolist()
    assert sorted(first.tolist()) == list(range(6))


def test_trials_ask_for_enough_and_never_for_oneself() -> None:
    expressions = {0: _units(), 1: _units(AU12=0.1), 2: _units(AU12=0.8), 3: _units(AU26=0.9)}
    trials = unpaired_trials(
        [0], [0, 1, 2, 3], expressions, targets=7, min_request=0.3, gaze=False, rng=np.random.default_rng(0)
    )
    assert sorted(t.target for t in trials) == [2, 3]  # row 1 asks for 0.14, row 0 is the face itself
    assert all(t.source == 0 for t in trials)
    asked = next(t for t in trials if t.target == 3)
    np.testing.assert_allclose(asked.delta_au, expressions[3])


def test_pairs_are_of_one_clip_alike_in_pose_and_far_apart_in_expression() -> None:
    expressions = np.stack([_units(), _units(AU26=1), _units(AU26=0.9), _units(AU26=1), _units(AU26=0.05)])
    clip = np.array([0, 0, 0, 1, 0])
    angles = np.array([[0, 0, 0], [20, 0, 0], [3, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    pairs = paired_rows(
        expressions, angles, clip, clip, count=9, pose_degrees=6, min_request=0.3, rng=np.random.default_rng(0)
    )
    # 1 is turned away, 3 is another clip, 0 and 4 are too much alike.
    assert [sorted(pair) for pair in pairs] == [[0, 2]]


def test_pairs_of_a_clip_are_disjoint_and_few() -> None:
    rng = np.random.default_rng(1)
    n = 40
    expressions = rng.uniform(0, 1, (n, C)).astype(np.float32)
    zeros = np.zeros(n, np.int64)
    pairs = paired_rows(
        expressions, np.zeros((n, 3), np.float32), zeros, zeros, count=99, pose_degrees=6, min_request=0.3, rng=rng
    )
    assert len(pairs) == PAIRS_A_CLIP
    assert len({row for pair in pairs for row in pair}) == 2 * PAIRS_A_CLIP

"""What the footage says about how a person moves, with motions that are known."""

from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit import own_motion as module
from retarget.pipeline.edit.own_motion import own_motion_of

C = 46
JAW = 5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def expressions_of(rng: np.random.Generator, count: int = 120) -> Any:
    values = np.zeros((count, C))
    values[:, JAW] = rng.uniform(0, 0.8, count)
    return values


def down(amount: Any) -> Any:
    """(n, 478, 3) one landmark that lies so much (n,) lower."""
    out = np.zeros((len(amount), 478, 3))
    out[:, 17, 1] = amount
    return out


def asked(jaw: float) -> Any:
    return np.eye(C, dtype=np.float32)[JAW] * jaw


def test_a_jaw_that_drops_further_than_others_do_is_learnt(rng: np.random.Generator) -> None:
    expressions = expressions_of(rng)
    motion = own_motion_of(expressions, np.zeros((120, 9)), down(0.2 * expressions[:, JAW]))
    change = motion.change(asked(0.1), asked(0.6))
    assert change[17, 1] == pytest.approx(module._SHARE * 0.2 * 0.6, rel=0.1)
    assert np.abs(np.delete(change, 17, 0)).max() == 0
    back = motion.change(asked(0.7), asked(-0.6))
    np.testing.assert_allclose(back, -change, atol=1e-6)


def test_nothing_asked_adds_nothing_at_all(rng: np.random.Generator) -> None:
    expressions = expressions_of(rng)
    motion = own_motion_of(expressions, np.zeros((120, 9)), rng.normal(0, 0.1, (120, 478, 3)))
    assert not motion.change(asked(0.3), asked(0)).any()


def test_beyond_what_was_seen_it_grows_no_further(rng: np.random.Generator) -> None:
    expressions = expressions_of(rng)
    motion = own_motion_of(expressions, np.zeros((120, 9)), down(expressions[:, JAW] ** 2))
    most = expressions[:, JAW].max()
    np.testing.assert_allclose(
        motion.change(asked(0), asked(1.2)), motion.change(asked(0), asked(most)), atol=1e-6
    )


def test_what_goes_with_the_heads_turn_is_left_out(rng: np.random.Generator) -> None:
    expressions = expressions_of(rng)
    turns = np.zeros((120, 9))
    turns[:, 2] = expressions[:, JAW] + rng.normal(0, 0.1, 120)  # whoever speaks here turns as well
    with_turn = own_motion_of(expressions, turns, down(turns[:, 2]))
    without = own_motion_of(expressions, 0 * turns, down(turns[:, 2]))
    blamed, learnt = (motion.change(asked(0), asked(0.5))[17, 1] for motion in (with_turn, without))
    assert abs(blamed) < 0.4 * learnt


def test_what_was_seen_near_an_expression_counts_more_there(rng: np.random.Generator) -> None:
    expressions = expressions_of(rng)
    bump = np.exp(-np.square(expressions[:, JAW] - 0.4) / (2 * 0.15**2))
    motion = own_motion_of(expressions, np.zeros((120, 9)), down(bump))
    to_middle, to_end = (motion.change(asked(0.02), asked(jaw))[17, 1] for jaw in (0.38, 0.76))
    assert to_middle > 3 * abs(to_end)

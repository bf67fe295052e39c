"""What two runs must have in common to be one."""

from __future__ import annotations

from retarget.train.gan.load import load_options
from retarget.train.gan.options import CAME_LATER, LossOptions, TrainOptions


def test_options_that_came_later_leave_earlier_runs_resumable() -> None:
    # Kept in the states of runs from before there was any of CAME_LATER.
    assert TrainOptions().learning_hash == "37b12e1341e6467a"
    for group, name in CAME_LATER:
        assert name in type(getattr(TrainOptions(), group)).model_fields


def test_what_is_learnt_is_in_the_hash_and_how_long_is_not() -> None:
    one = load_options("paper")
    assert load_options("paper", ["schedule.steps=7", "run.log_steps=3"]).learning_hash == one.learning_hash
    for change in ("losses.condition=149", "losses.condition_meter=1", "seed=1", "generator.k_msf=2"):
        assert load_options("paper", [change]).learning_hash != one.learning_hash


def test_the_paper_has_no_meter() -> None:
    assert LossOptions().condition_meter == load_options("paper").losses.condition_meter == 0

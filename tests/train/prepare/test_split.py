"""Evaluation always has people in clips, and the same ones every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retarget.train.prepare.split import evaluated_people, with_split

CROWD = [f"p{i}" for i in range(200)]


def chosen(people: list[str], moving: list[str], fraction: float = 0.1, **said: bool) -> set[str]:
    return set(evaluated_people(people, moving, said, eval_fraction=fraction))


def test_a_crowd_is_divided_by_a_hash_the_same_on_every_machine() -> None:
    evaluated = chosen(CROWD, CROWD, 0.25)
    assert 0.17 < len(evaluated) / 200 < 0.33  # three standard deviations are 0.09
    assert {"p0", "p1", "p2", "p3"} & evaluated == {"p0", "p2"}
    assert chosen(CROWD, CROWD[:100], 0.25) == evaluated  # who is in clips makes no difference here
    assert not chosen(CROWD, CROWD, 0)


def test_people_stay_where_they_are_when_others_join() -> None:
    before = chosen(CROWD[:100], CROWD[:50])
    assert chosen(CROWD, CROWD[:50]) & set(CROWD[:100]) == before


@pytest.mark.parametrize("start", range(0, 180, 20))
@pytest.mark.parametrize("in_clips", [3, 4, 6])
def test_of_few_people_in_clips_one_is_set_aside_and_two_are_left(start: int, in_clips: int) -> None:
    people = CROWD[start : start + 26]  # by the hash alone, in most of these nobody in clips would be
    moving = people[:in_clips]
    evaluated = chosen(people, moving)
    assert 1 <= len(evaluated & set(moving)) <= in_clips - 2
    assert 1 <= len(evaluated - set(moving)) <= 5


def test_two_people_in_clips_are_kept_to_learn_from() -> None:
    # Neither has a place below 0.1; were there a third, one of them would go.
    assert not chosen(CROWD[:26], ["p1", "p3"]) & {"p1", "p3"}
    assert len(chosen(CROWD[:26], ["p1", "p3", "p4"]) & {"p1", "p3", "p4"}) == 1


def test_a_list_has_the_last_word() -> None:
    people = CROWD[:10]
    assert "p0" not in chosen(people, people, 0.9, p0=False)
    assert chosen(people, people, 0.0, p7=True) == {"p7"}
    # Of the people in clips the list names one, so nobody else has to go.
    assert chosen(people, people[:3], 1e-9, p1=True) & set(people[:3]) == {"p1"}


def test_a_datasets_people(make_dataset: Callable[..., Any]) -> None:
    dataset = make_dataset(people=4, frames=3)
    divided = with_split(dataset, {}, eval_fraction=0.1)
    assert len(set(dataset.identity[divided.is_eval].tolist())) == 1
    by_list = with_split(dataset, {"person 2": True}, eval_fraction=0.1)
    assert set(dataset.identity[by_list.is_eval].tolist()) == {2, 3}  # 3 by the hash
    # Frames that are flagged make no clip: now only three people are in clips, and the fourth has stills.
    flag = np.zeros(12, np.bool_)
    flag[:2] = True
    stills = with_split(make_dataset(people=4, frames=3, flags={"blurred": flag}, name="b"), {}, eval_fraction=0.1)
    assert not stills.is_eval[:3].any()
    assert stills.is_eval[3:].any()

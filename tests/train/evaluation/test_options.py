"""Options that make no sense are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retarget.train.evaluation.errors import EvaluationError
from retarget.train.evaluation.options import EvaluateOptions


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "test"}, "split 'test' is unknown; use eval or train"),
        ({"faces": 0}, "faces is 0; use a whole number from 1"),
        ({"films": 1}, "films is 1; use a whole number from 2"),
        ({"films": 2}, "films is 2, but there are no clips to film"),
        ({"judged": -1}, "judged is -1; use a whole number from 0"),
        ({"pairs": -1}, "pairs is -1; use a whole number from 0"),
        ({"pose_degrees": 0.0}, "pose_degrees is 0.0; use a number above 0"),
        ({"film_seconds": float("nan")}, "film_seconds is nan; use a number above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        EvaluateOptions(**fields)


def test_all_clips_are_filmed_unless_a_number_is_given() -> None:
    assert EvaluateOptions().films is None
    assert EvaluateOptions(films=2, clips=(Path("a"), Path("b"))).films == 2


def test_by_default_the_split_is_edited_as_in_the_paper() -> None:
    assert (EvaluateOptions().faces, EvaluateOptions().targets) == (None, 7)

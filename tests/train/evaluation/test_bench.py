"""Options are refused early, and every face is measured once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.train.evaluation import bench
from retarget.train.evaluation.bench import EvaluateOptions, EvaluationError, open_tools


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "test"}, "split 'test' is unknown; use eval or train"),
        ({"faces": 0}, "faces is 0; use a whole number from 1"),
        ({"films": 1}, "films is 1; use a whole number from 2"),
        ({"films": 2}, "films is 2, but there are no clips to film"),
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


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "find_identity_network", lambda: None)
    monkeypatch.setattr(bench, "find_inception_network", lambda: "not measured: no weights")
    with open_tools() as tools:
        assert tools.identity is None
        assert tools.inception is None
        assert tools.missing["ACD"] == "not measured: install retarget[evaluate]"
        assert tools.missing["IS"] == "not measured: no weights"
        assert tools.meter.measure(np.zeros((64, 64, 3), np.uint8), np.full((478, 3), 32, np.float32)) is None

"""A MetaHuman's curves as action units, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series


def index(name: str) -> int:
    return action_units.NAMES.index(name)


def test_curves(tmp_path: Path, write: Any) -> None:
    columns = {
        "Frame": [0, 1, 2],
        "CTRL_expressions_mouthCornerPullL": [0, 0.2, 0.4],
        "CTRL_expressions_mouthCornerPullR": [0, 0.1, 0.2],
        "CTRL_expressions_jawOpen": [0, 0.5, 0.5],
        "CTRL_expressions_mouthLipsTogetherUL": [0, 0, 1],
        "CTRL_expressions_mouthLipsTogetherUR": [0, 0, 1],
        "CTRL_expressions_tongueUp": [0, 0, 1],
    }
    file = read_series(write(tmp_path / "a.csv", columns))
    assert file.kind == "metahuman"
    values = file.series.values
    assert values[:, index("AU12L")].tolist() == pytest.approx([0, 0.2, 0.4])
    assert values[:, index("AU12R")].tolist() == pytest.approx([0, 0.1, 0.2])
    assert values[:, index("AU25")].tolist() == pytest.approx([0, 0.5, 0])  # an open jaw behind closed lips
    filled = {action_units.NAMES[i] for i in range(action_units.COUNT) if file.series.filled[i]}
    assert filled == {"AU12L", "AU12R", "AU25", "AU26"}


def test_lower_case_and_a_path_before_the_name(tmp_path: Path, write: Any) -> None:
    columns = {
        "time": [0, 0.04],
        "Face:ctrl_expressions_eyeblinkl": [0, 1],
        "Face:ctrl_expressions_eyeblinkr": [0, 0],
    }
    series = read_series(write(tmp_path / "a.csv", columns)).series
    assert series.values[:, index("AU45L")].tolist() == [0, 1]
    assert series.filled[index("AU45R")]

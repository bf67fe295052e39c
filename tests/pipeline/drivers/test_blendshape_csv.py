"""CSVs of blendshapes, which follow no standard."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.errors import DriverError


def index(name: str) -> int:
    return action_units.NAMES.index(name)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("timestamp", [100.0, 100.04, 100.08]),
        ("Time", [0, 0.04, 0.08]),
        ("timestamp_ms", [7000, 7040, 7080]),
        ("frame", [5, 6, 7]),
    ],
)
def test_times(tmp_path: Path, name: str, cells: list[float], write: Any, mediapipe: Any, without: Any) -> None:
    columns = {name: cells, **without(mediapipe(), "timestamp_ms")}
    file = read_series(write(tmp_path / "a.csv", columns), frame_rate=Fraction(25))
    assert file.kind == "blendshapes"
    assert file.series.seconds.tolist() == pytest.approx([0, 0.04, 0.08], abs=1e-9)


def test_dead_shapes_are_left_to_the_performance(tmp_path: Path, write: Any, mediapipe: Any) -> None:
    dead = {f"{name}{side}": [0.001] * 3 for name in ("eyeWide", "noseSneer") for side in ("Left", "Right")}
    file = read_series(write(tmp_path / "a.csv", mediapipe(3, **dead)))
    for name in ("AU05L", "AU05R", "AU09L", "AU09R"):
        assert not file.series.filled[index(name)]
    assert file.series.filled[index("AU06L")]
    assert "AU05, AU09 never move" in file.notes[0]


def test_most_of_the_names_are_enough(tmp_path: Path, write: Any, mediapipe: Any, without: Any) -> None:
    few = without(mediapipe(), "jawOpen")
    series = read_series(write(tmp_path / "a.csv", few)).series
    assert not series.filled[index("AU26")]
    assert not series.filled[index("AU25")]
    assert series.filled[index("AU12L")]


def test_percent_is_refused(tmp_path: Path, write: Any, mediapipe: Any) -> None:
    with pytest.raises(DriverError, match=r"line 3, column jawopen: 40 is outside 0\.\.1"):
        read_series(write(tmp_path / "a.csv", mediapipe(3, jawOpen=[0, 40, 80])))


def test_rows_without_any_time_count_at_the_rate_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("jawOpen,mouthSmile_L,mouthSmile_R\n0,0,0\n0.5,0,0\n")
    with pytest.raises(DriverError, match=r"no column of time.*count rows with --driver-frame-rate"):
        read_series(path)
    assert read_series(path, frame_rate=Fraction(25)).series.seconds.tolist() == [0, 0.04]

"""What `retarget track` writes is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.faces import TrackingRow, write_tracking_csv

COUNT = action_units.COUNT
FILES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
UNIT_ROWS = st.lists(st.lists(st.floats(0, 1, width=32), min_size=COUNT, max_size=COUNT), min_size=1, max_size=4)


def index(name: str) -> int:
    return action_units.NAMES.index(name)


@settings(parent=FILES, max_examples=40)
@given(rows=UNIT_ROWS)
def test_round_trip_to_the_printed_precision(tmp_path: Path, rows: list[list[float]]) -> None:
    values = np.array(rows, np.float32)
    written = (TrackingRow(i + 1, 0, i / 24, 0.875, True, row) for i, row in enumerate(values))
    count = write_tracking_csv(tmp_path / "t.csv", written)
    file = read_series(tmp_path / "t.csv")
    assert count == len(rows)
    assert file.kind == "retarget"
    assert file.series.filled.all()
    np.testing.assert_allclose(file.series.values, values, atol=5.1e-5)
    np.testing.assert_allclose(file.series.seconds, np.arange(len(rows)) / 24, atol=1e-6)
    np.testing.assert_allclose(file.series.confidence, 0.875)


def test_some_of_the_columns_are_enough(tmp_path: Path, write: Any) -> None:
    """Made by hand or trimmed in a spreadsheet: what is not there stays the performance's own."""
    path = write(
        tmp_path / "t.csv", {"Seconds": [0, 0.5], "AU12L": [0, 0.5], "AU17": [0.1, 0.2], "AU12_r": [5, 5]}
    )
    series = read_series(path).series
    assert [action_units.NAMES[i] for i in np.flatnonzero(series.filled)] == ["AU12L", "AU17"]
    assert series.values[:, index("AU12L")].tolist() == [0, 0.5]


def test_lost_frames_and_several_faces(tmp_path: Path, column_of: Any) -> None:
    rows = [
        TrackingRow(1, 0, 0.0, 0.9, True, np.full(COUNT, 0.5, np.float32)),
        TrackingRow(1, 1, 0.0, 0.9, True, np.full(COUNT, 0.25, np.float32)),
        TrackingRow(2, 0, 0.04, 0.0, False, np.full(COUNT, np.nan, np.float32)),
    ]
    write_tracking_csv(tmp_path / "t.csv", rows)
    assert read_series(tmp_path / "t.csv").series.confidence.tolist() == pytest.approx([0.9, 0])
    assert column_of(tmp_path / "t.csv", "AU17", face=1) == [0.25]

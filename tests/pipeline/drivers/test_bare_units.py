"""Action units under bare names and in iMotions' words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.errors import DriverError


def index(name: str) -> int:
    return action_units.NAMES.index(name)


@pytest.mark.parametrize(("scale", "said"), [(1, "0..1"), (5, "0..5"), (100, "per cent")])
def test_the_largest_value_tells_the_scale(tmp_path: Path, scale: float, said: str, write: Any) -> None:
    columns = {"Timestamp": [0, 40, 80], "AU1": [0, 0.1 * scale, 0], "AU12": [0, 0.5 * scale, 0.9 * scale]}
    file = read_series(write(tmp_path / "a.csv", columns))
    assert file.kind == "action-units"
    assert file.series.seconds.tolist() == pytest.approx([0, 0.04, 0.08])
    assert file.series.values[:, index("AU12L")].tolist() == pytest.approx([0, 0.5, 0.9])
    assert said in file.notes[0]


def test_log_odds_are_no_scale(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path / "a.csv", {"Timestamp": [0, 40], "AU1": [-3.1, 0.5], "AU12": [0, 1.2]})
    with pytest.raises(DriverError, match=r"action units from -3\.1 to 1\.2 are on no known scale"):
        read_series(path)


def test_imotions(tmp_path: Path) -> None:
    """Its study above the header, per cent, and rows of other sensors between."""
    lines = [
        "#INFO,,,,,",
        "#Respondent Name,R3,,,,",
        "#DATA,,,,,",
        "SampleNumber,Timestamp,Brow Furrow,Smile,Jaw Drop,Inner Brow Raise",
        "1,0,10,50,0,0",
        "2,10,,,,",
        "3,40,10,80,0,0",
        "4,80,10,20,5,0",
    ]
    path = tmp_path / "r3.csv"
    path.write_text("\n".join(lines))
    file = read_series(path)
    assert file.kind == "imotions"
    assert file.series.confidence.tolist() == [1, 0, 1, 1]
    assert file.series.values[[0, 2, 3], index("AU12R")].tolist() == pytest.approx([0.5, 0.8, 0.2])
    assert file.series.seconds.tolist() == pytest.approx([0, 0.01, 0.04, 0.08])

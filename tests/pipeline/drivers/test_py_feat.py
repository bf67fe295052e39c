"""py-feat's files against ones written here cell by cell."""

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


def test_scores_are_taken_as_they_are(tmp_path: Path, write: Any, fex: Any) -> None:
    file = read_series(write(tmp_path / "a.csv", fex()), frame_rate=Fraction(24))
    assert file.kind == "py-feat"
    assert file.series.seconds.tolist() == pytest.approx([0, 2 / 24, 4 / 24])
    assert file.series.values[:, index("AU12R")].tolist() == pytest.approx([0, 0.1, 0.2])
    assert file.series.values[:, index("AU45L")].tolist() == pytest.approx([0.3] * 3)  # AU43
    assert file.series.confidence.tolist() == pytest.approx([0.9] * 3)
    assert "not calibrated" in file.notes[0]
    assert "AU11" in file.notes[1]
    assert not file.series.filled[index("AU22")]


def test_rate_defaults_to_30_with_a_note(tmp_path: Path, write: Any, fex: Any) -> None:
    file = read_series(write(tmp_path / "a.csv", fex()))
    assert file.series.seconds[1] == pytest.approx(2 / 30)
    assert any("took 30" in note for note in file.notes)


def test_undetected_faces_are_rows_of_nan(tmp_path: Path, write: Any, fex: Any) -> None:
    path = write(tmp_path / "a.csv", fex(AU12=[0.1, "", 0.3], FaceScore=[0.9, "", 0.9]))
    assert read_series(path).series.confidence.tolist() == pytest.approx([0.9, 0, 0.9])


def test_faces_by_row_order(tmp_path: Path, write: Any, fex: Any, column_of: Any) -> None:
    path = write(tmp_path / "a.csv", fex(5, frame=[0, 0, 1, 2, 2]))
    assert column_of(path, "AU12L", face=0) == pytest.approx([0, 0.2, 0.3])
    assert column_of(path, "AU12L", face=1) == pytest.approx([0.1, 0.4])
    with pytest.raises(DriverError, match=r"no face 2; it holds 2 \(0, 1\)"):
        read_series(path, face=2)


def test_faces_by_identity(tmp_path: Path, write: Any, fex: Any, column_of: Any) -> None:
    people = ["Person_0", "Person_1", "Person_1", "Person_0"]
    path = write(tmp_path / "a.csv", fex(4, frame=[0, 0, 1, 1], Identity=people))
    assert column_of(path, "AU12L", face=0) == pytest.approx([0, 0.3])
    with pytest.raises(DriverError, match=r"no face 5; it holds 2 \(Person_0, Person_1\)"):
        read_series(path, face=5)


def test_blendshapes_of_version_2_go_before_its_scores(
    tmp_path: Path, write: Any, fex: Any, mediapipe: Any, without: Any
) -> None:
    shapes = without(mediapipe(3, mouthSmileLeft=[0.1, 0.2, 0.3]), "timestamp_ms")
    file = read_series(write(tmp_path / "a.csv", {**fex(3, AU12=[1.0, 1.0, 1.0]), **shapes}))
    assert file.kind == "py-feat"
    assert file.series.values[:, index("AU12L")].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert not file.series.filled[index("AU23")]  # which no blendshape stands for; its score is saturated, too
    assert "its blendshapes drive" in file.notes[0]


def test_the_rate_is_the_one_at_which_its_clock_goes(tmp_path: Path, write: Any, fex: Any) -> None:
    """At 25 frames a second, frames 24, 26, 48 and 50 are in seconds 0, 1, 1 and 2."""
    columns = fex(4, frame=[24, 26, 48, 50], approx_time=["00:00", "00:01", "00:01", "00:02"])
    file = read_series(write(tmp_path / "a.csv", columns))
    assert file.series.seconds.tolist() == pytest.approx([0.96, 1.04, 1.92, 2.0])
    assert any("took 25 frames per second, at which its approx_time goes" in note for note in file.notes)
    asked = read_series(tmp_path / "a.csv", frame_rate=Fraction(50))
    assert asked.series.seconds.tolist() == pytest.approx([0.48, 0.52, 0.96, 1.0])

"""OpenFace's files against ones written here cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.errors import DriverError


def index(name: str) -> int:
    return action_units.NAMES.index(name)


def test_intensities_are_divided_by_five(tmp_path: Path, write: Any, openface: Any) -> None:
    file = read_series(write(tmp_path / "a.csv", openface(), separator=", "))
    assert file.kind == "openface"
    assert file.notes == ()
    assert file.series.seconds.tolist() == [0, 0.04, 0.08, 0.12]
    for side in "LR":
        np.testing.assert_allclose(file.series.values[:, index(f"AU12{side}")], [0, 0.1, 0.2, 0.3], atol=1e-6)
    assert file.series.confidence.tolist() == pytest.approx([0.98] * 4)
    filled = {action_units.NAMES[i] for i in np.flatnonzero(file.series.filled)}
    assert filled == {action_units.NAMES[i] for n in action_units.OPENFACE_NAMES for i in action_units.resolve(n)}


def test_version_1_and_pyfaceau(tmp_path: Path, write: Any, openface: Any, without: Any, column_of: Any) -> None:
    old = write(tmp_path / "old.csv", without(openface(), "face_id"))
    assert column_of(old, "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])
    columns = without(
        openface(4, frame=range(4), success=["True", "True", "False", "True"]), "timestamp", "face_id"
    )
    port = write(tmp_path / "port.csv", without(columns, "confidence"))
    file = read_series(port, frame_rate=Fraction(50))
    assert file.series.seconds.tolist() == pytest.approx([0, 0.02, 0.04, 0.06])
    assert file.series.confidence.tolist() == [1, 1, 0, 1]


def test_frames_without_a_rate_are_noted(tmp_path: Path, write: Any, openface: Any, without: Any) -> None:
    file = read_series(write(tmp_path / "a.csv", without(openface(), "timestamp")))
    assert file.series.seconds[1] == pytest.approx(1 / 30)
    assert "took 30 frames per second" in file.notes[0]


def test_image_mode_is_a_still(tmp_path: Path, write: Any, openface: Any, without: Any) -> None:
    columns = without(openface(2, face_id=[0, 1]), "frame", "timestamp", "success")
    columns = {"face" if name == "face_id" else name: cells for name, cells in columns.items()}
    path = write(tmp_path / "image.csv", columns)
    file = read_series(path, face=1)
    assert len(file.series.seconds) == 1
    assert file.series.values[0, index("AU12R")] == pytest.approx(0.1)


def test_face_picks_by_order_of_id(tmp_path: Path, write: Any, openface: Any, column_of: Any) -> None:
    columns = openface(4, face_id=[7, 2, 7, 2], timestamp=[0, 0, 0.04, 0.04])
    path = write(tmp_path / "two.csv", columns)
    assert column_of(path, "AU12L", face=0) == pytest.approx([0.1, 0.3])
    file = read_series(path, face=1)
    assert file.series.values[:, index("AU12L")].tolist() == pytest.approx([0, 0.2])
    assert file.notes == ("two.csv: holds 2 faces; face 1 drives",)
    with pytest.raises(DriverError, match=r"two\.csv: no face 2; it holds 2 \(ids 2, 7\)"):
        read_series(path, face=2)


def test_lost_frames_may_be_nan(tmp_path: Path, write: Any, openface: Any) -> None:
    path = write(tmp_path / "a.csv", openface(3, AU12_r=[1, "nan", 2], success=[1, 0, 1]))
    series = read_series(path).series
    assert series.confidence.tolist() == pytest.approx([0.98, 0, 0.98])
    assert series.values[:, index("AU12L")].tolist() == pytest.approx([0.2, 0, 0.4])


def test_rows_without_values_are_lost_faces(tmp_path: Path, write: Any, openface: Any) -> None:
    """One unit that is missing is as good as all: as OpenFace for Windows writes it, or a spreadsheet."""
    path = write(tmp_path / "a.csv", openface(5, AU06_r=[0, "-nan(ind)", 0, "", 0]))
    file = read_series(path)
    assert file.series.confidence.tolist() == pytest.approx([0.98, 0, 0.98, 0, 0.98])
    assert file.notes == ("a.csv: 2 rows lack values and count as a lost face (the first is line 3)",)


def test_a_unit_that_was_never_measured_is_left_alone(tmp_path: Path, write: Any, openface: Any) -> None:
    file = read_series(write(tmp_path / "a.csv", openface(4, AU06_r=["", "", "nan", "0.5"])))
    assert file.series.confidence.tolist() == pytest.approx([0.98] * 4)
    assert not file.series.filled[index("AU06L")]
    assert file.notes == ("a.csv: hardly any values in au06_r; left to the performance",)


def test_rows_without_a_time_are_left_out(tmp_path: Path, write: Any, openface: Any) -> None:
    file = read_series(write(tmp_path / "a.csv", openface(4, timestamp=[0, 0.04, "nan", 0.12])))
    assert file.series.seconds.tolist() == [0, 0.04, 0.12]
    assert file.notes == ("a.csv: rows left out because they say no time: 1",)


def test_a_face_found_again_is_the_same_person(tmp_path: Path, write: Any, openface: Any, column_of: Any) -> None:
    """Person 0 is lost, and goes on as 3 at the same place, while 1 is elsewhere all the time."""
    columns = {
        **openface(7, timestamp=[0, 0, 0.04, 0.04, 0.08, 0.12, 0.12], face_id=[0, 1, 0, 1, 1, 3, 1]),
        "x_0": [100, 400, 101, 400, 400, 104, 400],
        "x_16": [180, 480, 181, 480, 480, 184, 480],
        "x_30": [140, 440, 141, 440, 440, 144, 440],
        "y_30": [200] * 7,
    }
    path = write(tmp_path / "two.csv", columns)
    assert column_of(path, "AU12L", face=0) == pytest.approx([0, 0.2, 0.5])
    assert column_of(path, "AU12L", face=1) == pytest.approx([0.1, 0.3, 0.4, 0.6])
    notes = read_series(path, face=0).notes
    assert "two.csv: ids 0, 3 are one face: each begins where the one before ended" in notes
    with pytest.raises(DriverError, match=r"no face 2; it holds 2 \(ids 0\+3, 1\)"):
        read_series(path, face=2)


@pytest.mark.parametrize("name", ["AU1_r", "au_12_r", "AU012_r"])
def test_spellings(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"frame,timestamp,{name}\n1,0,2.5\n2,0.04,5\n")
    file = read_series(path)
    assert file.kind == "openface"
    assert file.series.values.max() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AU06_r": [0, 0, "high", 0]}, r"a\.csv: line 4, column au06_r: 'high' is not a number"),
        ({"AU06_r": [0, "inf", 0, 0]}, r"line 3, column au06_r: 'inf' is not a number"),
        ({"AU06_r": [0, 0, 0, 34]}, r"line 5, column au06_r: 34 is outside 0\.\.5"),
        (
            {"timestamp": [0, 0.04, 0.02, 0.06]},
            r"line 4: time does not increase \(0\.02 s after 0\.04 s\)",
        ),
        ({"success": [0, 0, 0, 0]}, "no row with a face"),
    ],
)
def test_mistakes_name_their_place(
    tmp_path: Path, changes: dict[str, Sequence[object]], message: str, write: Any, openface: Any
) -> None:
    with pytest.raises(DriverError, match=message) as caught:
        read_series(write(tmp_path / "a.csv", openface(4, **changes)))
    assert "\n" not in str(caught.value)


def test_without_any_time(tmp_path: Path, write: Any, openface: Any, without: Any) -> None:
    with pytest.raises(DriverError, match="no column of time"):
        read_series(write(tmp_path / "a.csv", without(openface(), "timestamp", "frame")))


def test_without_intensities(tmp_path: Path, write: Any, openface: Any) -> None:
    columns = {name: cells for name, cells in openface().items() if not name.endswith("_r")}
    with pytest.raises(DriverError, match="run FeatureExtraction with -aus"):
        read_series(write(tmp_path / "a.csv", columns))

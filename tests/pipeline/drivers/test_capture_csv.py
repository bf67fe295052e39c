"""CSV as spreadsheets and trackers write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.errors import DriverError

FILES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_byte_order_mark_and_semicolons(tmp_path: Path, write: Any, openface: Any, column_of: Any) -> None:
    path = write(tmp_path / "a.csv", openface(), separator=";")
    path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert column_of(path, "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_column_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,AU12_r,AU12_r\n0,1,2\n")
    with pytest.raises(DriverError, match=r"column 'au12_r' occurs 2 times"):
        read_series(path)


def test_short_row(tmp_path: Path, write: Any, openface: Any) -> None:
    path = write(tmp_path / "a.csv", openface())
    path.write_text(path.read_text()[:-80])  # a copy that was cut off
    file = read_series(path)
    assert file.series.confidence.tolist() == pytest.approx([0.98, 0.98, 0.98, 0])
    assert file.notes == ("a.csv: 1 row lacks values and counts as a lost face (the first is line 5)",)


@FILES
@given(data=st.data(), upper=st.booleans())
def test_columns_in_any_order_and_case(
    tmp_path: Path, data: st.DataObject, upper: bool, write: Any, openface: Any, without: Any, column_of: Any
) -> None:
    columns = without(openface(), "X_0")
    order = data.draw(st.permutations(list(columns)))
    shuffled = {n.upper() if upper else n: columns[n] for n in order}
    assert column_of(write(tmp_path / "a.csv", shuffled), "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
def test_encodings_and_separators(
    tmp_path: Path, encoding: str, separator: str, write: Any, openface: Any, column_of: Any
) -> None:
    path = write(tmp_path / "a.csv", {**openface(), "Prénom": ["Zoé"] * 4}, separator=separator)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    assert column_of(path, "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])


def test_decimal_commas(tmp_path: Path, write: Any, openface: Any, column_of: Any) -> None:
    path = write(tmp_path / "a.csv", openface(), separator=";")
    path.write_text(path.read_text().replace(".", ","))
    assert column_of(path, "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    "above",
    [
        "# recorded by hand\n",
        "sep=,\n",
        "\n\n",
        "#INFO,,,\n#Study name,Smiles,,\n#Respondent,R3,,\n#DATA,,,\n",
        "# columns: frame, timestamp, AU12_r\n",
    ],
)
def test_lines_above_the_header(tmp_path: Path, above: str, write: Any, openface: Any, column_of: Any) -> None:
    path = write(tmp_path / "a.csv", openface())
    lines = path.read_text().splitlines()
    path.write_text(above + "\n".join([*lines[:3], "# a remark", *lines[3:]]))
    assert column_of(path, "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])


def test_lines_are_those_of_the_file(tmp_path: Path, write: Any, openface: Any) -> None:
    path = write(tmp_path / "a.csv", openface(4, AU06_r=[0, 0, "high", 0]))
    path.write_text("# above\n\n" + path.read_text())
    with pytest.raises(DriverError, match="line 6, column au06_r: 'high'"):
        read_series(path)


def test_a_header_behind_a_hash(tmp_path: Path, column_of: Any) -> None:
    """As numpy's savetxt writes it."""
    path = tmp_path / "a.txt"
    path.write_text("# timestamp AU12_r\n0.00 0\n0.04 5\n")
    assert column_of(path, "AU12L") == [0, 1]

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
    with pytest.raises(DriverError, match=r"line 5, column au"):
        read_series(path)


@FILES
@given(data=st.data(), upper=st.booleans())
def test_columns_in_any_order_and_case(
    tmp_path: Path, data: st.DataObject, upper: bool, write: Any, openface: Any, without: Any, column_of: Any
) -> None:
    columns = without(openface(), "X_0")
    order = data.draw(st.permutations(list(columns)))
    shuffled = {n.upper() if upper else n: columns[n] for n in order}
    assert column_of(write(tmp_path / "a.csv", shuffled), "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])

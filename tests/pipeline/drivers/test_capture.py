"""Capture files of any kind: told apart, read or refused, and played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retarget.model import action_units
from retarget.pipeline.drivers.capture import load_capture, read_series
from retarget.pipeline.drivers.driver import DriverOptions
from retarget.pipeline.errors import DriverError

FILES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def index(name: str) -> int:
    return action_units.NAMES.index(name)


class TestAnyFile:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", r"x\.csv: the file is empty"),
            (b"\n\n", r"x\.csv: the file is empty"),
            (b"a,b,c\n1,2,3\n", r"x\.csv: no known capture format"),
            (b"timestamp,AU12_r\n", r"x\.csv: no rows under the header"),
            (b"\x89PNG\r\n\x1a\n\xff\xfe", r"x\.csv: not a CSV text file"),
            (b"success,confidence\n1,1\n", r"x\.csv: an OpenFace file without intensities"),
        ],
    )
    def test_what_cannot_be_used_says_so(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        with pytest.raises(DriverError, match=message):
            read_series(path)

    def test_missing_and_directory(self, tmp_path: Path) -> None:
        with pytest.raises(DriverError, match=r"none\.csv: cannot be read \(No such file"):
            read_series(tmp_path / "none.csv")
        with pytest.raises(DriverError, match="cannot be read"):
            read_series(tmp_path)

    def test_live_link_without_timecode_is_refused_by_column(
        self, tmp_path: Path, write: Any, live_link: Any, without: Any
    ) -> None:
        with pytest.raises(DriverError, match="no column of time"):
            read_series(write(tmp_path / "a.csv", without(live_link(["x", "y"]), "Timecode")))

    @FILES
    @given(content=st.binary(max_size=300))
    def test_random_bytes_never_crash(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        with pytest.raises(DriverError):
            read_series(path)

    @settings(parent=FILES, max_examples=150)
    @given(data=st.data())
    def test_damaged_files_are_read_or_refused_in_one_line(
        self,
        tmp_path: Path,
        data: st.DataObject,
        write: Any,
        openface: Any,
        fex: Any,
        live_link: Any,
        mediapipe: Any,
    ) -> None:
        """A real file of each kind with one cell replaced by anything."""
        makers: list[Callable[[], dict[str, Sequence[object]]]] = [
            openface,
            fex,
            mediapipe,
            lambda: live_link(["01:00:00:00.0", "01:00:00:01.0"]),
        ]
        columns = {name: list(cells) for name, cells in data.draw(st.sampled_from(makers))().items()}
        name = data.draw(st.sampled_from(sorted(columns)))
        row = data.draw(st.integers(0, len(columns[name]) - 1))
        junk = st.one_of(
            st.text(max_size=12), st.floats().map(str), st.sampled_from(["-1", "1e9", "", '"', "nan"])
        )
        columns[name][row] = data.draw(junk)
        path = tmp_path / "x.csv"
        try:
            write(path, columns)
        except UnicodeEncodeError:  # a lone surrogate cannot be in a file
            return
        try:
            series = read_series(path).series
        except DriverError as error:
            message = str(error)
        else:
            message = f"{path}: fine"
            assert np.isfinite(series.values).all()
            assert np.isfinite(series.seconds).all()
            assert series.values.min() >= 0
            assert series.values.max() <= 1
        assert message.startswith(f"{path}: ")
        assert "\n" not in message


class TestLoadCapture:
    def test_is_measured_from_the_asked_neutral(self, tmp_path: Path, write: Any, openface: Any) -> None:
        path = write(tmp_path / "a.csv", openface(8))
        driver = load_capture(path, DriverOptions(neutral=0.0, mode="add"))
        target = driver.target(np.array([0.2]), 0)
        # neutral is the mean of frames 0..2 (0, 0.1, 0.2); frame 5 says 0.5
        assert target.values[0, index("AU12L")] == pytest.approx(0.4)
        assert target.additive.all()

    def test_neutral_outside_names_the_file(self, tmp_path: Path, write: Any, openface: Any) -> None:
        with pytest.raises(DriverError, match=r"a\.csv: no usable face around 60 s"):
            load_capture(write(tmp_path / "a.csv", openface()), DriverOptions(neutral=60.0))

"""Live Link Face's files: timecode in all its forms."""

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


def test_timecode_and_case(tmp_path: Path, write: Any, live_link: Any) -> None:
    codes = ["07:44:57:58.000", "07:44:57:59.500", "07:44:58:01.000"]
    path = write(tmp_path / "take.csv", live_link(codes, MouthSmileLeft=[0.1, 0.2, 0.3], JawOpen=[0.5] * 3))
    file = read_series(path)
    assert file.kind == "live-link-face"
    assert file.series.seconds.tolist() == pytest.approx([0, 1.5 / 60, 3 / 60])
    assert file.series.values[:, index("AU12L")].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert file.series.values[0, index("AU26")] == pytest.approx(0.5)
    assert file.series.filled[index("AU05L")]  # ARKit does report it, even where it stays 0


def test_rate_from_the_largest_frame_number(tmp_path: Path, write: Any, live_link: Any) -> None:
    codes = [f"01:00:0{i // 30}:{i % 30:02d}.000" for i in range(60)]
    assert read_series(write(tmp_path / "a.csv", live_link(codes))).series.seconds[-1] == pytest.approx(59 / 30)


def test_short_takes_are_at_60(tmp_path: Path, write: Any, live_link: Any) -> None:
    path = write(tmp_path / "a.csv", live_link(["01:00:00:00.000", "01:00:00:12.000"]))
    assert read_series(path).series.seconds[-1] == pytest.approx(0.2)
    assert read_series(path, frame_rate=Fraction(24)).series.seconds[-1] == pytest.approx(0.5)


def test_fractional_rates_run_slower_than_the_clock(tmp_path: Path, write: Any, live_link: Any) -> None:
    path = write(tmp_path / "a.csv", live_link(["01:00:00:00.0", "01:00:10:00.0"]))
    seconds = read_series(path, frame_rate=Fraction(30000, 1001)).series.seconds
    assert seconds[-1] == pytest.approx(300 * 1001 / 30000)


def test_midnight(tmp_path: Path, write: Any, live_link: Any) -> None:
    path = write(tmp_path / "a.csv", live_link(["23:59:59:59.000", "00:00:00:00.000"]))
    assert read_series(path).series.seconds.tolist() == pytest.approx([0, 1 / 60])


def test_lost_face_and_repeated_timecode(tmp_path: Path, write: Any, live_link: Any) -> None:
    path = write(tmp_path / "a.csv", live_link(["01:00:00:01.0", "01:00:00:01.0", "01:00:00:03.0"]))
    path.write_text(path.read_text() + "01:00:00:04.0,0\n")
    file = read_series(path)
    assert file.series.confidence.tolist() == [1, 1, 0]
    assert file.series.seconds.tolist() == pytest.approx([0, 2 / 60, 3 / 60])
    assert file.notes == (
        "a.csv: 1 row lacks values and counts as a lost face (the first is line 5)",
        "a.csv: rows left out because they repeat the time of another: 1",
    )


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (["01:00:00:00", "1 hour"], "line 3, column Timecode: '1 hour' is no timecode"),
        (["01:00:05:00", "01:00:02:00"], "line 3: time does not increase"),
    ],
)
def test_bad_timecode(tmp_path: Path, codes: list[str], message: str, write: Any, live_link: Any) -> None:
    with pytest.raises(DriverError, match=message):
        read_series(write(tmp_path / "a.csv", live_link(codes)))


def test_holds_one_face(tmp_path: Path, write: Any, live_link: Any) -> None:
    with pytest.raises(DriverError, match="no face 1; Live Link Face captures one"):
        read_series(write(tmp_path / "a.csv", live_link(["01:00:00:00"])), face=1)

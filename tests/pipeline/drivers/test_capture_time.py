"""Times of rows against ones made here, in every unit and with every kind of fault."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from retarget.pipeline.drivers.capture_table import CaptureSource, Header, read_table
from retarget.pipeline.drivers.capture_time import RowTimes, kept_rows, row_times, time_columns
from retarget.pipeline.errors import DriverError


def times_of(
    columns: dict[str, list[object]], *, rate: Fraction | None = None, counts_from: float | None = 1.0
) -> RowTimes:
    rows = [(i + 2, [str(cell) for cell in row]) for i, row in enumerate(zip(*columns.values(), strict=True))]
    header = Header(tuple(name.lower() for name in columns))
    source = CaptureSource(Path("a.csv"), header, lambda: rows, frame_rate=rate)
    return row_times(source, read_table(source, time_columns(header)), counts_from=counts_from)


AT_30 = [i / 30 for i in range(12)]


@pytest.mark.parametrize("name", ["timestamp", "Time", "seconds", "time (s)", "timestamp_ms", "t"])
@pytest.mark.parametrize(("scale", "unit"), [(1, "seconds"), (1e3, "milliseconds"), (1e6, "microseconds")])
def test_the_unit_is_the_one_that_makes_sense(name: str, scale: float, unit: str) -> None:
    found = times_of({name: [second * scale for second in AT_30]})
    assert found.seconds.tolist() == pytest.approx(AT_30)
    said = "milliseconds" if name.endswith("_ms") else "seconds"
    assert (len(found.notes) == 0) == (unit == said)
    assert all(f"read as {unit}" in note for note in found.notes)


@pytest.mark.parametrize("scale", [1, 1e3, 1e6])
def test_an_epoch_counts_from_the_first_row(scale: float) -> None:
    found = times_of({"timestamp": [(1_700_000_000 + second) * scale for second in AT_30]})
    assert found.seconds.tolist() == pytest.approx(AT_30, abs=1e-6)
    assert "times count from the first row, which says 17" in found.notes[-1]


def test_clocks_and_dates() -> None:
    clock = times_of({"time": ["00:00:01.000", "00:00:01.040", "0:00:01,080"]})
    assert clock.seconds.tolist() == pytest.approx([1, 1.04, 1.08])
    date = times_of(
        {"timestamp": ["2024-05-01T12:00:00.000", "2024-05-01T12:00:00.040", "2024-05-01 12:00:00.080"]}
    )
    assert date.seconds.tolist() == pytest.approx([0, 0.04, 0.08], abs=1e-6)


def test_few_rows_may_lie_seconds_apart() -> None:
    """A table written by hand."""
    assert times_of({"seconds": [0, 10, 30]}).seconds.tolist() == [0, 10, 30]
    assert times_of({"time": [0, 3, 6]}).seconds.tolist() == [0, 3, 6]


@pytest.mark.parametrize(
    ("stamps", "reason"),
    [
        ([i / 1000 for i in range(12)], "0.001 between rows, which is no camera's pace"),
        ([0] * 12, "stands still at 0"),
        ([i // 6 for i in range(12)], "too coarse"),
        ([""] * 12, "is empty"),
    ],
)
def test_stamps_that_say_nothing_leave_it_to_the_frame_numbers(stamps: list[object], reason: str) -> None:
    frames: list[object] = list(range(1, 13))
    found = times_of({"timestamp": stamps, "frame": frames})
    assert found.seconds.tolist() == pytest.approx(AT_30)
    assert reason in found.notes[0]
    assert "took 30 frames per second" in found.notes[1]
    with pytest.raises(DriverError, match=f"{reason}.*add 'timestamp'.*count rows with --driver-frame-rate"):
        times_of({"timestamp": stamps})
    counted = times_of({"timestamp": stamps}, rate=Fraction(25))
    assert counted.seconds.tolist() == pytest.approx([i / 25 for i in range(12)])


def test_a_given_rate_goes_before_stamps_where_there_are_frame_numbers() -> None:
    columns: dict[str, list[object]] = {"timestamp": list(AT_30), "frame": list(range(1, 13))}
    found = times_of(columns, rate=Fraction(24))
    assert found.seconds.tolist() == pytest.approx([i / 24 for i in range(12)])
    assert found.notes == ()


def test_frames_count_from_the_formats_first() -> None:
    assert times_of({"frame": [5, 6]}, rate=Fraction(10)).seconds.tolist() == pytest.approx([0.4, 0.5])
    assert times_of({"frame": [5, 6]}, rate=Fraction(10), counts_from=None).seconds.tolist() == [0, 0.1]


def test_of_rows_at_one_time_the_most_confident_stays() -> None:
    seconds = np.array([0, 0.04, 0.04, np.nan, 0.08])
    kept = kept_rows("a.csv", range(2, 7), seconds, np.array([1, 0, 0.9, 1, 1]))
    assert kept.tolist() == [0, 2, 4]
    with pytest.raises(DriverError, match=r"a\.csv: line 3: time does not increase"):
        kept_rows("a.csv", [2, 3], np.array([1.0, 0.5]), np.ones(2))


def test_a_unit_that_leads_beyond_all_times_is_none() -> None:
    """.NET's ticks are 100 ns since the year 1: read as microseconds they would lie in the year 20,000."""
    with pytest.raises(DriverError, match="no camera's pace"):
        times_of({"timestamp": [638_500_000_000_000_000 + 400_000 * i for i in range(12)]})

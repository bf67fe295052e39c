"""The table of `retarget track`: its columns, row by row as they come."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.faces.tracking_csv import TrackingRow, write_tracking_csv

COUNT = action_units.COUNT
ZERO = np.zeros(COUNT, np.float32)


def index(name: str) -> int:
    return action_units.NAMES.index(name)


def test_is_openface_to_others() -> None:
    """A reader of OpenFace files finds its columns and its scale: 5 times the mean of both sides."""
    values = ZERO.copy()
    values[[index("AU12L"), index("AU12R"), index("AU26")]] = 0.2, 0.6, 1.0
    text = io.StringIO()
    write_tracking_csv(text, [TrackingRow(1, 3, 0.0, 1.0, True, values)])
    header, row = (line.split(",") for line in text.getvalue().splitlines())
    cells = dict(zip(header, row, strict=True))
    assert header[:6] == ["frame", "face_id", "timestamp", "confidence", "success", "AU01_r"]
    assert (cells["AU12_r"], cells["AU26_r"], cells["AU12R"], cells["face_id"]) == (
        "2.000",
        "5.000",
        "0.6000",
        "3",
    )


def test_streams() -> None:
    """Each row is on its way before the next is asked for."""
    text, seen = io.StringIO(), []

    def rows() -> object:
        for i in range(3):
            seen.append(text.getvalue().count("\n"))
            yield TrackingRow(i, 0, i / 25, 1.0, True, ZERO)

    write_tracking_csv(text, rows())  # type: ignore[arg-type]
    assert seen == [1, 2, 3]


def test_nothing_remains_of_a_failure(tmp_path: Path) -> None:
    def failing() -> object:
        yield TrackingRow(1, 0, 0.0, 1.0, True, ZERO)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tracking_csv(tmp_path / "t.csv", failing())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_unwritable(tmp_path: Path) -> None:
    with pytest.raises(VideoWriteError, match=r"t\.csv: cannot be written"):
        write_tracking_csv(tmp_path / "none" / "t.csv", [])

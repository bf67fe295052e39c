"""The table of `retarget track`: OpenFace's columns, then the full schema."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..files import whole_file


@dataclass(frozen=True, eq=False)
class TrackingRow:
    """One face in one frame, for the tracking CSV."""

    frame: int
    """From 1, as OpenFace counts."""
    face_id: int
    seconds: float
    """From the clip's first frame."""
    confidence: float
    """[0, 1]."""
    success: bool
    """Whether the face was found; if not, the values are written as 0."""
    values: NDArray[np.float32]
    """(C,) float32 in [0, 1]."""


TRACKING_COLUMNS: tuple[str, ...] = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *(f"{name}_r" for name in action_units.OPENFACE_NAMES),
    *action_units.NAMES,
)
"""Header of the tracking CSV: what OpenFace readers expect (0..5), then the full schema (0..1)."""


def write_tracking_csv(
    destination: str | Path | TextIO, rows: Iterable[TrackingRow], *, overwrite: bool = True
) -> int:
    """Writes rows as they come (none is held) and returns how many; `drivers.read_series` reads them back.

    A path is written under a hidden name beside it and renamed when complete; `overwrite`: whether it may be there
    by then. Full-schema values have 4
    decimals, `_r` intensities (5 times the mean of both sides) 3.

    Raises:
        VideoWriteError: the file cannot be written.
    """
    if not isinstance(destination, str | Path):
        return _write_rows(destination, rows)
    with (
        whole_file(Path(destination), failure="cannot be written", overwrite=overwrite) as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        return _write_rows(file, rows)


def _write_rows(file: TextIO, rows: Iterable[TrackingRow]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(TRACKING_COLUMNS)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - the last count is the result
        writer.writerow(_cells(row))
    return count


def _cells(row: TrackingRow) -> list[str]:
    values = np.where(row.success, row.values, 0.0).astype(np.float64)
    sides = [values[list(action_units.resolve(name))] for name in action_units.OPENFACE_NAMES]
    return [
        str(row.frame),
        str(row.face_id),
        f"{row.seconds:.6f}",
        f"{row.confidence:.3f}",
        str(int(row.success)),
        *(f"{action_units.OPENFACE_SCALE * float(side.mean()):.3f}" for side in sides),
        *(f"{value:.4f}" for value in values),
    ]

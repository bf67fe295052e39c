"""The tables that `retarget track` writes, read back."""

from __future__ import annotations

from retarget.model import action_units

from .capture_csv import CaptureSource
from .capture_file import SeriesFile, confidence_of, rows_of_face, series_file, unit_columns


def read_tracking(source: CaptureSource) -> SeriesFile:
    """Our own tracking CSV: any of the schema's columns, 0..1; OpenFace's beside them are not needed."""
    columns = [name for name in action_units.NAMES if name in source.header]
    table, notes = rows_of_face(source, columns)
    confidence = confidence_of(table)
    values, filled = unit_columns(table, columns, confidence > 0, 1.0)
    return series_file(source, table, "retarget", values, filled, confidence, notes=notes)

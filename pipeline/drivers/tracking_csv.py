"""The tables that `retarget track` writes, read back."""

from __future__ import annotations

from retarget.model import action_units

from .capture_file import CaptureFormat, SeriesFile, face_rows, series_file, unit_columns
from .capture_table import CaptureSource
from .openface import FIRST_FRAME

_SIDED = tuple(name for unit in action_units.ACTION_UNITS if unit.sided for name in unit.entries)


def _is_tracking(source: CaptureSource) -> bool:
    return any(name in source.header for name in _SIDED)


def _read(source: CaptureSource) -> SeriesFile:
    """Our own tracking CSV: any of the schema's columns, 0..1; OpenFace's beside them are not needed."""
    rows = face_rows(source, [name.lower() for name in action_units.NAMES if name in source.header])
    values, filled = unit_columns(rows, 1.0)
    return series_file(source, rows, "retarget", values, filled, counts_from=FIRST_FRAME)


TRACKING = CaptureFormat("retarget", "retarget track (AU12L, AU12R)", _is_tracking, _read)

"""OpenFace's capture CSV, as FeatureExtraction, FaceLandmarkImg and pyfaceau write it."""

from __future__ import annotations

import re

from retarget.model import action_units

from .capture_csv import CaptureSource
from .capture_file import SeriesFile, confidence_of, rows_of_face, series_file, unit_columns

INTENSITY = re.compile(r"au\d\d_r$")
"""Columns of intensities, in lower case."""


def read_openface(source: CaptureSource) -> SeriesFile:
    """OpenFace FeatureExtraction, FaceLandmarkImg and pyfaceau; `_r` columns on the 0..5 scale."""
    columns = [name for name in source.header.names if INTENSITY.match(name)]
    table, notes = rows_of_face(source, columns)
    confidence = confidence_of(table)
    values, filled = unit_columns(table, columns, confidence > 0, action_units.OPENFACE_SCALE)
    return series_file(source, table, "openface", values, filled, confidence, notes=notes)

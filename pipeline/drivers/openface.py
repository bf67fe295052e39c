"""OpenFace's capture CSV, as FeatureExtraction, FaceLandmarkImg and pyfaceau write it."""

from __future__ import annotations

import re

from retarget.model import action_units

from .capture_file import CaptureFormat, SeriesFile, face_rows, series_file, unit_columns
from .capture_table import CaptureSource

_INTENSITY = re.compile(r"au_?0?\d{1,2}_r$")
"""Columns of intensities, in lower case."""

FIRST_FRAME = 1.0


def _is_openface(source: CaptureSource) -> bool:
    return any(_INTENSITY.match(name) for name in source.header.names)


def _read(source: CaptureSource) -> SeriesFile:
    """OpenFace FeatureExtraction, FaceLandmarkImg and pyfaceau; `_r` columns on the 0..5 scale."""
    rows = face_rows(source, [name for name in source.header.names if _INTENSITY.match(name)])
    values, filled = unit_columns(rows, action_units.OPENFACE_SCALE)
    return series_file(source, rows, "openface", values, filled, counts_from=FIRST_FRAME)


OPENFACE = CaptureFormat("openface", "OpenFace (AU12_r)", _is_openface, _read)

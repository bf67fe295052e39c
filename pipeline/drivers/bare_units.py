"""Tables of action units under their bare names (AU1, AU01) or in iMotions' words, on whatever scale they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from ..errors import DriverError
from .capture_file import CaptureFormat, FaceRows, SeriesFile, face_rows, is_unit, series_file, unit_columns
from .capture_table import CaptureSource
from .capture_time import time_columns

_BARE = re.compile(r"au[_ ]?0?(\d{1,2})$")

_WORDS: Mapping[str, str] = {
    "inner brow raise": "AU01", "brow raise": "AU02", "brow furrow": "AU04", "eye widen": "AU05",
    "cheek raise": "AU06", "lid tighten": "AU07", "nose wrinkle": "AU09", "upper lip raise": "AU10",
    "smile": "AU12", "dimpler": "AU14", "lip corner depressor": "AU15", "chin raise": "AU17", "lip pucker": "AU18",
    "lip stretch": "AU20", "lip press": "AU24", "mouth open": "AU25", "jaw drop": "AU26", "lip suck": "AU28",
    "eye closure": "AU43",
}  # fmt: skip
"""AFFDEX's words for the expressions it measures, and the action units that its maker says they are."""

_ENOUGH_WORDS = 4

_SCALES = ((1.0, "0..1"), (5.0, "0..5"), (100.0, "per cent"))
_OVERSHOOT = 1.1


def _words_in(source: CaptureSource) -> dict[str, str]:
    """Columns in AFFDEX's words and their action units."""
    plain = {name: re.sub(r"[^a-z]+", " ", name).strip() for name in source.header.names}
    return {name: _WORDS[words] for name, words in plain.items() if words in _WORDS}


def _units_in(source: CaptureSource) -> dict[str, str]:
    """Columns with bare names and their action units."""
    return {name: name for name in source.header.names if _BARE.match(name) and is_unit(name)}


def _is_imotions(source: CaptureSource) -> bool:
    return len(_words_in(source)) >= _ENOUGH_WORDS


def _is_bare(source: CaptureSource) -> bool:
    return bool(_units_in(source)) and bool(time_columns(source.header))


def _read_imotions(source: CaptureSource) -> SeriesFile:
    """iMotions with AFFDEX: per cent, in rows among those of other sensors."""
    words = _words_in(source)
    rows = face_rows(source, list(words))
    values, filled = unit_columns(rows, 100.0, name_of=words)
    return series_file(source, rows, "imotions", values, filled)


def _read_bare(source: CaptureSource) -> SeriesFile:
    """Bare action units: their largest value tells the scale."""
    rows = face_rows(source, list(_units_in(source)))
    full_scale, name = _scale_of(source, rows)
    values, filled = unit_columns(rows, full_scale)
    note = f"action units without a scale; their largest value says {name}"
    return series_file(source, rows, "action-units", values, filled, notes=[note])


def _scale_of(source: CaptureSource, rows: FaceRows) -> tuple[float, str]:
    """The smallest usual scale that holds all values, and its name."""
    columns = np.stack([np.where(rows.present, rows.table.numbers(name), 0.0) for name in rows.columns])
    largest = float(np.nanmax(columns))
    found = next((scale for scale in _SCALES if largest <= scale[0] * _OVERSHOOT), None)
    if found is None or float(np.nanmin(columns)) < -found[0] * (_OVERSHOOT - 1):
        raise DriverError(
            f"{source.path}: action units from {np.nanmin(columns):g} to {largest:g} are on no known scale (0..1, "
            "0..5, per cent); rescale the columns"
        )
    return found


IMOTIONS = CaptureFormat("imotions", "iMotions with AFFDEX (Brow Furrow, Smile)", _is_imotions, _read_imotions)
BARE_UNITS = CaptureFormat("action-units", "action units beside a time (AU1, AU12)", _is_bare, _read_bare)
